import { createClient } from 'graphql-ws';

const FIRST_WAIT_MS = 1_000;
/** Without this bound, a page that was left open over a night without its server would be current hours after it. */
const LAST_WAIT_MS = 30_000;

export interface Listeners {
  onChange: () => void;
  onLost: () => void;
  onReconnect: () => void;
}

/**
 * Subscribes by a WebSocket of its own, and again whenever the connection was lost: events may then have been missed. Returns
 * a function that ends this.
 */
export function subscribe(
  query: string,
  variables: Record<string, unknown>,
  headers: Record<string, string>,
  { onChange, onLost, onReconnect }: Listeners,
): () => void {
  let connections = 0;
  let isEnded = false;
  const client = createClient({
    url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
    connectionParams: headers,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: (retries) => pause(Math.min(FIRST_WAIT_MS * 2 ** retries, LAST_WAIT_MS)),
    on: {
      connected: () => {
        connections += 1;
        if (connections > 1) onReconnect();
      },
      closed: () => {
        if (connections > 0 && !isEnded) onLost();
      },
    },
  });
  // Without the subscription the page still works, with the figures of the last query.
  const unsubscribe = client.subscribe({ query, variables }, { next: onChange, error: () => undefined, complete: () => undefined });
  return () => {
    isEnded = true;
    // This closes the socket too, after the last message. `dispose` would send that to a closing socket.
    unsubscribe();
  };
}

/** Waits for about this time: not all pages come back at once. */
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds * (0.5 + Math.random())));
