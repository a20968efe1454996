/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** The processing status of a price batch. A batch is QUEUED, then RUNNING, and ends as APPLIED, REJECTED or FAILED. */
export type BatchStatus =
  /** The prices of the batch count. */
  | 'APPLIED'
  /** No price of the batch counts, because of repeated internal errors; `failure` has the reason. */
  | 'FAILED'
  /** The batch is stored and waits for a worker. */
  | 'QUEUED'
  /** No price of the batch counts, because of its items. */
  | 'REJECTED'
  /** The batch was applied, and `revertBatch` has removed its prices. */
  | 'REVERTED'
  /** A worker processes the batch, or will retry it after a failed attempt. */
  | 'RUNNING';

/** How far a lane may be widened until it has enough prices. */
export type FallbackInput = {
  /** Part of the buckets that must have figures, 0 to 1; at least one bucket always must. */
  coverage?: number;
  /** Maximum number of regions up on either side; 1 to 20. */
  maxLevels?: number;
};

/** The length of a bucket. */
export type Interval =
  /** A day. */
  | 'DAY'
  /** A calendar month. */
  | 'MONTH'
  /** A quarter from January, April, July or October. */
  | 'QUARTER'
  /** A week from Monday to Sunday (ISO 8601). */
  | 'WEEK'
  /** A calendar year. */
  | 'YEAR';

/** A lane: a port or region on either side. */
export type LaneInput = {
  /** The code of a port (`CNSGH`), the slug of a region (`north_europe_main`), or an alias or name of only one location (`CNSHA`), whose key is then in `extensions.locationAliases`. */
  destination: string;
  /** The code of a port (`CNSGH`), the slug of a region (`north_europe_main`), or an alias or name of only one location (`CNSHA`), whose key is then in `extensions.locationAliases`. */
  origin: string;
};

/** Why a bucket has no figures; the first reason that applies. */
export type NullReason =
  /** It has fewer prices than the minimum sample. */
  | 'BELOW_MINIMUM_SAMPLE'
  /** It has prices on a day for which the currency has no rate. */
  | 'NO_EXCHANGE_RATE'
  /** It has no prices. */
  | 'NO_PRICES';

export type ExampleDataQueryVariables = Exact<{ [key: string]: never; }>;


export type ExampleDataQuery = { dataPeriod: { lastDay: string | null, hasDemoData: boolean } | null, lanes: { edges: Array<{ node: { origin: { key: string }, destination: { key: string } } }> } | null };

export type OverviewQueryVariables = Exact<{ [key: string]: never; }>;


export type OverviewQuery = { dataPeriod: { firstDay: string | null, lastDay: string | null, priceCount: number, hasDemoData: boolean } | null };

export type PricedLanesQueryVariables = Exact<{ [key: string]: never; }>;


export type PricedLanesQuery = { lanes: { edges: Array<{ node: { lastDay: string | null, averageDays: number, origin: { key: string, name: string, parent: { key: string, name: string } | null }, destination: { key: string, name: string, parent: { key: string, name: string } | null } } }> } | null };

export type SeriesQueryVariables = Exact<{
  lanes: Array<LaneInput> | LaneInput;
  from: string;
  to: string;
  interval: Interval;
  currency: string;
  fallback?: FallbackInput | null | undefined;
}>;


export type SeriesQuery = { priceSeries: { currency: string, interval: Interval, from: Array<string>, to: Array<string>, partial: Array<boolean>, csv: string, parquet: string, lanes: Array<{ originLevelsUp: number, destinationLevelsUp: number, counts: Array<number>, averages: Array<number | null>, nullReasons: Array<NullReason | null>, askedOrigin:
        | { key: string, name: string }
        | { key: string, name: string }
       | null, askedDestination:
        | { key: string, name: string }
        | { key: string, name: string }
       | null, origin:
        | { key: string, name: string }
        | { key: string, name: string }
       | null, destination:
        | { key: string, name: string }
        | { key: string, name: string }
       | null } | null> } | null };

export type RangeQueryVariables = Exact<{
  lanes: Array<LaneInput> | LaneInput;
  from: string;
  to: string;
  interval: Interval;
  currency: string;
}>;


export type RangeQuery = { priceSeries: { from: Array<string>, lanes: Array<{ lows: Array<number | null> | null, highs: Array<number | null> | null, p25: Array<number | null> | null, p75: Array<number | null> | null } | null> } | null };

export type MarketQueryVariables = Exact<{
  lanes: Array<LaneInput> | LaneInput;
  from: string;
  to: string;
  interval: Interval;
  currency: string;
  fallback: FallbackInput;
}>;


export type MarketQuery = { priceSeries: { lanes: Array<{ originLevelsUp: number, destinationLevelsUp: number, sufficient: boolean, counts: Array<number>, origin:
        | { key: string, name: string }
        | { key: string, name: string }
       | null, destination:
        | { key: string, name: string }
        | { key: string, name: string }
       | null } | null> } | null };

export type PlacesQueryVariables = Exact<{
  search: string;
}>;


export type PlacesQuery = { locations: { edges: Array<{ node:
        | { __typename: 'Port', key: string, name: string, ancestors: Array<{ key: string, name: string }> | null }
        | { __typename: 'Region', key: string, name: string, ancestors: Array<{ key: string, name: string }> | null }
       }> } | null };

export type PartnersQueryVariables = Exact<{
  origin?: string | null | undefined;
  destination?: string | null | undefined;
}>;


export type PartnersQuery = { lanes: { pageInfo: { hasNextPage: boolean }, edges: Array<{ node: { averageDays: number, origin: { __typename: 'Port', key: string, name: string, ancestors: Array<{ key: string, name: string }> | null }, destination: { __typename: 'Port', key: string, name: string, ancestors: Array<{ key: string, name: string }> | null } } }> } | null };

export type PricesChangedSubscriptionVariables = Exact<{
  lanes: Array<LaneInput> | LaneInput;
}>;


export type PricesChangedSubscription = { pricesChanged: { status: BatchStatus } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}

export const ExampleDataDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<ExampleDataQuery, ExampleDataQueryVariables>;
export const OverviewDocument = new TypedDocumentString(`
    query Overview {
  dataPeriod {
    firstDay
    lastDay
    priceCount
    hasDemoData
  }
}
    `) as unknown as TypedDocumentString<OverviewQuery, OverviewQueryVariables>;
export const PricedLanesDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<PricedLanesQuery, PricedLanesQueryVariables>;
export const SeriesDocument = new TypedDocumentString(`
    query Series($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!, $fallback: FallbackInput) {
  priceSeries(
    lanes: $lanes
    dateFrom: $from
    dateTo: $to
    interval: $interval
    currency: $currency
    fallback: $fallback
  ) {
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
    `) as unknown as TypedDocumentString<SeriesQuery, SeriesQueryVariables>;
export const RangeDocument = new TypedDocumentString(`
    query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {
  priceSeries(
    lanes: $lanes
    dateFrom: $from
    dateTo: $to
    interval: $interval
    currency: $currency
  ) {
    from
    lanes {
      lows
      p25: percentile(at: 25)
      p75: percentile(at: 75)
      highs
    }
  }
}
    `) as unknown as TypedDocumentString<RangeQuery, RangeQueryVariables>;
export const MarketDocument = new TypedDocumentString(`
    query Market($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!, $fallback: FallbackInput!) {
  priceSeries(
    lanes: $lanes
    dateFrom: $from
    dateTo: $to
    interval: $interval
    currency: $currency
    fallback: $fallback
  ) {
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
    `) as unknown as TypedDocumentString<MarketQuery, MarketQueryVariables>;
export const PlacesDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<PlacesQuery, PlacesQueryVariables>;
export const PartnersDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<PartnersQuery, PartnersQueryVariables>;
export const PricesChangedDocument = new TypedDocumentString(`
    subscription PricesChanged($lanes: [LaneInput!]!) {
  pricesChanged(lanes: $lanes) {
    status
  }
}
    `) as unknown as TypedDocumentString<PricesChangedSubscription, PricesChangedSubscriptionVariables>;