// Mercurius with its query compiler. It calls the function `average_prices` of one schema with a prepared statement.

import fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
import { serve } from "./serve.mjs";

const DATE = 1082; // The type's OID in PostgreSQL; dates are passed through as text.
pg.types.setTypeParser(DATE, (text) => text);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_SIZE) });

const schema = `
  scalar Date
  type DailyAverage { day: Date!, averagePrice: Float, priceCount: Int! }
  type Query {
    averagePrices(dateFrom: Date!, dateTo: Date!, origin: String!, destination: String!): [DailyAverage!]
  }
`;
const text = `
  SELECT day, average_price AS "averagePrice", price_count AS "priceCount"
  FROM ${process.env.PEER_SCHEMA}.average_prices($1, $2, $3, $4)
`;
const resolvers = {
  Query: {
    averagePrices: async (_root, { dateFrom, dateTo, origin, destination }) =>
      (await pool.query({ name: "average_prices", text, values: [dateFrom, dateTo, origin, destination] })).rows,
  },
};

await serve(async (port) => {
  const app = fastify();
  app.register(mercurius, { schema, resolvers, jit: 1, graphiql: false });
  await app.listen({ port, host: "127.0.0.1" });
  return app.server.address().port;
});
