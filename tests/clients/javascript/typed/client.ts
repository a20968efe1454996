// Documents of graphql-codegen, sent as text, or by their hashes to a server that executes nothing else.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { createClient, type RequestParams } from 'graphql-sse';
import { print } from 'graphql';
import { FILE_INPUT, LANE, PRICES, UNKNOWN_LANE, createFile, describe, readPages, report, url } from '../scenario.mjs';
import type { PageQueryVariables, ProgressSubscription } from './gql/graphql.js';
import { averages, batchNode, page, progress, revert, upload, uploadFile } from './operations.js';

declare const process: { argv: string[] };
const isRegistered = process.argv[3] === 'registered';

const findHash = (document: unknown) => (document as { __meta__: { hash: string } }).__meta__.hash;
const reference = (document: TypedDocumentNode<any, any>) =>
  isRegistered ? { documentId: findHash(document) } : { query: print(document) };

/** In JSON, a file is null; its content is another part of the form. */
const encode = (value: unknown) => JSON.stringify(value, (_, member) => (member instanceof File ? null : member));
const failures: unknown[] = [];

const send = async <Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  file?: File,
): Promise<Data> => {
  const operations = encode({ ...reference(document), variables });
  const headers = new Headers({ Accept: 'application/graphql-response+json, application/json' });
  let body: BodyInit = operations;
  if (file) {
    headers.set('GraphQL-Require-Preflight', '1');
    body = new FormData();
    body.set('operations', operations);
    body.set('map', JSON.stringify({ file: ['variables.file'] }));
    body.set('file', file);
  } else {
    headers.set('Content-Type', 'application/json');
  }
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body });
  const { data, errors = [] } = await response.json();
  failures.push(...describe(errors));
  return data;
};

const before = await send(averages, LANE);
const uploaded = await send(upload, { input: PRICES });
const file = createFile();
const sent = await send(uploadFile, { file, input: FILE_INPUT }, file);
const { id, ...batch } = sent.uploadPriceFile!.batch!;

const progressed: unknown[] = [];
const events = createClient({ url: `${url}/graphql` });
const subscription = { ...reference(progress), variables: { id } } as RequestParams;
for await (const { data } of events.iterate<ProgressSubscription>(subscription)) progressed.push(data!.batchProgress);

const after = await send(averages, LANE);
const pages = await readPages((variables: PageQueryVariables) => send(page, variables));
const { node } = await send(batchNode, { id });
// The type of the union's member has a date as text, because `scalars` says so.
const refetched = node?.__typename === 'PriceBatch' && node.createdAt.startsWith('20') ? node.status : undefined;
const { revertBatch } = await send(revert, { id });
await send(averages, UNKNOWN_LANE);

report({
  before: before.averagePrices,
  uploaded: uploaded.uploadPrices,
  sent: { batch, userErrors: sent.uploadPriceFile!.userErrors },
  progress: progressed,
  after: after.averagePrices,
  pages,
  refetched,
  reverted: revertBatch?.batch?.status,
  failed: failures,
});
