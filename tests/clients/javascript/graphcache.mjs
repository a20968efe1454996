// urql with its normalized cache, with the schema, persisted queries over GET, and subscriptions over WebSocket.
import { readFile } from 'node:fs/promises';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { persistedExchange } from '@urql/exchange-persisted';
import { buildSchema, introspectionFromSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import {
  AVERAGES, FILE_INPUT, FORM_HEADERS, LANE, NODE, PAGE, PRICES, PROGRESS, REFUSED, REVERT, UNKNOWN_LANE, UPLOAD, UPLOAD_FILE, createFile,
  describe, report, url,
} from './scenario.mjs';

const sentByGet = new Set();
const send = globalThis.fetch;
globalThis.fetch = (target, options) => {
  if (options.method === 'GET') sentByGet.add(new URL(target).searchParams.has('query') ? 'text' : 'hash');
  return send(target, options);
};

const schema = introspectionFromSchema(buildSchema(await readFile('schema.graphql', 'utf8')));
// Objects without an identity, such as averages, belong to the field that returned them.
const withoutId = schema.__schema.types.filter(
  ({ kind, fields }) => kind === 'OBJECT' && !fields.some(({ name }) => name === 'id'),
);
const sockets = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });

// The cache cannot know which averages an upload changes.
const dropAverages = (_result, _variables, cache) => {
  for (const { fieldName, arguments: variables } of cache.inspectFields('Query')) {
    if (fieldName === 'averagePrices') cache.invalidate('Query', fieldName, variables);
  }
};

const client = new Client({
  url: `${url}/graphql`,
  exchanges: [
    cacheExchange({
      schema,
      keys: Object.fromEntries(withoutId.map(({ name }) => [name, () => null])),
      resolvers: {
        Query: { locations: relayPagination(), batches: relayPagination() },
        PriceBatch: { lanes: relayPagination(), rejections: relayPagination() },
      },
      updates: { Mutation: { uploadPrices: dropAverages, uploadPriceFile: dropAverages, revertBatch: dropAverages } },
    }),
    // Queries go out as hashes by GET.
    persistedExchange({ preferGetForPersistedQueries: true }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});

const read = ({ data, error }) => {
  if (error) throw error;
  return data;
};
const query = async (text, variables, requestPolicy = 'network-only') =>
  read(await client.query(text, variables, { requestPolicy }).toPromise());

const before = await query(AVERAGES, LANE);
const uploaded = read(await client.mutation(UPLOAD, { input: PRICES }).toPromise());
const upload = client.mutation(
  UPLOAD_FILE,
  { file: createFile(), input: FILE_INPUT },
  { fetchOptions: { headers: FORM_HEADERS } },
);
const { batch: { id, ...batch }, userErrors } = read(await upload.toPromise()).uploadPriceFile;

const progress = [];
await new Promise((resolve, reject) => {
  client.subscription(PROGRESS, { id }).subscribe(({ data, error, hasNext }) => {
    if (error) reject(error);
    else if (hasNext) progress.push(data.batchProgress);
    else resolve();
  });
});

// The uploads removed the averages from the cache.
const after = await query(AVERAGES, LANE, 'cache-first');

// The cache merges the pages of a connection into one list.
let { locations: page } = await query(PAGE, { first: 3 });
while (page.pageInfo.hasNextPage) {
  ({ locations: page } = await query(PAGE, { first: 3, after: page.pageInfo.endCursor }));
}

// The result of a mutation updates the batch in the cache, wherever it was read from.
const refetched = (await query(NODE, { id })).node.status;
const reverted = read(await client.mutation(REVERT, { id }).toPromise()).revertBatch.batch.status;
const cached = (await query(NODE, { id }, 'cache-only')).node.status;

const failed = await client.query(AVERAGES, UNKNOWN_LANE).toPromise();
const refused = await client.query(REFUSED, {}).toPromise();

await sockets.dispose();
report({
  before: before.averagePrices,
  uploaded: uploaded.uploadPrices,
  sent: { batch, userErrors },
  progress,
  after: after.averagePrices,
  merged: page.edges.map(({ node }) => node.key),
  refetched,
  reverted,
  cached,
  failed: describe(failed.error.graphQLErrors),
  refused: describe(refused.error.graphQLErrors),
  sentByGet: [...sentByGet],
});
