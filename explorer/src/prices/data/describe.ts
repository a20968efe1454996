import { texts } from '../texts';
import { formatAmount, formatBucket, formatCount } from './format';
import { type LaneSeries, nameOf, type PriceRange, type SeriesSet } from './model';

/** What there is to read at a bucket of the chart. */
export interface BucketText {
  title: string;
  lanes: { place: number; name: string; text: string }[];
}

export interface Reading {
  set: SeriesSet;
  /** Place of the selected lane, which has a range. */
  selected: number;
  range: PriceRange | null;
}

/** The words for a bucket: of the tooltip, and of the slider for screen readers. */
export function describeBucket({ set, selected, range }: Reading, index: number): BucketText {
  const [from, to] = [set.from[index] ?? '', set.to[index] ?? ''];
  const title = formatBucket(from, to, set.interval);
  const lanes = set.lanes.map((series) => ({
    place: series.place,
    name: nameOf(series.shown),
    text: describeFigures(series, series.place === selected ? range : null, set.currency, index),
  }));
  return { title: set.partial[index] ? texts.chart.partial(title) : title, lanes };
}

function describeFigures(series: LaneSeries, range: PriceRange | null, currency: string, index: number): string {
  const [average, count] = [series.averages[index], series.counts[index] ?? 0];
  if (average == null) return describeReason(series, index);
  const [low, high] = [range?.lows[index], range?.highs[index]];
  const prices = texts.prices(formatCount(count), count);
  const amount = formatAmount(average, currency);
  if (low == null || high == null) return texts.chart.figures(amount, prices);
  return texts.chart.figuresWithRange(amount, formatAmount(low, currency), formatAmount(high, currency), prices);
}

/** Why a bucket has no average. */
export function describeReason({ counts, reasons }: LaneSeries, index: number): string {
  const [reason, count] = [reasons[index], counts[index] ?? 0];
  return reason ? texts.reasons[reason](texts.prices(formatCount(count), count)) : '';
}

export const readAloud = ({ title, lanes }: BucketText): string =>
  [title, ...lanes.map(({ name, text }) => (lanes.length > 1 ? `${name}: ${text}` : text))].join('. ');
