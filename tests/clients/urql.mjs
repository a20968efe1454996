// @urql/core with its default exchanges. The second argument is the package, as there are two versions.
import {
  AVERAGES, FILE_INPUT, FORM_HEADERS, LANE, PRICES, PROGRESS, REFUSED, UPLOAD, UPLOAD_FILE, createFile, report, url,
} from './scenario.mjs';

const { Client, cacheExchange, fetchExchange } = await import(process.argv[3]);

const read = ({ data, error }) => {
  if (error) throw error;
  return data;
};

const statuses = [];
const fetchAndRecord = async (...request) => {
  const response = await fetch(...request);
  statuses.push([request[1].method, response.headers.get('content-type').split(';')[0], response.headers.has('etag')]);
  return response;
};
const options = { url: `${url}/graphql`, exchanges: [cacheExchange, fetchExchange], fetch: fetchAndRecord };
const client = new Client({ ...options, preferGetMethod: false, fetchSubscriptions: true });
const getClient = new Client({ ...options, preferGetMethod: true });

const before = read(await client.query(AVERAGES, LANE).toPromise());
const uploaded = read(await client.mutation(UPLOAD, { input: PRICES }).toPromise());
const sent = await client
  .mutation(UPLOAD_FILE, { file: createFile(), input: FILE_INPUT }, { fetchOptions: { headers: FORM_HEADERS } })
  .toPromise();
const { batch: { id, ...batch }, userErrors } = read(sent).uploadPriceFile;

const progress = [];
await new Promise((resolve, reject) => {
  client.subscription(PROGRESS, { id }).subscribe(({ data, error, hasNext }) => {
    if (error) reject(error);
    // At the end of the stream the client repeats the last result.
    else if (hasNext) progress.push(data.batchProgress);
    else resolve();
  });
});

const after = read(await getClient.query(AVERAGES, LANE).toPromise());
const { error: refused } = await client.query(REFUSED, {}).toPromise();

report({
  before: before.averagePrices,
  uploaded: uploaded.uploadPrices,
  sent: { batch, userErrors },
  progress,
  after: after.averagePrices,
  refused: refused.graphQLErrors.map(({ extensions }) => extensions.code),
  statuses,
});
