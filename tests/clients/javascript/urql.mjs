// @urql/core with its default exchanges. The second argument is the package, as there are two versions.
import {
  AVERAGES, FILE_INPUT, FORM_HEADERS, LANE, NODE, PAGE, PRICES, PROGRESS, REFUSED, REVERT, UNKNOWN_LANE, UPLOAD, UPLOAD_FILE,
  createFile, describe, readPages, report, url,
} from './scenario.mjs';

const { Client, cacheExchange, fetchExchange } = await import(process.argv[3]);

const read = ({ data, error }) => {
  if (error) throw error;
  return data;
};

const statuses = [];
const send = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const response = await send(...request);
  statuses.push([request[1].method, response.headers.get('content-type').split(';')[0], response.headers.has('etag')]);
  return response;
};
const client = new Client({
  url: `${url}/graphql`,
  exchanges: [cacheExchange, fetchExchange],
  fetchSubscriptions: true,
  preferGetMethod: false,
});
const byGet = { preferGetMethod: true, requestPolicy: 'network-only' };

const before = read(await client.query(AVERAGES, LANE).toPromise());
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
    // At the end of the stream the client repeats the last result.
    else if (hasNext) progress.push(data.batchProgress);
    else resolve();
  });
});

const after = read(await client.query(AVERAGES, LANE, byGet).toPromise());
const pages = await readPages(async (variables) => read(await client.query(PAGE, variables).toPromise()));
const { node: { status } } = read(await client.query(NODE, { id }).toPromise());
const reverted = read(await client.mutation(REVERT, { id }).toPromise()).revertBatch.batch.status;
const failed = await client.query(AVERAGES, UNKNOWN_LANE).toPromise();
const refused = await client.query(REFUSED, {}).toPromise();

report({
  before: before.averagePrices,
  uploaded: uploaded.uploadPrices,
  sent: { batch, userErrors },
  progress,
  after: after.averagePrices,
  pages,
  refetched: status,
  reverted,
  failed: describe(failed.error.graphQLErrors),
  refused: describe(refused.error.graphQLErrors),
  statuses,
});
