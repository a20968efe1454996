// A pagination fragment for every connection of the schema. Each pages in both directions and refetches itself.
import { graphql } from 'relay-runtime';

export const locations = graphql`
  fragment Connections_locations on Query
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" }, last: { type: "Int" }, before: { type: "String" })
  @refetchable(queryName: "ConnectionsLocationsQuery") {
    list: locations(first: $first, after: $after, last: $last, before: $before) @connection(key: "Locations_list") {
      edges {
        node {
          key
        }
      }
    }
  }
`;

export const batches = graphql`
  fragment Connections_batches on Query
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" }, last: { type: "Int" }, before: { type: "String" })
  @refetchable(queryName: "ConnectionsBatchesQuery") {
    list: batches(first: $first, after: $after, last: $last, before: $before) @connection(key: "Batches_list") {
      edges {
        node {
          number
        }
      }
    }
  }
`;

export const lanes = graphql`
  fragment Connections_lanes on PriceBatch
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" }, last: { type: "Int" }, before: { type: "String" })
  @refetchable(queryName: "ConnectionsLanesQuery") {
    list: lanes(first: $first, after: $after, last: $last, before: $before) @connection(key: "Lanes_list") {
      edges {
        node {
          origin {
            code
          }
        }
      }
    }
  }
`;

export const rejections = graphql`
  fragment Connections_rejections on PriceBatch
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" }, last: { type: "Int" }, before: { type: "String" })
  @refetchable(queryName: "ConnectionsRejectionsQuery") {
    list: rejections(first: $first, after: $after, last: $last, before: $before) @connection(key: "Rejections_list") {
      edges {
        node {
          item
          code
        }
      }
    }
  }
`;
