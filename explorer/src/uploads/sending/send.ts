import { ApiError, readAnswer, requestHeaders } from '../../frame/api';
import { texts as frameTexts } from '../../frame/texts';
import type { TypedDocumentString } from '../../gql/graphql';
import { isReadable, UnreadableFile } from './source';
import { texts } from '../texts';

/** A connection over which nothing more goes out for this long is dead, as after a change of the network. */
const STALL_SECONDS = 30;

/**
 * The data of an operation with the variable `$file` (GraphQL multipart request). `fetch` does not report the progress of sending,
 * so this is an XMLHttpRequest. Without `answerSeconds`, the server may take as long as it needs once it has the file. Throws
 * ApiError, and UnreadableFile if the browser can no longer read the file.
 */
export async function sendFile<Result, Variables extends { file: File }>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
  answerSeconds?: number,
): Promise<Result> {
  const form = new FormData();
  form.append('operations', JSON.stringify({ query: document.toString(), variables: { ...variables, file: null } }));
  form.append('map', '{"0": ["variables.file"]}');
  form.append('0', variables.file, variables.file.name);
  const { status, retryAfter, text } = await post(form, onProgress, signal, answerSeconds);
  if (status === 0 && !(await isReadable(variables.file))) {
    throw new UnreadableFile(texts.unreadableFile(variables.file.name));
  }
  if (status === 0) throw new ApiError(0, 'OFFLINE', frameTexts.errors.offline);
  return readAnswer<Result>(status, retryAfter, text);
}

interface Answer {
  status: number;
  retryAfter: string | null;
  text: string;
}

function post(
  form: FormData,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
  answerSeconds?: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    xhr.open('POST', '/graphql');
    const headers = {
      ...requestHeaders(),
      Accept: 'application/graphql-response+json',
      'GraphQL-Require-Preflight': '1',
    };
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    let isStalled = false;
    let timer: number | undefined;
    const watch = (seconds: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        isStalled = true;
        xhr.abort();
      }, seconds * 1_000);
    };
    xhr.upload.onloadstart = () => watch(STALL_SECONDS);
    xhr.upload.onprogress = (event) => {
      watch(STALL_SECONDS);
      if (event.lengthComputable && event.total > 0) onProgress(event.loaded / event.total);
    };
    xhr.upload.onload = () => {
      clearTimeout(timer);
      if (answerSeconds) watch(answerSeconds);
    };
    xhr.onabort = () => {
      if (!isStalled) reject(signal.reason as Error);
    };
    xhr.onloadend = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      resolve({ status: xhr.status, retryAfter: xhr.getResponseHeader('Retry-After'), text: xhr.responseText });
    };
    signal.throwIfAborted();
    signal.addEventListener('abort', abort);
    xhr.send(form);
  });
}
