import { createClient } from 'graphql-ws';

/**
 * Subscribes by a WebSocket of its own, and again whenever the connection was lost: events may then have been missed. Returns
 * a function that ends this.
 */
export function subscribe(
  query: string,
  variables: Record<string, unknown>,
  headers: Record<string, string>,
  onChange: () => void,
  onReconnect: () => void,
): () => void {
  let connections = 0;
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
    },
  });
  // Without the subscription the page works; its figures are then those of the last question.
  client.subscribe({ query, variables }, { next: onChange, error: () => undefined, complete: () => undefined });
  return () => void client.dispose();
}
