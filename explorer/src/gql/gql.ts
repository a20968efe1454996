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
    "\n  query TreeViewer {\n    viewer {\n      scopes\n    }\n  }\n": typeof types.TreeViewerDocument,
    "\n  query LocationPage($first: Int, $after: String) {\n    locations(first: $first, after: $after) {\n      totalCount\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n      edges {\n        node {\n          __typename\n          key\n          name\n          parent {\n            key\n          }\n        }\n      }\n    }\n  }\n": typeof types.LocationPageDocument,
    "\n  query LocationSearch($search: String!) {\n    locations(search: $search, first: 12) {\n      totalCount\n      edges {\n        node {\n          key\n        }\n      }\n    }\n  }\n": typeof types.LocationSearchDocument,
    "\n  query LocationDetails($key: String!) {\n    from: lanes(origin: $key, first: 5) {\n      ...LanesParts\n    }\n    to: lanes(destination: $key, first: 5) {\n      ...LanesParts\n    }\n    within: lanes(origin: $key, destination: $key, first: 1) {\n      totalCount\n    }\n  }\n\n  fragment LanesParts on PricedLaneConnection {\n    totalCount\n    edges {\n      node {\n        origin {\n          name\n          key\n        }\n        destination {\n          name\n          key\n        }\n        firstDay\n        lastDay\n        averageDays\n      }\n    }\n  }\n": typeof types.LocationDetailsDocument,
    "\n  fragment ChangeParts on ChangeTreePayload {\n    addedCount\n    movedCount\n    userErrors {\n      field\n      code\n      message\n    }\n  }\n": typeof types.ChangePartsFragmentDoc,
    "\n  query CurrentLocation($key: String!) {\n    location(key: $key) {\n      key\n      name\n      parent {\n        key\n      }\n    }\n  }\n": typeof types.CurrentLocationDocument,
    "\n  mutation SaveRegion($region: RegionInput!) {\n    change: upsertRegions(regions: [$region]) {\n      ...ChangeParts\n    }\n  }\n": typeof types.SaveRegionDocument,
    "\n  mutation SavePort($port: PortInput!) {\n    change: upsertPorts(ports: [$port]) {\n      ...ChangeParts\n    }\n  }\n": typeof types.SavePortDocument,
    "\n  mutation MoveLocation($key: String!, $parentSlug: String) {\n    change: moveLocation(key: $key, parentSlug: $parentSlug) {\n      ...ChangeParts\n    }\n  }\n": typeof types.MoveLocationDocument,
    "\n  query Overview {\n    dataPeriod {\n      firstDay\n      lastDay\n      priceCount\n      hasDemoData\n    }\n  }\n": typeof types.OverviewDocument,
    "\n  query PricedLanes {\n    lanes(first: 100) {\n      edges {\n        node {\n          origin {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          destination {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          lastDay\n          averageDays\n        }\n      }\n    }\n  }\n": typeof types.PricedLanesDocument,
    "\n  query Series(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      currency\n      interval\n      from\n      to\n      partial\n      lanes {\n        askedOrigin {\n          key\n          name\n        }\n        askedDestination {\n          key\n          name\n        }\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        counts\n        averages\n        nullReasons\n      }\n      csv: downloadUrl(format: CSV)\n      parquet: downloadUrl(format: PARQUET)\n    }\n  }\n": typeof types.SeriesDocument,
    "\n  query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency) {\n      from\n      lanes {\n        lows\n        p25: percentile(at: 25)\n        p75: percentile(at: 75)\n        highs\n        statisticsError\n      }\n    }\n  }\n": typeof types.RangeDocument,
    "\n  query Market(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput!\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      lanes {\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        sufficient\n        counts\n      }\n    }\n  }\n": typeof types.MarketDocument,
    "\n  query Places($search: String!) {\n    locations(search: $search, first: 12) {\n      edges {\n        node {\n          __typename\n          key\n          name\n          ancestors {\n            key\n            name\n          }\n        }\n      }\n    }\n  }\n": typeof types.PlacesDocument,
    "\n  query Partners($origin: String, $destination: String) {\n    lanes(origin: $origin, destination: $destination, first: 500) {\n      pageInfo {\n        hasNextPage\n      }\n      edges {\n        node {\n          averageDays\n          origin {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n          destination {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n        }\n      }\n    }\n  }\n": typeof types.PartnersDocument,
    "\n  subscription PricesChanged($lanes: [LaneInput!]!) {\n    pricesChanged(lanes: $lanes) {\n      status\n    }\n  }\n": typeof types.PricesChangedDocument,
    "\n  query ServerStatus {\n    serverStatus {\n      version\n      queuedBatches\n      runningBatches\n      oldestBatchSeconds\n      endedLastHour\n      workers\n      databaseBytes\n      newestRateDay\n    }\n  }\n": typeof types.ServerStatusDocument,
    "\n  fragment BatchParts on PriceBatch {\n    id\n    number\n    status\n    source\n    uploader\n    itemCount\n    acceptedCount\n    rejectedCount\n    priceDayCount\n    laneCount\n    firstDay\n    lastDay\n    progress\n    failure\n    createdAt\n    rejectionsUrl\n  }\n": typeof types.BatchPartsFragmentDoc,
    "\n  fragment ProblemParts on UserError {\n    item\n    field\n    code\n    message\n    value\n  }\n": typeof types.ProblemPartsFragmentDoc,
    "\n  query Uploader {\n    viewer {\n      name\n      scopes\n    }\n  }\n": typeof types.UploaderDocument,
    "\n  query EarlierBatches($rejectKey: String!, $skipKey: String!) {\n    reject: batchByKey(idempotencyKey: $rejectKey) {\n      ...BatchParts\n    }\n    skip: batchByKey(idempotencyKey: $skipKey) {\n      ...BatchParts\n    }\n  }\n": typeof types.EarlierBatchesDocument,
    "\n  query BatchByKey($key: String!) {\n    batchByKey(idempotencyKey: $key) {\n      ...BatchParts\n    }\n  }\n": typeof types.BatchByKeyDocument,
    "\n  mutation CheckPriceFile($file: Upload!, $input: UploadPriceFileInput!) {\n    uploadPriceFile(file: $file, input: $input) {\n      userErrors {\n        ...ProblemParts\n      }\n      warnings {\n        ...ProblemParts\n      }\n      preview {\n        itemCount\n        acceptedCount\n        rejectedCount\n        priceDayCount\n        laneCount\n        firstDay\n        lastDay\n        newAverageCount\n        changes {\n          origin {\n            code\n            name\n          }\n          destination {\n            code\n            name\n          }\n          day\n          averageBefore\n          averageAfter\n          countBefore\n          countAfter\n        }\n      }\n    }\n  }\n": typeof types.CheckPriceFileDocument,
    "\n  mutation UploadPriceFile($file: Upload!, $input: UploadPriceFileInput!) {\n    uploadPriceFile(file: $file, input: $input) {\n      batch {\n        ...BatchParts\n      }\n      userErrors {\n        ...ProblemParts\n      }\n    }\n  }\n": typeof types.UploadPriceFileDocument,
    "\n  subscription BatchProgress($id: ID!) {\n    batchProgress(id: $id) {\n      ...BatchParts\n    }\n  }\n": typeof types.BatchProgressDocument,
    "\n  query UploadHistory($first: Int, $after: String, $last: Int, $before: String, $status: BatchStatus) {\n    batches(first: $first, after: $after, last: $last, before: $before, status: $status) {\n      totalCount\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n      edges {\n        node {\n          ...BatchParts\n        }\n      }\n    }\n  }\n": typeof types.UploadHistoryDocument,
    "\n  mutation RevertBatch($id: ID!) {\n    revertBatch(id: $id) {\n      batch {\n        ...BatchParts\n      }\n      userErrors {\n        code\n        message\n      }\n    }\n  }\n": typeof types.RevertBatchDocument,
};
const documents: Documents = {
    "\n  query ExampleData {\n    dataPeriod {\n      lastDay\n      hasDemoData\n    }\n    lanes(first: 2) {\n      edges {\n        node {\n          origin {\n            key\n          }\n          destination {\n            key\n          }\n        }\n      }\n    }\n  }\n": types.ExampleDataDocument,
    "\n  query TreeViewer {\n    viewer {\n      scopes\n    }\n  }\n": types.TreeViewerDocument,
    "\n  query LocationPage($first: Int, $after: String) {\n    locations(first: $first, after: $after) {\n      totalCount\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n      edges {\n        node {\n          __typename\n          key\n          name\n          parent {\n            key\n          }\n        }\n      }\n    }\n  }\n": types.LocationPageDocument,
    "\n  query LocationSearch($search: String!) {\n    locations(search: $search, first: 12) {\n      totalCount\n      edges {\n        node {\n          key\n        }\n      }\n    }\n  }\n": types.LocationSearchDocument,
    "\n  query LocationDetails($key: String!) {\n    from: lanes(origin: $key, first: 5) {\n      ...LanesParts\n    }\n    to: lanes(destination: $key, first: 5) {\n      ...LanesParts\n    }\n    within: lanes(origin: $key, destination: $key, first: 1) {\n      totalCount\n    }\n  }\n\n  fragment LanesParts on PricedLaneConnection {\n    totalCount\n    edges {\n      node {\n        origin {\n          name\n          key\n        }\n        destination {\n          name\n          key\n        }\n        firstDay\n        lastDay\n        averageDays\n      }\n    }\n  }\n": types.LocationDetailsDocument,
    "\n  fragment ChangeParts on ChangeTreePayload {\n    addedCount\n    movedCount\n    userErrors {\n      field\n      code\n      message\n    }\n  }\n": types.ChangePartsFragmentDoc,
    "\n  query CurrentLocation($key: String!) {\n    location(key: $key) {\n      key\n      name\n      parent {\n        key\n      }\n    }\n  }\n": types.CurrentLocationDocument,
    "\n  mutation SaveRegion($region: RegionInput!) {\n    change: upsertRegions(regions: [$region]) {\n      ...ChangeParts\n    }\n  }\n": types.SaveRegionDocument,
    "\n  mutation SavePort($port: PortInput!) {\n    change: upsertPorts(ports: [$port]) {\n      ...ChangeParts\n    }\n  }\n": types.SavePortDocument,
    "\n  mutation MoveLocation($key: String!, $parentSlug: String) {\n    change: moveLocation(key: $key, parentSlug: $parentSlug) {\n      ...ChangeParts\n    }\n  }\n": types.MoveLocationDocument,
    "\n  query Overview {\n    dataPeriod {\n      firstDay\n      lastDay\n      priceCount\n      hasDemoData\n    }\n  }\n": types.OverviewDocument,
    "\n  query PricedLanes {\n    lanes(first: 100) {\n      edges {\n        node {\n          origin {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          destination {\n            key\n            name\n            parent {\n              key\n              name\n            }\n          }\n          lastDay\n          averageDays\n        }\n      }\n    }\n  }\n": types.PricedLanesDocument,
    "\n  query Series(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      currency\n      interval\n      from\n      to\n      partial\n      lanes {\n        askedOrigin {\n          key\n          name\n        }\n        askedDestination {\n          key\n          name\n        }\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        counts\n        averages\n        nullReasons\n      }\n      csv: downloadUrl(format: CSV)\n      parquet: downloadUrl(format: PARQUET)\n    }\n  }\n": types.SeriesDocument,
    "\n  query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency) {\n      from\n      lanes {\n        lows\n        p25: percentile(at: 25)\n        p75: percentile(at: 75)\n        highs\n        statisticsError\n      }\n    }\n  }\n": types.RangeDocument,
    "\n  query Market(\n    $lanes: [LaneInput!]!\n    $from: Date!\n    $to: Date!\n    $interval: Interval!\n    $currency: String!\n    $fallback: FallbackInput!\n  ) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency, fallback: $fallback) {\n      lanes {\n        origin {\n          key\n          name\n        }\n        destination {\n          key\n          name\n        }\n        originLevelsUp\n        destinationLevelsUp\n        sufficient\n        counts\n      }\n    }\n  }\n": types.MarketDocument,
    "\n  query Places($search: String!) {\n    locations(search: $search, first: 12) {\n      edges {\n        node {\n          __typename\n          key\n          name\n          ancestors {\n            key\n            name\n          }\n        }\n      }\n    }\n  }\n": types.PlacesDocument,
    "\n  query Partners($origin: String, $destination: String) {\n    lanes(origin: $origin, destination: $destination, first: 500) {\n      pageInfo {\n        hasNextPage\n      }\n      edges {\n        node {\n          averageDays\n          origin {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n          destination {\n            __typename\n            key\n            name\n            ancestors {\n              key\n              name\n            }\n          }\n        }\n      }\n    }\n  }\n": types.PartnersDocument,
    "\n  subscription PricesChanged($lanes: [LaneInput!]!) {\n    pricesChanged(lanes: $lanes) {\n      status\n    }\n  }\n": types.PricesChangedDocument,
    "\n  query ServerStatus {\n    serverStatus {\n      version\n      queuedBatches\n      runningBatches\n      oldestBatchSeconds\n      endedLastHour\n      workers\n      databaseBytes\n      newestRateDay\n    }\n  }\n": types.ServerStatusDocument,
    "\n  fragment BatchParts on PriceBatch {\n    id\n    number\n    status\n    source\n    uploader\n    itemCount\n    acceptedCount\n    rejectedCount\n    priceDayCount\n    laneCount\n    firstDay\n    lastDay\n    progress\n    failure\n    createdAt\n    rejectionsUrl\n  }\n": types.BatchPartsFragmentDoc,
    "\n  fragment ProblemParts on UserError {\n    item\n    field\n    code\n    message\n    value\n  }\n": types.ProblemPartsFragmentDoc,
    "\n  query Uploader {\n    viewer {\n      name\n      scopes\n    }\n  }\n": types.UploaderDocument,
    "\n  query EarlierBatches($rejectKey: String!, $skipKey: String!) {\n    reject: batchByKey(idempotencyKey: $rejectKey) {\n      ...BatchParts\n    }\n    skip: batchByKey(idempotencyKey: $skipKey) {\n      ...BatchParts\n    }\n  }\n": types.EarlierBatchesDocument,
    "\n  query BatchByKey($key: String!) {\n    batchByKey(idempotencyKey: $key) {\n      ...BatchParts\n    }\n  }\n": types.BatchByKeyDocument,
    "\n  mutation CheckPriceFile($file: Upload!, $input: UploadPriceFileInput!) {\n    uploadPriceFile(file: $file, input: $input) {\n      userErrors {\n        ...ProblemParts\n      }\n      warnings {\n        ...ProblemParts\n      }\n      preview {\n        itemCount\n        acceptedCount\n        rejectedCount\n        priceDayCount\n        laneCount\n        firstDay\n        lastDay\n        newAverageCount\n        changes {\n          origin {\n            code\n            name\n          }\n          destination {\n            code\n            name\n          }\n          day\n          averageBefore\n          averageAfter\n          countBefore\n          countAfter\n        }\n      }\n    }\n  }\n": types.CheckPriceFileDocument,
    "\n  mutation UploadPriceFile($file: Upload!, $input: UploadPriceFileInput!) {\n    uploadPriceFile(file: $file, input: $input) {\n      batch {\n        ...BatchParts\n      }\n      userErrors {\n        ...ProblemParts\n      }\n    }\n  }\n": types.UploadPriceFileDocument,
    "\n  subscription BatchProgress($id: ID!) {\n    batchProgress(id: $id) {\n      ...BatchParts\n    }\n  }\n": types.BatchProgressDocument,
    "\n  query UploadHistory($first: Int, $after: String, $last: Int, $before: String, $status: BatchStatus) {\n    batches(first: $first, after: $after, last: $last, before: $before, status: $status) {\n      totalCount\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n      edges {\n        node {\n          ...BatchParts\n        }\n      }\n    }\n  }\n": types.UploadHistoryDocument,
    "\n  mutation RevertBatch($id: ID!) {\n    revertBatch(id: $id) {\n      batch {\n        ...BatchParts\n      }\n      userErrors {\n        code\n        message\n      }\n    }\n  }\n": types.RevertBatchDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query ExampleData {\n    dataPeriod {\n      lastDay\n      hasDemoData\n    }\n    lanes(first: 2) {\n      edges {\n        node {\n          origin {\n            key\n          }\n          destination {\n            key\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').ExampleDataDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query TreeViewer {\n    viewer {\n      scopes\n    }\n  }\n"): typeof import('./graphql').TreeViewerDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query LocationPage($first: Int, $after: String) {\n    locations(first: $first, after: $after) {\n      totalCount\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n      edges {\n        node {\n          __typename\n          key\n          name\n          parent {\n            key\n          }\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').LocationPageDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query LocationSearch($search: String!) {\n    locations(search: $search, first: 12) {\n      totalCount\n      edges {\n        node {\n          key\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').LocationSearchDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query LocationDetails($key: String!) {\n    from: lanes(origin: $key, first: 5) {\n      ...LanesParts\n    }\n    to: lanes(destination: $key, first: 5) {\n      ...LanesParts\n    }\n    within: lanes(origin: $key, destination: $key, first: 1) {\n      totalCount\n    }\n  }\n\n  fragment LanesParts on PricedLaneConnection {\n    totalCount\n    edges {\n      node {\n        origin {\n          name\n          key\n        }\n        destination {\n          name\n          key\n        }\n        firstDay\n        lastDay\n        averageDays\n      }\n    }\n  }\n"): typeof import('./graphql').LocationDetailsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment ChangeParts on ChangeTreePayload {\n    addedCount\n    movedCount\n    userErrors {\n      field\n      code\n      message\n    }\n  }\n"): typeof import('./graphql').ChangePartsFragmentDoc;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query CurrentLocation($key: String!) {\n    location(key: $key) {\n      key\n      name\n      parent {\n        key\n      }\n    }\n  }\n"): typeof import('./graphql').CurrentLocationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation SaveRegion($region: RegionInput!) {\n    change: upsertRegions(regions: [$region]) {\n      ...ChangeParts\n    }\n  }\n"): typeof import('./graphql').SaveRegionDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation SavePort($port: PortInput!) {\n    change: upsertPorts(ports: [$port]) {\n      ...ChangeParts\n    }\n  }\n"): typeof import('./graphql').SavePortDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation MoveLocation($key: String!, $parentSlug: String) {\n    change: moveLocation(key: $key, parentSlug: $parentSlug) {\n      ...ChangeParts\n    }\n  }\n"): typeof import('./graphql').MoveLocationDocument;
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
export function graphql(source: "\n  query Range($lanes: [LaneInput!]!, $from: Date!, $to: Date!, $interval: Interval!, $currency: String!) {\n    priceSeries(lanes: $lanes, dateFrom: $from, dateTo: $to, interval: $interval, currency: $currency) {\n      from\n      lanes {\n        lows\n        p25: percentile(at: 25)\n        p75: percentile(at: 75)\n        highs\n        statisticsError\n      }\n    }\n  }\n"): typeof import('./graphql').RangeDocument;
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
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query ServerStatus {\n    serverStatus {\n      version\n      queuedBatches\n      runningBatches\n      oldestBatchSeconds\n      endedLastHour\n      workers\n      databaseBytes\n      newestRateDay\n    }\n  }\n"): typeof import('./graphql').ServerStatusDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment BatchParts on PriceBatch {\n    id\n    number\n    status\n    source\n    uploader\n    itemCount\n    acceptedCount\n    rejectedCount\n    priceDayCount\n    laneCount\n    firstDay\n    lastDay\n    progress\n    failure\n    createdAt\n    rejectionsUrl\n  }\n"): typeof import('./graphql').BatchPartsFragmentDoc;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment ProblemParts on UserError {\n    item\n    field\n    code\n    message\n    value\n  }\n"): typeof import('./graphql').ProblemPartsFragmentDoc;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Uploader {\n    viewer {\n      name\n      scopes\n    }\n  }\n"): typeof import('./graphql').UploaderDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query EarlierBatches($rejectKey: String!, $skipKey: String!) {\n    reject: batchByKey(idempotencyKey: $rejectKey) {\n      ...BatchParts\n    }\n    skip: batchByKey(idempotencyKey: $skipKey) {\n      ...BatchParts\n    }\n  }\n"): typeof import('./graphql').EarlierBatchesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query BatchByKey($key: String!) {\n    batchByKey(idempotencyKey: $key) {\n      ...BatchParts\n    }\n  }\n"): typeof import('./graphql').BatchByKeyDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation CheckPriceFile($file: Upload!, $input: UploadPriceFileInput!) {\n    uploadPriceFile(file: $file, input: $input) {\n      userErrors {\n        ...ProblemParts\n      }\n      warnings {\n        ...ProblemParts\n      }\n      preview {\n        itemCount\n        acceptedCount\n        rejectedCount\n        priceDayCount\n        laneCount\n        firstDay\n        lastDay\n        newAverageCount\n        changes {\n          origin {\n            code\n            name\n          }\n          destination {\n            code\n            name\n          }\n          day\n          averageBefore\n          averageAfter\n          countBefore\n          countAfter\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').CheckPriceFileDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation UploadPriceFile($file: Upload!, $input: UploadPriceFileInput!) {\n    uploadPriceFile(file: $file, input: $input) {\n      batch {\n        ...BatchParts\n      }\n      userErrors {\n        ...ProblemParts\n      }\n    }\n  }\n"): typeof import('./graphql').UploadPriceFileDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription BatchProgress($id: ID!) {\n    batchProgress(id: $id) {\n      ...BatchParts\n    }\n  }\n"): typeof import('./graphql').BatchProgressDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query UploadHistory($first: Int, $after: String, $last: Int, $before: String, $status: BatchStatus) {\n    batches(first: $first, after: $after, last: $last, before: $before, status: $status) {\n      totalCount\n      pageInfo {\n        hasNextPage\n        hasPreviousPage\n        startCursor\n        endCursor\n      }\n      edges {\n        node {\n          ...BatchParts\n        }\n      }\n    }\n  }\n"): typeof import('./graphql').UploadHistoryDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation RevertBatch($id: ID!) {\n    revertBatch(id: $id) {\n      batch {\n        ...BatchParts\n      }\n      userErrors {\n        code\n        message\n      }\n    }\n  }\n"): typeof import('./graphql').RevertBatchDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
