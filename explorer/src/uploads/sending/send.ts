import { ApiError, readAnswer, requestHeaders } from '../../frame/api';
import { texts as frameTexts } from '../../frame/texts';
import type { TypedDocumentString } from '../../gql/graphql';
import { isReadable, UnreadableFile } from './source';
import { texts } from '../texts';

/** A connection over which nothing more goes out for this long is dead, as after a change of the network. */
const STALL_SECONDS = 30;

/**
 * The data of an operation with the variable `$file` (GraphQL multipart request). `fetch` does not report the progress of sending,
 * so this is an XMLHttpRequest. Throws ApiError, and UnreadableFile if the browser can no longer read the file.
 */
export async function sendFile<Result, Variables extends { file: File }>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<Result> {
  const form = new FormData();
  form.append('operations', JSON.stringify({ query: document.toString(), variables: { ...variables, file: null } }));
  form.append('map', '{"0": ["variables.file"]}');
  form.append('0', variables.file, variables.file.name);
  const { status, retryAfter, text } = await post(form, onProgress, signal);
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

function post(form: FormData, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<Answer> {
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
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        isStalled = true;
        xhr.abort();
      }, STALL_SECONDS * 1_000);
    };
    xhr.upload.onloadstart = watch;
    xhr.upload.onprogress = (event) => {
      watch();
      if (event.lengthComputable && event.total > 0) onProgress(event.loaded / event.total);
    };
    // From now on the server works, as long as it takes.
    xhr.upload.onloadend = () => clearTimeout(timer);
    xhr.onabort = () => {
      if (!isStalled) reject(signal.reason as Error);
    };
    xhr.onloadend = () => {
      signal.removeEventListener('abort', abort);
      resolve({ status: xhr.status, retryAfter: xhr.getResponseHeader('Retry-After'), text: xhr.responseText });
    };
    signal.throwIfAborted();
    signal.addEventListener('abort', abort);
    xhr.send(form);
  });
}
