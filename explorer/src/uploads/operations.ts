/** The operations of the page. */
import { graphql } from '../gql';
import type { BatchPartsFragment, CheckPriceFileMutation } from '../gql/graphql';

export type Batch = BatchPartsFragment;
export type CheckPayload = NonNullable<CheckPriceFileMutation['uploadPriceFile']>;
export type Preview = NonNullable<CheckPayload['preview']>;
export type Change = Preview['changes'][number];
export type Problem = CheckPayload['userErrors'][number];

graphql(`
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
`);

graphql(`
  fragment ProblemParts on UserError {
    item
    field
    code
    message
    value
  }
`);

export const VIEWER = graphql(`
  query Uploader {
    viewer {
      name
      scopes
    }
  }
`);

/** The batches that this content has become before, under either choice for invalid items. */
export const EARLIER = graphql(`
  query EarlierBatches($rejectKey: String!, $skipKey: String!) {
    reject: batchByKey(idempotencyKey: $rejectKey) {
      ...BatchParts
    }
    skip: batchByKey(idempotencyKey: $skipKey) {
      ...BatchParts
    }
  }
`);

export const BATCH_BY_KEY = graphql(`
  query BatchByKey($key: String!) {
    batchByKey(idempotencyKey: $key) {
      ...BatchParts
    }
  }
`);

export const CHECK = graphql(`
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
`);

export const UPLOAD = graphql(`
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
`);

export const PROGRESS = graphql(`
  subscription BatchProgress($id: ID!) {
    batchProgress(id: $id) {
      ...BatchParts
    }
  }
`);

export const HISTORY = graphql(`
  query UploadHistory($first: Int, $after: String, $last: Int, $before: String, $status: BatchStatus) {
    batches(first: $first, after: $after, last: $last, before: $before, status: $status) {
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
`);

export const REVERT = graphql(`
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
`);
