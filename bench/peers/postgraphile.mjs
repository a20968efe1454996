// PostGraphile over the function `average_prices` of one schema: without GraphiQL, websockets and settings per request.

import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { postgraphile } from "postgraphile";
import { serve } from "./serve.mjs";

// A list is called `averagePrices`, as everywhere else, instead of `averagePricesList`.
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
