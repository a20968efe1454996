// Upload a price file with Apollo Client: try it, apply it, and follow its progress.
//
// A dry run reports what the file would change. The upload then returns at once, and a subscription follows its batch. The
// idempotency key, a hash of the file, makes it safe to run the program again.
//
// Usage: npm run upload -- prices.csv
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ApolloClient, ApolloLink, InMemoryCache } from '@apollo/client/core';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { UploadPriceFileInput } from './gql/graphql.js';
import { graphql } from './gql/index.js';

const { RATESGRAPH_URL: url = 'http://127.0.0.1:8000', RATESGRAPH_TOKEN: token } = process.env;
const authorization: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};

const UPLOAD = graphql(`
  mutation Upload($file: Upload!, $input: UploadPriceFileInput!) {
    uploadPriceFile(file: $file, input: $input) {
      replayed
      batch { id number }
      userErrors { item code message }
      preview { itemCount changes { origin { code } destination { code } day averageBefore averageAfter } }
    }
  }
`);
const PROGRESS = graphql(`
  subscription Progress($id: ID!) { batchProgress(id: $id) { id status progress } }
`);

const sockets = createClient({
  url: `${url.replace('http', 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: authorization,
});
// CSRF protection: a page of another site can make a browser send a form, but not this header.
const headers = { 'GraphQL-Require-Preflight': '1', ...authorization };
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(sockets),
    new UploadHttpLink({ uri: `${url}/graphql`, headers }),
  ),
  cache: new InMemoryCache(),
});

const path = process.argv[2] ?? 'prices.csv';
const content = await readFile(path);
const send = async (input: UploadPriceFileInput) => {
  const variables = { file: new File([content], basename(path)), input };
  const { userErrors, ...payload } = (await client.mutate({ mutation: UPLOAD, variables })).data!.uploadPriceFile!;
  for (const { item, code, message } of userErrors) console.error(`${item ? `item ${item}` : path}: ${code}: ${message}`);
  if (userErrors.length) process.exit(1);
  return payload;
};

try {
  const { preview } = await send({ dryRun: true });
  console.log(`${preview!.itemCount} valid ${preview!.itemCount === 1 ? 'item' : 'items'}. Largest changes:`);
  for (const { day, averageBefore, averageAfter, origin, destination } of preview!.changes)
    console.log(`${day} ${origin.code} → ${destination.code}: ${averageBefore ?? '–'} → ${averageAfter}`);

  const idempotencyKey = createHash('sha256').update(content).digest('hex');
  const { batch, replayed } = await send({ idempotencyKey, waitMs: 0 });
  console.log(`Batch ${batch!.number} ${replayed ? 'was uploaded before' : 'is stored'}.`);
  await client.subscribe({ query: PROGRESS, variables: { id: batch!.id } }).forEach(({ data, error }) => {
    if (error) throw error;
    console.log(`${data!.batchProgress.status}: ${Math.round(data!.batchProgress.progress * 100)}%`);
  });
} catch (error) {
  const errors = CombinedGraphQLErrors.is(error) ? error.errors : [];
  console.error(errors.map(({ extensions, message }) => `${extensions?.code}: ${message}`).join('\n') || String(error));
  process.exitCode = 1;
}
await sockets.dispose();
