import { ApiError, readAnswer, requestHeaders } from '../../frame/api';
import { texts as frameTexts } from '../../frame/texts';
import type { BatchProgressSubscription } from '../../gql/graphql';
import { type Batch, PROGRESS } from '../operations';

/** The server sends a heartbeat every few seconds. A stream that is silent for this long is dead. */
const SILENCE_SECONDS = 40;

export const hasEnded = (batch: Batch): boolean => batch.status !== 'QUEUED' && batch.status !== 'RUNNING';

/**
 * Follows a batch to its end by server-sent events, and returns its last state. Throws ApiError if the stream ends before the
 * batch, as at a restart of the server.
 */
export async function followBatch(id: string, onChange: (batch: Batch) => void, signal: AbortSignal): Promise<Batch> {
  const silence = new AbortController();
  try {
    for await (const data of readEvents({ id }, AbortSignal.any([signal, silence.signal]), silence)) {
      const batch = readAnswer<BatchProgressSubscription>(200, null, data).batchProgress;
      onChange(batch);
      if (hasEnded(batch)) return batch;
    }
  } catch (error) {
    if (error instanceof ApiError || signal.aborted) throw error;
  }
  throw new ApiError(0, 'OFFLINE', frameTexts.errors.offline);
}

async function* readEvents(variables: { id: string }, signal: AbortSignal, silence: AbortController): AsyncGenerator<string> {
  let timer = setTimeout(() => silence.abort(), SILENCE_SECONDS * 1_000);
  try {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { ...requestHeaders(), 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify({ query: PROGRESS.toString(), variables }),
      signal,
    });
    if (!response.headers.get('Content-Type')?.startsWith('text/event-stream') || !response.body) {
      readAnswer(response.status, response.headers.get('Retry-After'), await response.text());
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_SECONDS * 1_000);
      const events = (text + part.value).split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const data = /^event: next\ndata: (.*)$/.exec(event)?.[1];
        if (data) yield data;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
