/* eslint-disable */
import * as types from './graphql';



/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  query ExampleData {\n    dataPeriod {\n      lastDay\n      hasDemoData\n    }\n    lanes(first: 2) {\n      edges {\n        node {\n          origin {\n            key\n          }\n          destination {\n            key\n          }\n        }\n      }\n    }\n  }\n": typeof types.ExampleDataDocument,
    "\n  query Overview {\n    dataPeriod {\n      firstDay\n      lastDay\n      priceCount\n      hasDemoData\n    }\n  }\n": typeof types.OverviewDocument,
    "\n  query PricedLanes {\n    lanes(first: 100) {\n      edges {\n        node {\n          origin {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          destination {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          lastDay\n          averageDays\n        }\n      }\n    }\n  }\n": typeof types.PricedLanesDocument,
    "\n  query Series(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      currency\n      interval\n      from\n      to\n      partial\n      lanes {\n        askedOrigin {\n          key\n          name\n        }\n        askedDestination {\n          key\n          name\n        }\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        counts\n        averages\n        nullReasons\n      }\n      csv: downloadUrl(format: CSV)\n      parquet: downloadUrl(format: PARQUET)\n    }\n  }\n": typeof types.SeriesDocument,
    "\n  query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency) {\n      from\n      lanes {\n        lows\n        p25: percentile(at: 25)\n        p75: percentile(at: 75)\n        highs\n      }\n    }\n  }\n": typeof types.RangeDocument,
    "\n  query Market(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput!\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      lanes {\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        sufficient\n        counts\n      }\n    }\n  }\n": typeof types.MarketDocument,
    "\n  query Places($search: String!) {\n    locations(search: $search, first: 12) {\n      edges {\n        node {\n          __typename\n          key\n          name\n          ancestors {\n            key\n            name\n          }\n        }\n      }\n    }\n  }\n": typeof types.PlacesDocument,
    "\n  query Partners($origin: String, $destination: String) {\n    lanes(origin: $origin, destination: $destination, first: 500) {\n      pageInfo {\n        hasNextPage\n      }\n      edges {\n        node {\n          averageDays\n          origin {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n          destination {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n        }\n      }\n    }\n  }\n": typeof types.PartnersDocument,
    "\n  subscription PricesChanged($lanes: [LaneInput!]!) {\n    pricesChanged(lanes: $lanes) {\n      status\n    }\n  }\n": typeof types.PricesChangedDocument,
};
const documents: Documents = {
    "\n  query ExampleData {\n    dataPeriod {\n      lastDay\n      hasDemoData\n    }\n    lanes(first: 2) {\n      edges {\n        node {\n          origin {\n            key\n          }\n          destination {\n            key\n          }\n        }\n      }\n    }\n  }\n": types.ExampleDataDocument,
    "\n  query Overview {\n    dataPeriod {\n      firstDay\n      lastDay\n      priceCount\n      hasDemoData\n    }\n  }\n": types.OverviewDocument,
    "\n  query PricedLanes {\n    lanes(first: 100) {\n      edges {\n        node {\n          origin {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          destination {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          lastDay\n          averageDays\n        }\n      }\n    }\n  }\n": types.PricedLanesDocument,
    "\n  query Series(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      currency\n      interval\n      from\n      to\n      partial\n      lanes {\n        askedOrigin {\n          key\n          name\n        }\n        askedDestination {\n          key\n          name\n        }\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        counts\n        averages\n        nullReasons\n      }\n      csv: downloadUrl(format: CSV)\n      parquet: downloadUrl(format: PARQUET)\n    }\n  }\n": types.SeriesDocument,
    "\n  query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency) {\n      from\n      lanes {\n        lows\n        p25: percentile(at: 25)\n        p75: percentile(at: 75)\n        highs\n      }\n    }\n  }\n": types.RangeDocument,
    "\n  query Market(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput!\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      lanes {\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        sufficient\n        counts\n      }\n    }\n  }\n": types.MarketDocument,
    "\n  query Places($search: String!) {\n    locations(search: $search, first: 12) {\n      edges {\n        node {\n          __typename\n          key\n          name\n          ancestors {\n            key\n            name\n          }\n        }\n      }\n    }\n  }\n": types.PlacesDocument,
    "\n  query Partners($origin: String, $destination: String) {\n    lanes(origin: $origin, destination: $destination, first: 500) {\n      pageInfo {\n        hasNextPage\n      }\n      edges {\n        node {\n          averageDays\n          origin {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n          destination {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n        }\n      }\n    }\n  }\n": types.PartnersDocument,
    "\n  subscription PricesChanged($lanes: [LaneInput!]!) {\n    pricesChanged(lanes: $lanes) {\n      status\n    }\n  }\n": types.PricesChangedDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query ExampleData {\n    dataPeriod {\n      lastDay\n      hasDemoData\n    }\n    lanes(first: 2) {\n      edges {\n        node {\n          origin {\n            key\n          }\n          destination {\n            key\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').ExampleDataDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Overview {\n    dataPeriod {\n      firstDay\n      lastDay\n      priceCount\n      hasDemoData\n    }\n  }\n"): typeof import('./graphql').OverviewDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query PricedLanes {\n    lanes(first: 100) {\n      edges {\n        node {\n          origin {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          destination {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          lastDay\n          averageDays\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').PricedLanesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Series(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      currency\n      interval\n      from\n      to\n      partial\n      lanes {\n        askedOrigin {\n          key\n          name\n        }\n        askedDestination {\n          key\n          name\n        }\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        counts\n        averages\n        nullReasons\n      }\n      csv: downloadUrl(format: CSV)\n      parquet: downloadUrl(format: PARQUET)\n    }\n  }\n"): typeof import('./graphql').SeriesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency) {\n      from\n      lanes {\n        lows\n        p25: percentile(at: 25)\n        p75: percentile(at: 75)\n        highs\n      }\n    }\n  }\n"): typeof import('./graphql').RangeDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Market(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput!\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      lanes {\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        sufficient\n        counts\n      }\n    }\n  }\n"): typeof import('./graphql').MarketDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Places($search: String!) {\n    locations(search: $search, first: 12) {\n      edges {\n        node {\n          __typename\n          key\n          name\n          ancestors {\n            key\n            name\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').PlacesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Partners($origin: String, $destination: String) {\n    lanes(origin: $origin, destination: $destination, first: 500) {\n      pageInfo {\n        hasNextPage\n      }\n      edges {\n        node {\n          averageDays\n          origin {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n          destination {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').PartnersDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription PricesChanged($lanes: [LaneInput!]!) {\n    pricesChanged(lanes: $lanes) {\n      status\n    }\n  }\n"): typeof import('./graphql').PricesChangedDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
