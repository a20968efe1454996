// The operations of `scenario.mjs`. Types of variables and results are generated from them.
import { graphql } from './gql/gql.js';

export const averages = graphql(`
  query Averages($origin: String!, $destination: String!) {
    averagePrices(origin: $origin, destination: $destination, dateFrom: "2024-01-01", dateTo: "2024-01-02") {
      day
      averagePrice
      priceCount
    }
  }
`);

export const upload = graphql(`
  mutation Upload($input: UploadPricesInput!) {
    uploadPrices(input: $input) {
      batch {
        status
        acceptedCount
      }
      userErrors {
        code
      }
    }
  }
`);

export const uploadFile = graphql(`
  mutation UploadFile($file: Upload!, $input: UploadPriceFileInput) {
    uploadPriceFile(file: $file, input: $input) {
      batch {
        id
        status
        acceptedCount
      }
      userErrors {
        code
      }
    }
  }
`);

export const progress = graphql(`
  subscription Progress($id: ID!) {
    batchProgress(id: $id) {
      status
      progress
    }
  }
`);

export const page = graphql(`
  query Page($first: Int, $after: String, $last: Int, $before: String) {
    locations(first: $first, after: $after, last: $last, before: $before) {
      edges {
        node {
          id
          key
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

export const batchNode = graphql(`
  query BatchNode($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on PriceBatch {
        status
        createdAt
      }
    }
  }
`);

export const revert = graphql(`
  mutation Revert($id: ID!) {
    revertBatch(id: $id) {
      batch {
        id
        status
      }
      userErrors {
        code
      }
    }
  }
`);
