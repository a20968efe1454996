// Relay's runtime with documents that its compiler generated from `relay/`. Subscriptions go over WebSocket. The second argument
// is the folder of the documents: with their texts, or with their IDs for a server that executes registered documents only.
//
// A build with Relay's Babel plugin replaces the tagged templates by the compiled documents. Node.js loads them by name.
import { createRequire } from 'node:module';
import { createClient } from 'graphql-ws';
import relay from 'relay-runtime';
import WebSocket from 'ws';
import { FILE_INPUT, LANE, PRICES, UNKNOWN_LANE, createFile, describe, report, url } from './scenario.mjs';

const {
  Environment, Network, Observable, RecordSource, Store, commitMutation, createOperationDescriptor, fetchQuery, getRequest,
  getSelector, requestSubscription,
} = relay;
const require = createRequire(import.meta.url);
const load = (name) => require(`./relay/${process.argv[3]}/${name}.graphql.js`);

const errors = [];

// The compiler sets `id` instead of `text` if it writes a manifest.
const reference = ({ id, text }) => (id ? { documentId: id } : { query: text });

const createBody = (request, variables, uploadables) => {
  const operations = JSON.stringify({ ...reference(request), variables });
  if (!uploadables) return operations;
  const form = new FormData();
  const names = Object.keys(uploadables);
  form.set('operations', operations);
  form.set('map', JSON.stringify(Object.fromEntries(names.map((name) => [name, [`variables.${name}`]]))));
  for (const name of names) form.set(name, uploadables[name]);
  return form;
};

const fetchOperation = async (request, variables, _cacheConfig, uploadables) => {
  const headers = uploadables ? { 'GraphQL-Require-Preflight': '1' } : { 'Content-Type': 'application/json' };
  const body = createBody(request, variables, uploadables);
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { Accept: 'application/graphql-response+json, application/json', ...headers },
    body,
  });
  const payload = await response.json();
  // Relay itself ignores errors next to data.
  errors.push(...(payload.errors ?? []));
  return payload;
};

const sockets = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
// graphql-ws requires the property `query`.
const subscribe = (request, variables) =>
  Observable.create((sink) => sockets.subscribe({ query: '', ...reference(request), variables }, sink));

const environment = new Environment({
  network: Network.create(fetchOperation, subscribe),
  store: new Store(new RecordSource()),
});

const query = (name, variables) => fetchQuery(environment, load(name), variables).toPromise();
const mutate = (name, variables, uploadables) =>
  new Promise((resolve, reject) => {
    commitMutation(environment, { mutation: load(name), variables, uploadables, onCompleted: resolve, onError: reject });
  });
const readCache = (name, variables) =>
  environment.lookup(createOperationDescriptor(getRequest(load(name)), variables).fragment).data;

const before = await query('ScenarioAveragesQuery', LANE);
const { uploadPrices: { batch: { id: _, ...uploaded }, ...payload } } = await mutate('ScenarioUploadMutation', { input: PRICES });
const sent = await mutate('ScenarioUploadFileMutation', { file: null, input: FILE_INPUT }, { file: createFile() });
const { batch: { id, ...batch }, userErrors } = sent.uploadPriceFile;

const progress = [];
await new Promise((onCompleted, onError) => {
  const onNext = ({ batchProgress }) => progress.push(batchProgress);
  requestSubscription(environment, {
    subscription: load('ScenarioProgressSubscription'), variables: { id }, onNext, onCompleted, onError,
  });
});

const after = await query('ScenarioAveragesQuery', LANE);

// The result of a mutation updates the batch in the store, wherever it was read from.
const refetched = (await query('ScenarioNodeQuery', { id })).node.status;
const reverted = (await mutate('ScenarioRevertMutation', { id })).revertBatch.batch.status;
const cached = readCache('ScenarioNodeQuery', { id }).node.status;

const unexpected = errors.length;
await query('ScenarioAveragesQuery', UNKNOWN_LANE);
const failed = describe(errors.slice(unexpected));

// A batch with two lanes and two invalid items, so that each connection has more than one page.
const prices = [['CNSGH', 'NLRTM'], ['NLRTM', 'CNSGH'], ['XXXXX', 'NLRTM'], ['YYYYY', 'NLRTM']].map(
  ([origin, destination]) => ({ origin, destination, dateFrom: '2024-02-01', price: 1 }),
);
const mixed = await mutate('ScenarioUploadMutation', { input: { prices, waitMs: 20_000, onError: 'SKIP_INVALID' } });
const mixedId = mixed.uploadPrices.batch.id;

/** Pages through a connection as `usePaginationFragment` does, forward from its start and backward from its end. */
const readConnection = async (name, owner) => {
  const fragment = load(name);
  const { operation } = fragment.metadata.refetch;
  const readList = (data) => environment.lookup(getSelector(fragment, data.node ?? data)).data.list;
  const data = await fetchQuery(environment, operation, { ...owner, first: 1 }).toPromise();
  let list = readList(data);
  while (list.pageInfo.hasNextPage) {
    await fetchQuery(environment, operation, { ...owner, first: 1, after: list.pageInfo.endCursor }).toPromise();
    list = readList(data);
  }
  const forward = list.edges.map(({ node }) => node);
  const last = await fetchQuery(environment, operation, { ...owner, last: 1 }).toPromise();
  list = readList(last);
  while (list.pageInfo.hasPreviousPage) {
    await fetchQuery(environment, operation, { ...owner, last: 1, before: list.pageInfo.startCursor }).toPromise();
    list = readList(last);
  }
  return { forward, backward: list.edges.map(({ node }) => node) };
};

const connections = {
  locations: await readConnection('Connections_locations', {}),
  batches: await readConnection('Connections_batches', {}),
  lanes: await readConnection('Connections_lanes', { id: mixedId }),
  rejections: await readConnection('Connections_rejections', { id: mixedId }),
};

await sockets.dispose();
report({
  before: before.averagePrices,
  uploaded: { batch: uploaded, ...payload },
  sent: { batch, userErrors },
  progress,
  after: after.averagePrices,
  refetched,
  reverted,
  cached,
  failed,
  unexpected,
  connections,
});
