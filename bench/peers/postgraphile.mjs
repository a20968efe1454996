// PostGraphile over the function `average_prices` of one schema, without GraphiQL, WebSockets and per-request settings.

import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { postgraphile } from "postgraphile";
import { serve } from "./serve.mjs";

// Names the list `averagePrices`, as the other servers do, instead of `averagePricesList`.
const names = {
  name: "BenchNames",
  version: "1.0.0",
  inflection: { replace: { listField: (_previous, _options, name) => name } },
};

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [names],
  pgServices: [
    makePgService({
      connectionString: process.env.DATABASE_URL,
      schemas: [process.env.PEER_SCHEMA],
      poolConfig: { max: Number(process.env.POOL_SIZE) },
      pubsub: false,
    }),
  ],
  grafserv: { graphiql: false, websockets: false, outputDataAsString: true },
};

await serve(async (port) => {
  const server = createServer();
  const instance = postgraphile(preset).createServ(grafserv);
  await instance.addTo(server);
  await instance.ready();
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  return server.address().port;
});
