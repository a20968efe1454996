// Monthly averages of lanes as a table, with urql and types generated from schema.graphql.
//
// The first argument of `client.query` is a typed document, so variables and results need no types of their own. Errors are
// handled by their codes: a lane with an unknown location is null and is reported, any other error ends the program.
//
// Usage: npm run series -- [ORIGIN:DESTINATION ...]
import { Client, type CombinedError, fetchExchange } from '@urql/core';
import type { LaneInput } from './gql/graphql.js';
import { graphql } from './gql/index.js';

const { RATESGRAPH_URL: url = 'http://127.0.0.1:8000', RATESGRAPH_TOKEN: token } = process.env;
const DEFAULT_LANES = ['CNSGH:NLRTM', 'china_main:north_europe_main'];
const MONTHS = 12;

const PERIOD = graphql(`
  query Period {
    dataPeriod {
      lastDay
    }
  }
`);

const SERIES = graphql(`
  query Series($lanes: [LaneInput!]!, $dateFrom: Date!, $dateTo: Date!) {
    priceSeries(lanes: $lanes, dateFrom: $dateFrom, dateTo: $dateTo, interval: MONTH) {
      currency
      from
      lanes {
        averages
        p25: percentile(at: 25)
        p75: percentile(at: 75)
        counts
      }
    }
  }
`);

const client = new Client({
  url: `${url}/graphql`,
  exchanges: [fetchExchange],
  preferGetMethod: false,
  fetchOptions: { headers: token ? { Authorization: `Bearer ${token}` } : {} },
});

/** Report all errors. Exit on one that concerns more than a lane. */
const check = (error: CombinedError | undefined) => {
  if (!error) return;
  for (const { message, extensions } of error.graphQLErrors) console.error(`${extensions.code}: ${message}`);
  if (error.networkError) console.error(error.message);
  const concernsLanes = error.graphQLErrors.every(({ extensions }) => extensions.code === 'UNKNOWN_LOCATION');
  if (error.networkError || !concernsLanes) process.exit(1);
};

const parseLane = (text: string): LaneInput => {
  const [origin = '', destination = ''] = text.split(':');
  return { origin, destination };
};

const names = process.argv.length > 2 ? process.argv.slice(2) : DEFAULT_LANES;
const period = await client.query(PERIOD, {});
check(period.error);
const lastDay = period.data?.dataPeriod?.lastDay;
if (!lastDay) {
  console.error('The server has no prices yet.');
  process.exit(1);
}
const first = new Date(`${lastDay.slice(0, 7)}-01`);
first.setUTCMonth(first.getUTCMonth() - MONTHS + 1);
const variables = { lanes: names.map(parseLane), dateFrom: first.toISOString().slice(0, 10), dateTo: lastDay };
const { data, error } = await client.query(SERIES, variables);
check(error);

data?.priceSeries?.lanes.forEach((lane, position) => {
  if (!lane) return;
  const { from, currency } = data.priceSeries!;
  console.log(`${names[position]} (${currency})`);
  const { averages, p25, p75, counts } = lane;
  const row = (n: number) => ({ average: averages[n], p25: p25?.[n], p75: p75?.[n], prices: counts[n] });
  console.table(Object.fromEntries(from.map((day, n) => [day.slice(0, 7), row(n)])));
});
