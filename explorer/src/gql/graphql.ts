/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** A permission of a caller. */
export type AuthScope =
  /** All permissions, also for the batches of others and the region tree. */
  | 'ADMIN'
  /** Read prices and locations. */
  | 'READ'
  /** Upload batches, and read and revert those of the caller. */
  | 'UPLOAD';

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

/** How far a lane may be widened to larger regions until it has enough prices. */
export type FallbackInput = {
  /** Fraction of the buckets that must have figures, 0 to 1; at least one always must. */
  coverage?: number;
  /** Maximum number of levels above the origin and above the destination, 1 to 20. */
  maxLevels?: number;
};

/** The format of a price file. */
export type FileFormat =
  /** Lines of values in UTF-8, with a header that shows whether commas, semicolons, tabs or bars separate them. */
  | 'CSV'
  /** A CSV file compressed by gzip. */
  | 'CSV_GZIP'
  /** One JSON object per line, in UTF-8. */
  | 'NDJSON'
  /** An NDJSON file compressed by gzip. */
  | 'NDJSON_GZIP'
  /** An Apache Parquet file. */
  | 'PARQUET'
  /** An Excel workbook (.xlsx) with prices in one visible sheet. */
  | 'XLSX';

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

/** The effect of an invalid item on its batch. */
export type OnError =
  /** No item is applied if one is invalid. */
  | 'REJECT_BATCH'
  /** All valid items are applied, and the invalid ones are reported. */
  | 'SKIP_INVALID';

/** A port to create or update. */
export type PortInput = {
  /** The UN/LOCODE, such as `CNSGH`. */
  code: string;
  /** The display name, such as `Shanghai`. */
  name: string;
  /** The slug of the parent region. */
  parentSlug: string;
};

/** The kind of a problem that is reported as data. Later versions may add codes. */
export type ProblemCode =
  /** An alias would stand for several locations. */
  | 'AMBIGUOUS_ALIAS'
  /** Only applied batches can be reverted, once. */
  | 'BATCH_NOT_APPLIED'
  /** Items that are valid for long have too many price days or lane-months. */
  | 'BATCH_TOO_LARGE'
  /** The file cannot be read to its end, or only at a disproportionate cost. */
  | 'BROKEN_FILE'
  /** A warning: the fields of a CSV file are not separated by commas; the message says how they are read. */
  | 'CSV_DIALECT'
  /** The price holds for more than 3,660 days. */
  | 'DATE_RANGE_TOO_LONG'
  /** A code or slug is listed twice. */
  | 'DUPLICATE_LOCATION'
  /** The upload, file or change contains no items. */
  | 'EMPTY_BATCH'
  /** The idempotency key was used before for an upload with different content. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The code of a port is not a UN/LOCODE. */
  | 'INVALID_CODE'
  /** The text is not a valid date (YYYY-MM-DD) between 1970 and 2100. */
  | 'INVALID_DATE'
  /** The period ends before it begins. */
  | 'INVALID_DATE_RANGE'
  /** The idempotency key is empty, too long or not printable. */
  | 'INVALID_IDEMPOTENCY_KEY'
  /** The line of an NDJSON file is not one JSON object. */
  | 'INVALID_JSON'
  /** The name is empty, too long or not printable. */
  | 'INVALID_NAME'
  /** The price is not a finite decimal number. */
  | 'INVALID_PRICE'
  /** The slug of a region has invalid characters or is too long. */
  | 'INVALID_SLUG'
  /** A text contains an unpaired surrogate. */
  | 'INVALID_TEXT'
  /** A code is also a slug, or the reverse. */
  | 'LOCATION_CLASH'
  /** A field is absent, null or empty. */
  | 'MISSING_VALUE'
  /** The location is a region where a port is required. */
  | 'NOT_A_PORT'
  /** The currency has no rate for one of the days. */
  | 'NO_EXCHANGE_RATE'
  /** A problem that this version of the server does not know; see its message. */
  | 'OTHER'
  /** The uploaded payload has expired. */
  | 'PAYLOAD_GONE'
  /** A warning: an alias of a port; the message gives the code. It is reported once for each alias of a batch. */
  | 'PORT_ALIAS'
  /** The price is beyond ±10,000,000 US dollars. */
  | 'PRICE_OUT_OF_RANGE'
  /** The region would be below itself. */
  | 'REGION_CYCLE'
  /** A warning: origin and destination are equal. */
  | 'SAME_PORT'
  /** A warning: the workbook has other sheets with values, which were not read; the message names them. */
  | 'SHEET_CHOSEN'
  /** The upload, file or change contains too many items. */
  | 'TOO_MANY_ITEMS'
  /** The change would move too many lane-months of averages. */
  | 'TREE_CHANGE_TOO_LARGE'
  /** There is no such batch, or it belongs to another caller. */
  | 'UNKNOWN_BATCH'
  /** The currency has no exchange rate on any day. */
  | 'UNKNOWN_CURRENCY'
  /** The content of the file is of a format that cannot be read, such as PDF. */
  | 'UNKNOWN_FORMAT'
  /** No port or region has this key. */
  | 'UNKNOWN_LOCATION'
  /** The parent is missing, unknown or a port. */
  | 'UNKNOWN_PARENT'
  /** No port has this code. */
  | 'UNKNOWN_PORT'
  /** The columns of the file, or the keys of an NDJSON line, fit no layout, or hold lists, bytes or durations. */
  | 'WRONG_COLUMNS'
  /** The file, or a line of it, is not UTF-8, or contains NUL characters. */
  | 'WRONG_ENCODING';

/** A region to create or update. */
export type RegionInput = {
  /** The display name, such as `North Europe`. */
  name: string;
  /** The slug of the parent region; omit it for a root of the tree. */
  parentSlug?: string | null | undefined;
  /** The slug, such as `north_europe`. */
  slug: string;
};

/** Options for the upload of a price file. */
export type UploadPriceFileInput = {
  /** Validate only: return the problems and a `preview` without changing anything. The idempotency key remains unused. */
  dryRun?: boolean;
  /** The format of the file, where its content could be of several; the content decides otherwise. */
  format?: FileFormat | null | undefined;
  /** Idempotency key of the client: a repeated upload with the same key and file returns the first batch. */
  idempotencyKey?: string | null | undefined;
  /** The effect of an invalid item on the batch. */
  onError?: OnError;
  /** Time to wait for the batch to finish, in milliseconds, at most 30,000; after that, the batch is returned as QUEUED or RUNNING. */
  waitMs?: number;
};

export type ExampleDataQueryVariables = Exact<{ [key: string]: never; }>;


export type ExampleDataQuery = { dataPeriod: { lastDay: string | null, hasDemoData: boolean } | null, lanes: { edges: Array<{ node: { origin: { key: string }, destination: { key: string } } }> } | null };

export type TreeViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type TreeViewerQuery = { viewer: { scopes: Array<AuthScope> } | null };

export type LocationPageQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type LocationPageQuery = { locations: { totalCount: number, pageInfo: { hasNextPage: boolean, endCursor: string | null }, edges: Array<{ node:
        | { __typename: 'Port', key: string, name: string, parent: { key: string } | null }
        | { __typename: 'Region', key: string, name: string, parent: { key: string } | null }
       }> } | null };

export type LocationSearchQueryVariables = Exact<{
  search: string;
}>;


export type LocationSearchQuery = { locations: { totalCount: number, edges: Array<{ node:
        | { key: string }
        | { key: string }
       }> } | null };

export type LocationDetailsQueryVariables = Exact<{
  key: string;
}>;


export type LocationDetailsQuery = { from: { totalCount: number, edges: Array<{ node: { firstDay: string | null, lastDay: string | null, averageDays: number, origin: { name: string, key: string }, destination: { name: string, key: string } } }> } | null, to: { totalCount: number, edges: Array<{ node: { firstDay: string | null, lastDay: string | null, averageDays: number, origin: { name: string, key: string }, destination: { name: string, key: string } } }> } | null, within: { totalCount: number } | null };

export type LanesPartsFragment = { totalCount: number, edges: Array<{ node: { firstDay: string | null, lastDay: string | null, averageDays: number, origin: { name: string, key: string }, destination: { name: string, key: string } } }> };

export type ChangePartsFragment = { addedCount: number, movedCount: number, userErrors: Array<{ field: string | null, code: ProblemCode, message: string }> };

export type CurrentLocationQueryVariables = Exact<{
  key: string;
}>;


export type CurrentLocationQuery = { location:
    | { key: string, name: string, parent: { key: string } | null }
    | { key: string, name: string, parent: { key: string } | null }
   | null };

export type SaveRegionMutationVariables = Exact<{
  region: RegionInput;
}>;


export type SaveRegionMutation = { change: { addedCount: number, movedCount: number, userErrors: Array<{ field: string | null, code: ProblemCode, message: string }> } | null };

export type SavePortMutationVariables = Exact<{
  port: PortInput;
}>;


export type SavePortMutation = { change: { addedCount: number, movedCount: number, userErrors: Array<{ field: string | null, code: ProblemCode, message: string }> } | null };

export type MoveLocationMutationVariables = Exact<{
  key: string;
  parentSlug?: string | null | undefined;
}>;


export type MoveLocationMutation = { change: { addedCount: number, movedCount: number, userErrors: Array<{ field: string | null, code: ProblemCode, message: string }> } | null };

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


export type RangeQuery = { priceSeries: { from: Array<string>, lanes: Array<{ lows: Array<number | null> | null, highs: Array<number | null> | null, statisticsError: number, p25: Array<number | null> | null, p75: Array<number | null> | null } | null> } | null };

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

export type ServerStatusQueryVariables = Exact<{ [key: string]: never; }>;


export type ServerStatusQuery = { serverStatus: { version: string, queuedBatches: number, runningBatches: number, oldestBatchSeconds: number, endedLastHour: number, workers: number, databaseBytes: number, newestRateDay: string | null } | null };

export type BatchPartsFragment = { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null };

export type ProblemPartsFragment = { item: number | null, field: string | null, code: ProblemCode, message: string, value: string | null };

export type UploaderQueryVariables = Exact<{ [key: string]: never; }>;


export type UploaderQuery = { viewer: { name: string | null, scopes: Array<AuthScope> } | null };

export type EarlierBatchesQueryVariables = Exact<{
  rejectKey: string;
  skipKey: string;
}>;


export type EarlierBatchesQuery = { reject: { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null } | null, skip: { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null } | null };

export type BatchByKeyQueryVariables = Exact<{
  key: string;
}>;


export type BatchByKeyQuery = { batchByKey: { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null } | null };

export type CheckPriceFileMutationVariables = Exact<{
  file: File;
  input: UploadPriceFileInput;
}>;


export type CheckPriceFileMutation = { uploadPriceFile: { userErrors: Array<{ item: number | null, field: string | null, code: ProblemCode, message: string, value: string | null }>, warnings: Array<{ item: number | null, field: string | null, code: ProblemCode, message: string, value: string | null }>, preview: { itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, newAverageCount: number, changes: Array<{ day: string, averageBefore: number | null, averageAfter: number, countBefore: number, countAfter: number, origin: { code: string, name: string }, destination: { code: string, name: string } }> } | null } | null };

export type UploadPriceFileMutationVariables = Exact<{
  file: File;
  input: UploadPriceFileInput;
}>;


export type UploadPriceFileMutation = { uploadPriceFile: { batch: { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null } | null, userErrors: Array<{ item: number | null, field: string | null, code: ProblemCode, message: string, value: string | null }> } | null };

export type BatchProgressSubscriptionVariables = Exact<{
  id: string | number;
}>;


export type BatchProgressSubscription = { batchProgress: { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null } };

export type UploadHistoryQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  status?: BatchStatus | null | undefined;
}>;


export type UploadHistoryQuery = { batches: { totalCount: number, pageInfo: { hasNextPage: boolean, hasPreviousPage: boolean, startCursor: string | null, endCursor: string | null }, edges: Array<{ node: { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null } }> } | null };

export type RevertBatchMutationVariables = Exact<{
  id: string | number;
}>;


export type RevertBatchMutation = { revertBatch: { batch: { id: string, number: number, status: BatchStatus, source: string, uploader: string | null, itemCount: number, acceptedCount: number, rejectedCount: number, priceDayCount: number, laneCount: number, firstDay: string | null, lastDay: string | null, progress: number, failure: string | null, createdAt: string, rejectionsUrl: string | null } | null, userErrors: Array<{ code: ProblemCode, message: string }> } | null };

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
export const LanesPartsFragmentDoc = new TypedDocumentString(`
    fragment LanesParts on PricedLaneConnection {
  totalCount
  edges {
    node {
      origin {
        name
        key
      }
      destination {
        name
        key
      }
      firstDay
      lastDay
      averageDays
    }
  }
}
    `, {"fragmentName":"LanesParts"}) as unknown as TypedDocumentString<LanesPartsFragment, unknown>;
export const ChangePartsFragmentDoc = new TypedDocumentString(`
    fragment ChangeParts on ChangeTreePayload {
  addedCount
  movedCount
  userErrors {
    field
    code
    message
  }
}
    `, {"fragmentName":"ChangeParts"}) as unknown as TypedDocumentString<ChangePartsFragment, unknown>;
export const BatchPartsFragmentDoc = new TypedDocumentString(`
    fragment BatchParts on PriceBatch {
  id
  number
  status
  source
  uploader
  itemCount
  acceptedCount
  rejectedCount
  priceDayCount
  laneCount
  firstDay
  lastDay
  progress
  failure
  createdAt
  rejectionsUrl
}
    `, {"fragmentName":"BatchParts"}) as unknown as TypedDocumentString<BatchPartsFragment, unknown>;
export const ProblemPartsFragmentDoc = new TypedDocumentString(`
    fragment ProblemParts on UserError {
  item
  field
  code
  message
  value
}
    `, {"fragmentName":"ProblemParts"}) as unknown as TypedDocumentString<ProblemPartsFragment, unknown>;
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
export const TreeViewerDocument = new TypedDocumentString(`
    query TreeViewer {
  viewer {
    scopes
  }
}
    `) as unknown as TypedDocumentString<TreeViewerQuery, TreeViewerQueryVariables>;
export const LocationPageDocument = new TypedDocumentString(`
    query LocationPage($first: Int, $after: String) {
  locations(first: $first, after: $after) {
    totalCount
    pageInfo {
      hasNextPage
      endCursor
    }
    edges {
      node {
        __typename
        key
        name
        parent {
          key
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<LocationPageQuery, LocationPageQueryVariables>;
export const LocationSearchDocument = new TypedDocumentString(`
    query LocationSearch($search: String!) {
  locations(search: $search, first: 12) {
    totalCount
    edges {
      node {
        key
      }
    }
  }
}
    `) as unknown as TypedDocumentString<LocationSearchQuery, LocationSearchQueryVariables>;
export const LocationDetailsDocument = new TypedDocumentString(`
    query LocationDetails($key: String!) {
  from: lanes(origin: $key, first: 5) {
    ...LanesParts
  }
  to: lanes(destination: $key, first: 5) {
    ...LanesParts
  }
  within: lanes(origin: $key, destination: $key, first: 1) {
    totalCount
  }
}
    fragment LanesParts on PricedLaneConnection {
  totalCount
  edges {
    node {
      origin {
        name
        key
      }
      destination {
        name
        key
      }
      firstDay
      lastDay
      averageDays
    }
  }
}`) as unknown as TypedDocumentString<LocationDetailsQuery, LocationDetailsQueryVariables>;
export const CurrentLocationDocument = new TypedDocumentString(`
    query CurrentLocation($key: String!) {
  location(key: $key) {
    key
    name
    parent {
      key
    }
  }
}
    `) as unknown as TypedDocumentString<CurrentLocationQuery, CurrentLocationQueryVariables>;
export const SaveRegionDocument = new TypedDocumentString(`
    mutation SaveRegion($region: RegionInput!) {
  change: upsertRegions(regions: [$region]) {
    ...ChangeParts
  }
}
    fragment ChangeParts on ChangeTreePayload {
  addedCount
  movedCount
  userErrors {
    field
    code
    message
  }
}`) as unknown as TypedDocumentString<SaveRegionMutation, SaveRegionMutationVariables>;
export const SavePortDocument = new TypedDocumentString(`
    mutation SavePort($port: PortInput!) {
  change: upsertPorts(ports: [$port]) {
    ...ChangeParts
  }
}
    fragment ChangeParts on ChangeTreePayload {
  addedCount
  movedCount
  userErrors {
    field
    code
    message
  }
}`) as unknown as TypedDocumentString<SavePortMutation, SavePortMutationVariables>;
export const MoveLocationDocument = new TypedDocumentString(`
    mutation MoveLocation($key: String!, $parentSlug: String) {
  change: moveLocation(key: $key, parentSlug: $parentSlug) {
    ...ChangeParts
  }
}
    fragment ChangeParts on ChangeTreePayload {
  addedCount
  movedCount
  userErrors {
    field
    code
    message
  }
}`) as unknown as TypedDocumentString<MoveLocationMutation, MoveLocationMutationVariables>;
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
      statisticsError
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
export const ServerStatusDocument = new TypedDocumentString(`
    query ServerStatus {
  serverStatus {
    version
    queuedBatches
    runningBatches
    oldestBatchSeconds
    endedLastHour
    workers
    databaseBytes
    newestRateDay
  }
}
    `) as unknown as TypedDocumentString<ServerStatusQuery, ServerStatusQueryVariables>;
export const UploaderDocument = new TypedDocumentString(`
    query Uploader {
  viewer {
    name
    scopes
  }
}
    `) as unknown as TypedDocumentString<UploaderQuery, UploaderQueryVariables>;
export const EarlierBatchesDocument = new TypedDocumentString(`
    query EarlierBatches($rejectKey: String!, $skipKey: String!) {
  reject: batchByKey(idempotencyKey: $rejectKey) {
    ...BatchParts
  }
  skip: batchByKey(idempotencyKey: $skipKey) {
    ...BatchParts
  }
}
    fragment BatchParts on PriceBatch {
  id
  number
  status
  source
  uploader
  itemCount
  acceptedCount
  rejectedCount
  priceDayCount
  laneCount
  firstDay
  lastDay
  progress
  failure
  createdAt
  rejectionsUrl
}`) as unknown as TypedDocumentString<EarlierBatchesQuery, EarlierBatchesQueryVariables>;
export const BatchByKeyDocument = new TypedDocumentString(`
    query BatchByKey($key: String!) {
  batchByKey(idempotencyKey: $key) {
    ...BatchParts
  }
}
    fragment BatchParts on PriceBatch {
  id
  number
  status
  source
  uploader
  itemCount
  acceptedCount
  rejectedCount
  priceDayCount
  laneCount
  firstDay
  lastDay
  progress
  failure
  createdAt
  rejectionsUrl
}`) as unknown as TypedDocumentString<BatchByKeyQuery, BatchByKeyQueryVariables>;
export const CheckPriceFileDocument = new TypedDocumentString(`
    mutation CheckPriceFile($file: Upload!, $input: UploadPriceFileInput!) {
  uploadPriceFile(file: $file, input: $input) {
    userErrors {
      ...ProblemParts
    }
    warnings {
      ...ProblemParts
    }
    preview {
      itemCount
      acceptedCount
      rejectedCount
      priceDayCount
      laneCount
      firstDay
      lastDay
      newAverageCount
      changes {
        origin {
          code
          name
        }
        destination {
          code
          name
        }
        day
        averageBefore
        averageAfter
        countBefore
        countAfter
      }
    }
  }
}
    fragment ProblemParts on UserError {
  item
  field
  code
  message
  value
}`) as unknown as TypedDocumentString<CheckPriceFileMutation, CheckPriceFileMutationVariables>;
export const UploadPriceFileDocument = new TypedDocumentString(`
    mutation UploadPriceFile($file: Upload!, $input: UploadPriceFileInput!) {
  uploadPriceFile(file: $file, input: $input) {
    batch {
      ...BatchParts
    }
    userErrors {
      ...ProblemParts
    }
  }
}
    fragment BatchParts on PriceBatch {
  id
  number
  status
  source
  uploader
  itemCount
  acceptedCount
  rejectedCount
  priceDayCount
  laneCount
  firstDay
  lastDay
  progress
  failure
  createdAt
  rejectionsUrl
}
fragment ProblemParts on UserError {
  item
  field
  code
  message
  value
}`) as unknown as TypedDocumentString<UploadPriceFileMutation, UploadPriceFileMutationVariables>;
export const BatchProgressDocument = new TypedDocumentString(`
    subscription BatchProgress($id: ID!) {
  batchProgress(id: $id) {
    ...BatchParts
  }
}
    fragment BatchParts on PriceBatch {
  id
  number
  status
  source
  uploader
  itemCount
  acceptedCount
  rejectedCount
  priceDayCount
  laneCount
  firstDay
  lastDay
  progress
  failure
  createdAt
  rejectionsUrl
}`) as unknown as TypedDocumentString<BatchProgressSubscription, BatchProgressSubscriptionVariables>;
export const UploadHistoryDocument = new TypedDocumentString(`
    query UploadHistory($first: Int, $after: String, $last: Int, $before: String, $status: BatchStatus) {
  batches(
    first: $first
    after: $after
    last: $last
    before: $before
    status: $status
  ) {
    totalCount
    pageInfo {
      hasNextPage
      hasPreviousPage
      startCursor
      endCursor
    }
    edges {
      node {
        ...BatchParts
      }
    }
  }
}
    fragment BatchParts on PriceBatch {
  id
  number
  status
  source
  uploader
  itemCount
  acceptedCount
  rejectedCount
  priceDayCount
  laneCount
  firstDay
  lastDay
  progress
  failure
  createdAt
  rejectionsUrl
}`) as unknown as TypedDocumentString<UploadHistoryQuery, UploadHistoryQueryVariables>;
export const RevertBatchDocument = new TypedDocumentString(`
    mutation RevertBatch($id: ID!) {
  revertBatch(id: $id) {
    batch {
      ...BatchParts
    }
    userErrors {
      code
      message
    }
  }
}
    fragment BatchParts on PriceBatch {
  id
  number
  status
  source
  uploader
  itemCount
  acceptedCount
  rejectedCount
  priceDayCount
  laneCount
  firstDay
  lastDay
  progress
  failure
  createdAt
  rejectionsUrl
}`) as unknown as TypedDocumentString<RevertBatchMutation, RevertBatchMutationVariables>;