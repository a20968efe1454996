import { graphql } from '../../gql';

/** What the page needs before its first chart. */
export const OVERVIEW = graphql(`
  query Overview {
    dataPeriod {
      firstDay
      lastDay
      priceCount
      hasDemoData
    }
  }
`);

/** Lanes that have prices, to begin with. */
export const PRICED_LANES = graphql(`
  query PricedLanes {
    lanes(first: 100) {
      edges {
        node {
          origin {
            key
            name
            parent {
              key
              name
            }
          }
          destination {
            key
            name
            parent {
              key
              name
            }
          }
          lastDay
          averageDays
        }
      }
    }
  }
`);

/** Averages and counts of all lanes: fast for any region. */
export const SERIES = graphql(`
  query Series(
    $lanes: [LaneInput!]!
    $from: Date!
    $to: Date!
    $interval: Interval!
    $currency: String!
    $fallback: FallbackInput
  ) {
    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {
      currency
      interval
      from
      to
      partial
      lanes {
        askedOrigin {
          key
          name
        }
        askedDestination {
          key
          name
        }
        origin {
          key
          name
        }
        destination {
          key
          name
        }
        originLevelsUp
        destinationLevelsUp
        counts
        averages
        nullReasons
      }
      csv: downloadUrl(format: CSV)
      parquet: downloadUrl(format: PARQUET)
    }
  }
`);

/** The range of one lane. It costs more than averages, so the chart is drawn first. */
export const RANGE = graphql(`
  query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {
    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency) {
      from
      lanes {
        lows
        p25: percentile(at: 25)
        p75: percentile(at: 75)
        highs
        statisticsError
      }
    }
  }
`);

/** The narrowest larger market with enough prices for a lane. */
export const MARKET = graphql(`
  query Market(
    $lanes: [LaneInput!]!
    $from: Date!
    $to: Date!
    $interval: Interval!
    $currency: String!
    $fallback: FallbackInput!
  ) {
    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {
      lanes {
        origin {
          key
          name
        }
        destination {
          key
          name
        }
        originLevelsUp
        destinationLevelsUp
        sufficient
        counts
      }
    }
  }
`);

export const PLACES = graphql(`
  query Places($search: String!) {
    locations(search: $search, first: 12) {
      edges {
        node {
          __typename
          key
          name
          ancestors {
            key
            name
          }
        }
      }
    }
  }
`);

/** The ports that have prices from an origin, or to a destination. */
export const PARTNERS = graphql(`
  query Partners($origin: String, $destination: String) {
    lanes(origin: $origin, destination: $destination, first: 500) {
      pageInfo {
        hasNextPage
      }
      edges {
        node {
          averageDays
          origin {
            __typename
            key
            name
            ancestors {
              key
              name
            }
          }
          destination {
            __typename
            key
            name
            ancestors {
              key
              name
            }
          }
        }
      }
    }
  }
`);

export const PRICES_CHANGED = graphql(`
  subscription PricesChanged($lanes: [LaneInput!]!) {
    pricesChanged(lanes: $lanes) {
      status
    }
  }
`);
