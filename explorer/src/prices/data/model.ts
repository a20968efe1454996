import type { Interval, NullReason, SeriesQuery } from '../../gql/graphql';
import { isSameLane, type Lane } from '../state/view';
import { texts } from '../texts';

export interface Place {
  key: string;
  name: string;
}

/** The figures of a lane, one entry per bucket. */
export interface LaneSeries {
  /** The lane as the address has it. */
  lane: Lane;
  /** Its place among the lanes of the page, which gives colour and dash. */
  place: number;
  asked: { origin: Place; destination: Place };
  /** The market that the figures belong to: the lane, or a larger market. */
  shown: { origin: Place; destination: Place };
  originLevelsUp: number;
  destinationLevelsUp: number;
  averages: (number | null)[];
  counts: number[];
  reasons: (NullReason | null)[];
}

/** The series of all lanes with their common buckets. */
export interface SeriesSet {
  currency: string;
  interval: Interval;
  from: string[];
  to: string[];
  partial: boolean[];
  lanes: LaneSeries[];
  downloads: { csv: string; parquet: string };
}

/** Lowest, highest and quartiles of a lane, one entry per bucket. */
export interface PriceRange {
  lows: (number | null)[];
  highs: (number | null)[];
  p25: (number | null)[];
  p75: (number | null)[];
  /** The largest relative error of these figures; 0 if they are exact. */
  error: number;
}

type Answer = NonNullable<SeriesQuery['priceSeries']>;

/** Builds the series of a response to a query for the lanes `asked`. `shown` are all lanes of the page. */
export function buildSeriesSet(answer: Answer, asked: Lane[], shown: Lane[]): SeriesSet {
  const lanes = answer.lanes.flatMap((series, index) => {
    const lane = asked[index];
    const place = lane ? shown.findIndex((other) => isSameLane(lane, other)) : -1;
    if (!series || !lane || place < 0) return [];
    const askedEnds = { origin: series.askedOrigin ?? named(lane.origin), destination: series.askedDestination ?? named(lane.destination) };
    const shownEnds = { origin: series.origin ?? askedEnds.origin, destination: series.destination ?? askedEnds.destination };
    return [{
      lane,
      place,
      asked: askedEnds,
      shown: shownEnds,
      originLevelsUp: series.originLevelsUp,
      destinationLevelsUp: series.destinationLevelsUp,
      averages: series.averages,
      counts: series.counts,
      reasons: series.nullReasons,
    }];
  });
  const { currency, interval, from, to, partial, csv, parquet } = answer;
  return { currency, interval, from, to, partial, lanes, downloads: { csv, parquet } };
}

const named = (key: string): Place => ({ key, name: key });

/** The name of a lane. */
export const nameOf = (ends: { origin: Place; destination: Place }): string =>
  texts.lane(ends.origin.name, ends.destination.name);

export const isWidened = (series: LaneSeries): boolean => series.originLevelsUp + series.destinationLevelsUp > 0;

/** Whether no more than half of the buckets have an average. */
export const isSparse = (series: LaneSeries): boolean =>
  series.averages.filter((average) => average !== null).length * 2 < series.averages.length;

/** A larger market in place of a lane. */
export interface Market {
  shown: { origin: Place; destination: Place };
  originLevelsUp: number;
  destinationLevelsUp: number;
  /** Median of the number of prices per bucket. */
  typicalCount: number;
}

/** What a card says about a lane. */
export interface Summary {
  /** The last bucket with an average, or -1. */
  last: number;
  /** From the first average to the last, in percent. */
  changePercent: number | null;
  mostPrices: number;
}

export function summarize({ averages, counts }: LaneSeries): Summary {
  const last = averages.findLastIndex((average) => average !== null);
  const first = averages.findIndex((average) => average !== null);
  const [start, end] = [averages[first], averages[last]];
  const changePercent = start && end != null && last > first ? ((end - start) / Math.abs(start)) * 100 : null;
  return { last, changePercent, mostPrices: Math.max(0, ...counts) };
}
