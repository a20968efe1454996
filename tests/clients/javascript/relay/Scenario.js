// The operations of `scenario.mjs`, for the compiler of Relay.
import { graphql } from 'relay-runtime';

export const averages = graphql`
  query ScenarioAveragesQuery($origin: String!, $destination: String!) {
    averagePrices(origin: $origin, destination: $destination, dateFrom: "2024-01-01", dateTo: "2024-01-02") {
      day
      averagePrice
      priceCount
    }
  }
`;

export const upload = graphql`
  mutation ScenarioUploadMutation($input: UploadPricesInput!) {
    uploadPrices(input: $input) {
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
`;

export const uploadFile = graphql`
  mutation ScenarioUploadFileMutation($file: Upload!, $input: UploadPriceFileInput) {
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
`;

export const progress = graphql`
  subscription ScenarioProgressSubscription($id: ID!) {
    batchProgress(id: $id) {
      status
      progress
    }
  }
`;

export const node = graphql`
  query ScenarioNodeQuery($id: ID!) {
    node(id: $id) {
      ... on PriceBatch {
        status
      }
    }
  }
`;

export const revert = graphql`
  mutation ScenarioRevertMutation($id: ID!) {
    revertBatch(id: $id) {
      batch {
        status
      }
      userErrors {
        code
      }
    }
  }
`;
