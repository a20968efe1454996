import type { PricedLanesQuery } from '../../gql/graphql';
import type { Place } from '../data/model';
import type { Lane } from '../state/view';
import { texts } from '../texts';

/** A lane to begin with. */
export interface Example {
  lane: Lane;
  name: string;
  isThin: boolean;
}

/** Lanes that the demo data are made for. */
const DEMO: [Place, Place][] = [
  [{ key: 'china_main', name: 'China Main' }, { key: 'north_europe_main', name: 'North Europe Main' }],
  [{ key: 'CNSGH', name: 'Shanghai' }, { key: 'NLRTM', name: 'Rotterdam' }],
];
export const DEMO_LANE: Lane = { origin: 'china_main', destination: 'north_europe_main' };
/** A thin lane has averages, on fewer than this part of the days of the best lane. */
const THIN = 0.95;

type Edges = NonNullable<PricedLanesQuery['lanes']>['edges'];

/** Up to three lanes of the data: the best one, the same between its regions, and a thin one. */
export function findExamples(edges: Edges, isDemo: boolean): Example[] {
  const lanes = edges.map(({ node }) => node).sort((one, other) => other.averageDays - one.averageDays);
  const [best] = lanes;
  if (!best) return [];
  const thin = lanes.find(({ averageDays }) => averageDays > 0 && averageDays < best.averageDays * THIN);
  const { origin, destination } = best;
  const full: [Place, Place][] = isDemo ? DEMO : [[origin, destination]];
  if (!isDemo && origin.parent && destination.parent) full.push([origin.parent, destination.parent]);
  const examples = full.map(([from, to]) => build(from, to, false));
  return thin ? [...examples, build(thin.origin, thin.destination, true)] : examples;
}

const build = (origin: Place, destination: Place, isThin: boolean): Example => ({
  lane: { origin: origin.key, destination: destination.key },
  name: texts.lane(origin.name, destination.name),
  isThin,
});
