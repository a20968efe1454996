// Apollo Client with its normalized cache, persisted queries over GET, uploads, and subscriptions over WebSocket.
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, InMemoryCache, gql } from '@apollo/client/core';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import {
  AVERAGES, FILE_INPUT, LANE, NODE, PAGE, PRICES, PROGRESS, REFUSED, REVERT, UNKNOWN_LANE, UPLOAD, UPLOAD_FILE, createFile,
  describe, readPages, report, url,
} from './scenario.mjs';

const sentByGet = new Set();
const send = globalThis.fetch;
globalThis.fetch = (target, options) => {
  if (options.method === 'GET') sentByGet.add(new URL(target).searchParams.has('query') ? 'text' : 'hash');
  return send(target, options);
};

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const http = new UploadHttpLink({ uri: `${url}/graphql`, headers: { 'GraphQL-Require-Preflight': '1' } });
const sockets = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });

const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(sockets),
    new PersistedQueryLink({ sha256, useGETForHashedQueries: true }).concat(http),
  ),
  cache: new InMemoryCache({
    // Fragments on an interface match the types that implement it.
    possibleTypes: { Location: ['Port', 'Region'], Node: ['Port', 'PriceBatch', 'Region'] },
    typePolicies: {
      Query: { fields: { locations: relayStylePagination(['search', 'kind']), batches: relayStylePagination(['status']) } },
      PriceBatch: { fields: { lanes: relayStylePagination(), rejections: relayStylePagination() } },
    },
  }),
});

const query = async (text, variables, fetchPolicy = 'network-only') =>
  (await client.query({ query: gql(text), variables, fetchPolicy })).data;
const mutate = async (text, variables) => (await client.mutate({ mutation: gql(text), variables })).data;
const findErrors = (error) => {
  if (!CombinedGraphQLErrors.is(error)) throw error;
  return describe(error.errors);
};

const before = await query(AVERAGES, LANE);
const uploaded = await mutate(UPLOAD, { input: PRICES });
const { batch: { id, ...batch }, userErrors } = (await mutate(UPLOAD_FILE, { file: createFile(), input: FILE_INPUT })).uploadPriceFile;

const progress = [];
await new Promise((complete, error) => {
  const next = ({ data }) => progress.push(data.batchProgress);
  client.subscribe({ query: gql(PROGRESS), variables: { id } }).subscribe({ next, error, complete });
});

// A malformed operation ends with its error. The others on the socket continue, so the client does not connect again.
let connections = 0;
sockets.on('connecting', () => { connections += 1; });
const run = (payload) => new Promise((resolve) => {
  const results = [];
  sockets.subscribe(payload, { next: (result) => results.push(result.data), error: resolve, complete: () => resolve(results) });
});
const [malformed, unnamed] = await Promise.all([
  run({ query: '{' }).then(describe),
  run({ query: '{ kind: __typename }', operationName: '', variables: null }),
]);

const after = await query(AVERAGES, LANE);
const pages = await readPages((variables) => query(PAGE, variables, 'no-cache'));

// The cache merges both pages into one list.
const forward = await query(PAGE, { first: 3 });
await query(PAGE, { first: 3, after: forward.locations.pageInfo.endCursor });
const merged = await query(PAGE, { first: 3 }, 'cache-only');

// The result of a mutation updates the batch in the cache, wherever it was read from.
const refetched = (await query(NODE, { id })).node.status;
const reverted = (await mutate(REVERT, { id })).revertBatch.batch.status;
const cached = (await query(NODE, { id }, 'cache-only')).node.status;

const failed = await query(AVERAGES, UNKNOWN_LANE).catch(findErrors);
const refused = await query(REFUSED).catch(findErrors);

await sockets.dispose();
report({
  before: before.averagePrices,
  uploaded: uploaded.uploadPrices,
  sent: { batch, userErrors },
  progress,
  after: after.averagePrices,
  pages,
  merged: merged.locations.edges.map(({ node }) => node.key),
  refetched,
  reverted,
  cached,
  failed,
  refused,
  sentByGet: [...sentByGet],
  malformed,
  unnamed,
  connections,
});
