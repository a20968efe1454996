// graphql-request, with graphql-sse for subscriptions and a form of its own for files, which it does not send.
import { ClientError, GraphQLClient } from 'graphql-request';
import { createClient } from 'graphql-sse';
import {
  AVERAGES, FILE_INPUT, LANE, NODE, PAGE, PRICES, PROGRESS, REFUSED, REVERT, UNKNOWN_LANE, UPLOAD, UPLOAD_FILE,
  createFile, describe, readPages, report, url,
} from './scenario.mjs';

const client = new GraphQLClient(`${url}/graphql`);
// A GET query needs this header, because a link or an image could have sent it otherwise.
const getClient = new GraphQLClient(`${url}/graphql`, {
  method: 'GET',
  headers: { 'GraphQL-Require-Preflight': '1' },
});
// `singleConnection: false` is the default: one request for each subscription, the "distinct connections mode".
const events = createClient({ url: `${url}/graphql`, singleConnection: false });

const sendFile = async (query, variables, file) => {
  const form = new FormData();
  form.set('operations', JSON.stringify({ query, variables: { ...variables, file: null } }));
  form.set('map', JSON.stringify({ 0: ['variables.file'] }));
  form.set('0', file);
  const headers = { Accept: 'application/json', 'GraphQL-Require-Preflight': '1' };
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: form });
  return response.json();
};

const findErrors = (error) => {
  if (!(error instanceof ClientError)) throw error;
  return describe(error.response.errors);
};

const before = await client.request(AVERAGES, LANE);
const uploaded = await client.request(UPLOAD, { input: PRICES });
const { data: sent } = await sendFile(UPLOAD_FILE, { input: FILE_INPUT }, createFile());
const { batch: { id, ...batch }, userErrors } = sent.uploadPriceFile;

const progress = [];
for await (const { data } of events.iterate({ query: PROGRESS, variables: { id } })) progress.push(data.batchProgress);

const after = await getClient.request(AVERAGES, LANE);
const pages = await readPages((variables) => client.request(PAGE, variables));
const refetched = (await client.request(NODE, { id })).node.status;
const reverted = (await client.request(REVERT, { id })).revertBatch.batch.status;
const failed = await client.request(AVERAGES, UNKNOWN_LANE).catch(findErrors);
const refused = await client.request(REFUSED).catch(findErrors);

report({
  before: before.averagePrices,
  uploaded: uploaded.uploadPrices,
  sent: { batch, userErrors },
  progress,
  after: after.averagePrices,
  pages,
  refetched,
  reverted,
  failed,
  refused,
});
