/** The operations of the page. */
import { graphql } from '../gql';
import type { LocationDetailsQuery } from '../gql/graphql';

export type Details = LocationDetailsQuery;

export const VIEWER = graphql(`
  query TreeViewer {
    viewer {
      scopes
    }
  }
`);

export const PAGE = graphql(`
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
`);

export const SEARCH = graphql(`
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
`);

/** The lanes with prices from and to a location. */
export const DETAILS = graphql(`
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
  }
`);

graphql(`
  fragment ChangeParts on ChangeTreePayload {
    addedCount
    movedCount
    userErrors {
      field
      code
      message
    }
  }
`);

/** A location as it is now: the tree of the page may be older. */
export const CURRENT = graphql(`
  query CurrentLocation($key: String!) {
    location(key: $key) {
      key
      name
      parent {
        key
      }
    }
  }
`);

export const SAVE_REGION = graphql(`
  mutation SaveRegion($region: RegionInput!) {
    change: upsertRegions(regions: [$region]) {
      ...ChangeParts
    }
  }
`);

export const SAVE_PORT = graphql(`
  mutation SavePort($port: PortInput!) {
    change: upsertPorts(ports: [$port]) {
      ...ChangeParts
    }
  }
`);

export const MOVE = graphql(`
  mutation MoveLocation($key: String!, $parentSlug: String) {
    change: moveLocation(key: $key, parentSlug: $parentSlug) {
      ...ChangeParts
    }
  }
`);
