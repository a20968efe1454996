import type { LocationPageQuery } from '../gql/graphql';

export type Found = NonNullable<LocationPageQuery['locations']>['edges'][number]['node'];

/** A location in its place. */
export interface Place {
  key: string;
  name: string;
  isPort: boolean;
  parent: Place | null;
  children: Place[];
  /** Number of ports below, or 1 for a port. */
  portCount: number;
}

export interface Tree {
  roots: Place[];
  byKey: Map<string, Place>;
}

/** The tree of all locations. Children keep the order of the list, which is that of names, with regions before ports. */
export function buildTree(found: Found[]): Tree {
  const byKey = new Map(found.map((location) => [location.key, toPlace(location)]));
  const roots: Place[] = [];
  for (const { key, parent } of found) {
    const place = byKey.get(key)!;
    place.parent = byKey.get(parent?.key ?? '') ?? null;
    (place.parent?.children ?? roots).push(place);
  }
  for (const root of roots) finish(root);
  return { roots, byKey };
}

function toPlace({ __typename, key, name }: Found): Place {
  return { key, name, isPort: __typename === 'Port', parent: null, children: [], portCount: 0 };
}

function finish(place: Place): number {
  place.children.sort((one, other) => Number(one.isPort) - Number(other.isPort));
  place.portCount = place.isPort ? 1 : place.children.reduce((sum, child) => sum + finish(child), 0);
  return place.portCount;
}

/** The regions above, the nearest first. */
export function ancestorsOf(place: Place): Place[] {
  return place.parent ? [place.parent, ...ancestorsOf(place.parent)] : [];
}

export const isWithin = (place: Place, region: Place): boolean => place === region || ancestorsOf(place).includes(region);

/** Regions whose averages change when the place moves: those that it leaves and those that it joins. */
export function findAffected(place: Place, parent: Place | null): Place[] {
  const before = new Set(ancestorsOf(place));
  const after = new Set(parent ? [parent, ...ancestorsOf(parent)] : []);
  return [...[...before].filter((region) => !after.has(region)), ...[...after].filter((region) => !before.has(region))];
}

/** All regions in the order of the tree, with their depth. */
export function listRegions(places: Place[], depth = 0): { place: Place; depth: number }[] {
  return places
    .filter((place) => !place.isPort)
    .flatMap((place) => [{ place, depth }, ...listRegions(place.children, depth + 1)]);
}
