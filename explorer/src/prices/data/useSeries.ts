import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../../frame/api';
import { useQuery } from '../../frame/useQuery';
import type { SeriesQueryVariables } from '../../gql/graphql';
import { daysOf, type Period } from '../state/period';
import type { Lane, View } from '../state/view';
import { buildSeriesSet, isSparse, isWidened, type LaneSeries, type Market, type PriceRange, type SeriesSet } from './model';
import { MARKET, RANGE, SERIES } from './operations';

/** A lane falls back to larger markets until half of its buckets have an average. */
export const FALLBACK = { maxLevels: 20, coverage: 0.5 };

/** An end of a lane that the server does not know. */
export interface UnknownEnd {
  end: 'origin' | 'destination';
  suggestions: string[];
}

export interface SeriesState {
  set: SeriesSet | null;
  variables: SeriesQueryVariables;
  /** The variables that `set` belongs to. */
  answered: SeriesQueryVariables | null;
  /** Lanes with an unknown end, by `laneKey`. */
  unknown: ReadonlyMap<string, UnknownEnd>;
  error: ApiError | null;
  isLoading: boolean;
  reload: () => void;
}

export const laneKey = ({ origin, destination }: Lane): string => `${origin}~${destination}`;

/** Averages and counts of all lanes of a view. A lane with an unknown end is left out, and reported instead. */
export function useSeries(view: View, data: Period): SeriesState {
  const [unknown, setUnknown] = useState<ReadonlyMap<string, UnknownEnd>>(new Map());
  const lanes = view.lanes.filter((lane) => !unknown.has(laneKey(lane)));
  const { from, to } = typeof view.period === 'string' ? daysOf(view.period, data) : view.period;
  const { interval, currency } = view;
  const variables = { lanes, from, to, interval, currency, fallback: view.isWider ? FALLBACK : null };
  const query = useQuery(SERIES, lanes.length > 0 ? variables : null);
  const unknownEnd = findUnknownEnd(query.error, lanes);
  useEffect(() => {
    if (unknownEnd) setUnknown((before) => new Map(before).set(laneKey(unknownEnd.lane), unknownEnd));
  }, [query.error]);
  const answer = query.data?.priceSeries;
  const asked = query.answered?.lanes as Lane[] | undefined;
  const set = useMemo(
    () => (answer && asked && lanes.length > 0 ? buildSeriesSet(answer, asked, view.lanes) : null),
    [answer, asked, view.lanes, lanes.length],
  );
  const { answered, isLoading, reload } = query;
  return { set, variables, answered, unknown, error: unknownEnd ? null : query.error, isLoading, reload };
}

function findUnknownEnd(error: ApiError | null, lanes: Lane[]): (UnknownEnd & { lane: Lane }) | null {
  if (error?.code !== 'UNKNOWN_LOCATION') return null;
  const [, place, end] = /^lanes\.(\d+)\.(origin|destination)$/.exec(String(error.extensions.argument)) ?? [];
  const lane = lanes[Number(place)];
  if (!lane || (end !== 'origin' && end !== 'destination')) return null;
  const { suggestions } = error.extensions;
  return { lane, end, suggestions: Array.isArray(suggestions) ? suggestions.map(String) : [] };
}

const daysAndUnits = ({ from, to, interval, currency }: SeriesQueryVariables) => ({ from, to, interval, currency });

export interface RangeState {
  range: PriceRange | null;
  error: ApiError | null;
}

/** The range of the selected lane, queried as soon as its averages have arrived. */
export function useRange({ set, answered: asked }: SeriesState, series: LaneSeries | undefined): RangeState {
  const lanes = series && [{ origin: series.shown.origin.key, destination: series.shown.destination.key }];
  const hasAverages = series?.averages.some((average) => average !== null) ?? false;
  const variables = asked && lanes && hasAverages ? { ...daysAndUnits(asked), lanes } : null;
  const { data, answered, error, reload } = useQuery(RANGE, variables);
  // New averages for the same variables, after a change of prices: the range is queried again too.
  const before = useRef({ set, key: '' });
  const key = JSON.stringify(variables);
  useEffect(() => {
    if (variables && before.current.key === key && before.current.set !== set) reload();
    before.current = { set, key };
  }, [set, key]);
  const found = data?.priceSeries?.lanes[0];
  const isCurrent = JSON.stringify(answered) === key;
  if (!found || !isCurrent || data.priceSeries?.from.length !== set?.from.length) return { range: null, error };
  const { lows, highs, p25, p75, statisticsError } = found;
  return { range: lows && highs && p25 && p75 ? { lows, highs, p25, p75, error: statisticsError } : null, error };
}

/** The larger market with enough prices for a lane with few prices, if there is one. */
export function useMarket({ answered: asked }: SeriesState, series: LaneSeries | undefined): Market | null {
  const isAsked = asked && series && !isWidened(series) && isSparse(series);
  const { data } = useQuery(MARKET, isAsked ? { ...daysAndUnits(asked), lanes: [series.lane], fallback: FALLBACK } : null);
  const found = isAsked ? data?.priceSeries?.lanes[0] : null;
  if (!found?.sufficient || !found.origin || !found.destination) return null;
  const { origin, destination, originLevelsUp, destinationLevelsUp, counts } = found;
  if (originLevelsUp + destinationLevelsUp === 0) return null;
  return { shown: { origin, destination }, originLevelsUp, destinationLevelsUp, typicalCount: median(counts) };
}

const median = (counts: number[]): number => counts.toSorted((one, other) => one - other)[counts.length >> 1] ?? 0;
