import { graphql } from '../gql';
import type { ExampleDataQuery } from '../gql/graphql';
import { request } from '../frame/api';

/** A tab of GraphiQL. */
export interface Example {
  query: string;
  variables?: string;
}

interface Lane {
  origin: string;
  destination: string;
}

const EXAMPLE_DATA = graphql(`
  query ExampleData {
    dataPeriod {
      lastDay
      hasDemoData
    }
    lanes(first: 2) {
      edges {
        node {
          origin {
            key
          }
          destination {
            key
          }
        }
      }
    }
  }
`);
const DEMO_LANES: [Lane, Lane] = [
  { origin: 'china_main', destination: 'north_europe_main' },
  { origin: 'CNSGH', destination: 'USLAX' },
];
const TIMEOUT_MS = 2_000;

/** The examples, with a day and lanes for which this server has prices; or those of the demo data if the server does not respond in time. */
export async function createExamples(): Promise<Example[]> {
  try {
    const data = await request(EXAMPLE_DATA, {}, AbortSignal.timeout(TIMEOUT_MS));
    return examplesFor(data.dataPeriod?.lastDay ?? today(), data.dataPeriod?.hasDemoData ? DEMO_LANES : lanesOf(data));
  } catch {
    return examplesFor(today(), DEMO_LANES);
  }
}

function lanesOf(data: ExampleDataQuery): [Lane, Lane] {
  const lanes = (data.lanes?.edges ?? []).flatMap(({ node }) =>
    node.origin && node.destination ? [{ origin: node.origin.key, destination: node.destination.key }] : [],
  );
  const [first = DEMO_LANES[0], second = first] = lanes;
  return [first, second];
}

function examplesFor(lastDay: string, [lane, other]: [Lane, Lane]): Example[] {
  // The dates of the first tab stand in its text: GraphiQL 5 ignores the variables of the first default tab.
  return [
    {
      query: `# The average of all prices of each day.
# Press Ctrl-Enter to run it.
query Averages {
  averagePrices(
    dateFrom: "${daysBefore(lastDay, 13)}"
    dateTo: "${lastDay}"
    origin: "${lane.origin}"
    destination: "${lane.destination}"
  ) {
    day
    averagePrice
    priceCount
  }
}`,
    },
    {
      query: `# Several lanes by week, in any currency.
# A lane with too few prices falls back
# to the next larger market.
query TwoLanes($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $currency: String!) {
  priceSeries(
    lanes: $lanes
    dateFrom: $from
    dateTo: $to
    interval: WEEK
    currency: $currency
    fallback: { coverage: 0.5 }
  ) {
    from
    lanes {
      origin {
        name
      }
      destination {
        name
      }
      averages
      counts
      lows
      highs
    }
    downloadUrl(format: CSV)
  }
}`,
      variables: json({ lanes: [lane, other], from: daysBefore(lastDay, 83), to: lastDay, currency: 'EUR' }),
    },
    {
      query: `# Ports and regions by name or code. Their
# keys are arguments of other queries.
query Search($text: String!) {
  locations(search: $text, first: 10) {
    totalCount
    edges {
      node {
        __typename
        key
        name
        ancestors {
          name
        }
      }
    }
  }
}`,
      variables: json({ text: 'china' }),
    },
    {
      query: `# The latest uploads, and their problems.
query Batches {
  batches(first: 5) {
    edges {
      node {
        number
        status
        source
        itemCount
        acceptedCount
        rejectedCount
        createdAt
        rejections(first: 3) {
          edges {
            node {
              item
              field
              code
              message
            }
          }
        }
        rejectionsUrl
      }
    }
  }
}`,
    },
    {
      query: `# What an upload would change.
# With dryRun nothing is stored.
mutation UploadDryRun($input: UploadPricesInput!) {
  uploadPrices(input: $input) {
    preview {
      status
      acceptedCount
      rejectedCount
      newAverageCount
      changes {
        day
        averageBefore
        averageAfter
      }
    }
    userErrors {
      item
      field
      code
      message
    }
  }
}`,
      variables: json({
        input: {
          dryRun: true,
          onError: 'SKIP_INVALID',
          prices: [
            { origin: 'CNSGH', destination: 'NLRTM', dateFrom: lastDay, price: 2100 },
            { origin: 'CNSGH', destination: 'NLRTM', dateFrom: lastDay, price: '1980.50', currency: 'EUR' },
            { origin: 'CNSGH', destination: 'NLXXX', dateFrom: lastDay, price: 2100 },
          ],
        },
      }),
    },
    {
      query: `# Each batch that changes prices of the
# lane, as it happens, until you stop it.
subscription Watch($origin: String!, $destination: String!) {
  pricesChanged(origin: $origin, destination: $destination) {
    status
    firstDay
    lastDay
    batch {
      number
    }
  }
}`,
      variables: json({ ...lane }),
    },
  ];
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);

const today = (): string => new Date().toISOString().slice(0, 10);

function daysBefore(day: string, count: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - count);
  return date.toISOString().slice(0, 10);
}
