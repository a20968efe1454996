import { ApiError } from '../../frame/api';

/** The pause before the next attempt (retry with backoff). */
export interface Wait {
  error: ApiError;
  /** When the next attempt begins, in milliseconds since the epoch. */
  until: number;
  /** Begins the next attempt at once. */
  tryNow: () => void;
}

const FIRST_WAIT_SECONDS = 2;
const LAST_WAIT_SECONDS = 30;

/**
 * Retries an operation until it succeeds or fails for a reason that does not pass. Between attempts it waits for `Retry-After`, or with
 * exponential backoff. Each attempt must be safe to repeat; it receives the number of attempts before it.
 */
export async function repeat<Result>(
  attempt: (number: number) => Promise<Result>,
  onWait: (wait: Wait | null) => void,
  signal: AbortSignal,
): Promise<Result> {
  for (let number = 0; ; number += 1) {
    try {
      return await attempt(number);
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiError && error.isTemporary)) throw error;
      const seconds = error.retryAfter ?? Math.min(FIRST_WAIT_SECONDS * 2 ** number, LAST_WAIT_SECONDS);
      await pause(seconds, (tryNow) => onWait({ error, until: Date.now() + seconds * 1_000, tryNow }), signal);
      onWait(null);
    }
  }
}

function pause(seconds: number, onStart: (tryNow: () => void) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => end(() => reject(signal.reason as Error));
    const end = (settle: () => void) => {
      clearTimeout(timer);
      removeEventListener('online', tryNow);
      signal.removeEventListener('abort', abort);
      settle();
    };
    const tryNow = () => end(resolve);
    const timer = setTimeout(tryNow, seconds * 1_000);
    addEventListener('online', tryNow);
    signal.addEventListener('abort', abort);
    onStart(tryNow);
  });
}
