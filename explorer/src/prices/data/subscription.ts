import { createClient } from 'graphql-ws';

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
