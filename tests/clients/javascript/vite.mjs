// A page behind the dev server of Vite: the headers of a browser, an upload, and a subscription over either protocol.
import { createClient as createEventClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { createServer } from 'vite';
import WebSocket from 'ws';
import { FORM_HEADERS, PROGRESS, UPLOAD_FILE, FILE_INPUT, createFile, report } from './scenario.mjs';

const devServer = await createServer({ configFile: 'vite.config.mjs', logLevel: 'error', server: { port: 0 } });
await devServer.listen();
const origin = `http://localhost:${devServer.httpServer.address().port}`;
const pageHeaders = { Origin: origin, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' };

class PageWebSocket extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { origin });
  }
}

const form = new FormData();
form.set('operations', JSON.stringify({ query: UPLOAD_FILE, variables: { input: FILE_INPUT, file: null } }));
form.set('map', JSON.stringify({ 0: ['variables.file'] }));
form.set('0', createFile());
const response = await fetch(`${origin}/graphql`, { method: 'POST', headers: { ...pageHeaders, ...FORM_HEADERS }, body: form });
const { batch: { id, ...batch }, userErrors } = (await response.json()).data.uploadPriceFile;

const subscription = { query: PROGRESS, variables: { id } };
const collect = async (events) => {
  const results = [];
  for await (const { data } of events) results.push(data.batchProgress);
  return results;
};
const events = createEventClient({ url: `${origin}/graphql`, headers: pageHeaders });
const sockets = createSocketClient({ url: `${origin.replace('http', 'ws')}/graphql`, webSocketImpl: PageWebSocket });
const overEvents = await collect(events.iterate(subscription));
const overSocket = await collect(sockets.iterate(subscription));

await sockets.dispose();
await devServer.close();
report({ sent: { batch, userErrors }, overEvents, overSocket });
