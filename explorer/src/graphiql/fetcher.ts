import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { type DocumentNode, Kind, type OperationDefinitionNode, parse } from 'graphql';

/** Sends queries by POST and subscriptions over a WebSocket, both to this server. */
export function createFetcher(): Fetcher {
  const url = new URL('/graphql', location.href);
  const subscriptionUrl = new URL(url);
  subscriptionUrl.protocol = url.protocol.replace('http', 'ws');
  const send = createGraphiQLFetcher({ url: url.href, subscriptionUrl: subscriptionUrl.href });
  return (parameters, options) => {
    // Just after a change of tabs, GraphiQL still passes the operation name of the previous tab.
    const current = onlyOperation(parameters.query);
    if (!current) return send(parameters, options);
    const { document, operation } = current;
    // Without a name GraphiQL's fetcher would take a subscription for a query.
    const named = { ...parameters, operationName: operation.name?.value as string };
    return send(named, { ...options, documentAST: document });
  };
}

function onlyOperation(query: string): { document: DocumentNode; operation: OperationDefinitionNode } | null {
  try {
    const document = parse(query);
    const operations = document.definitions.filter((each) => each.kind === Kind.OPERATION_DEFINITION);
    const [operation] = operations;
    return operation && operations.length === 1 ? { document, operation } : null;
  } catch {
    // The server explains syntax errors.
    return null;
  }
}
