import { request } from '../../frame/api';
import type { PartnersQuery, PlacesQuery } from '../../gql/graphql';
import { PARTNERS, PLACES } from '../data/operations';
import type { Place } from '../data/model';

/** A port or region to choose. */
export interface Option extends Place {
  kind: 'Port' | 'Region';
  /** Names of the regions above it, the root first. */
  path: string[];
  /** Whether it has prices with the other end; null if that is not known. */
  isPriced: boolean | null;
}

/** The ports and regions that have prices with one end of a lane. */
export interface Partners {
  /** The regions of most ports, then the ports with most averages. */
  options: Option[];
  keys: ReadonlySet<string>;
}

type Node = PlacesQuery['locations'] extends infer L ? (L extends { edges: { node: infer N }[] } ? N : never) : never;

const MAX_REGIONS = 4;

/** Ports and regions that match a text, best first as the server ranks them; those with prices before the others. */
export async function searchPlaces(search: string, partners: Partners | null, signal: AbortSignal): Promise<Option[]> {
  const answer = await request(PLACES, { search }, signal);
  const options = (answer.locations?.edges ?? []).map(({ node }) => buildOption(node, partners ? partners.keys.has(node.key) : null));
  return [...options.filter(({ isPriced }) => isPriced !== false), ...options.filter(({ isPriced }) => isPriced === false)];
}

/** What has prices from an origin, or to a destination; null if there is too much to know all. */
export async function loadPartners(end: 'origin' | 'destination', key: string, signal: AbortSignal): Promise<Partners | null> {
  const answer = await request(PARTNERS, { [end]: key }, signal);
  const lanes = answer.lanes;
  if (!lanes || lanes.pageInfo.hasNextPage) return null;
  return collectPartners(lanes.edges, end === 'origin' ? 'destination' : 'origin');
}

type Edges = NonNullable<PartnersQuery['lanes']>['edges'];

function collectPartners(edges: Edges, side: 'origin' | 'destination'): Partners {
  const ports = new Map<string, Option>();
  const regions = new Map<string, Option & { ports: number }>();
  const byAverages = edges.toSorted((one, other) => other.node.averageDays - one.node.averageDays);
  for (const { node } of byAverages) {
    const port = node[side];
    if (ports.has(port.key)) continue;
    ports.set(port.key, buildOption(port, true));
    const above = port.ancestors ?? [];
    above.forEach(({ key, name }, level) => {
      const path = above.slice(level + 1).map((region) => region.name).reverse();
      const region = regions.get(key) ?? { key, name, kind: 'Region', path, isPriced: true, ports: 0 };
      regions.set(key, { ...region, ports: region.ports + 1 });
    });
  }
  const largest = [...regions.values()].sort((one, other) => other.ports - one.ports).slice(0, MAX_REGIONS);
  return { options: [...largest, ...ports.values()], keys: new Set([...ports.keys(), ...regions.keys()]) };
}

const buildOption = ({ __typename, key, name, ancestors }: Node, isPriced: boolean | null): Option => ({
  key,
  name,
  kind: __typename,
  path: (ancestors ?? []).map((region) => region.name).reverse(),
  isPriced,
});
