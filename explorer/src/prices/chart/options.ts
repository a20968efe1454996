import uPlot from 'uplot';
import type { Interval } from '../../gql/graphql';
import type { Reading } from '../data/describe';
import type { LaneSeries } from '../data/model';
import { startOf, toTime } from '../state/days';
import { amountAxis, countAxis, dayAxis } from './axes';
import { type Colours, DASHES } from './colours';
import { shadeGaps } from './shading';
import type { Zoom } from './zoom';

const DAY_SECONDS = 86_400;
const BUCKET_DAYS: Record<Interval, number> = { DAY: 1, WEEK: 7, MONTH: 30, QUARTER: 91, YEAR: 365 };
/** Series of the selected lane's range come first, so that the lines are drawn over them. */
const RANGE_SERIES = 4;
const PADDING: uPlot.Padding = [10, 14, 0, 0];
const SYNC_KEY = 'prices';

export interface ChartInput extends Reading {
  colours: Colours;
  width: number;
  isNarrow: boolean;
  /** Opacity of the range, which fades in. */
  fade: () => number;
}

const selectedOf = ({ set, selected }: Reading): LaneSeries | undefined => set.lanes.find(({ place }) => place === selected);
/** Times of the buckets. One that the period cuts off stands where it would begin as a whole, at the same distance as the others. */
const timesOf = ({ set }: Reading): number[] => set.from.map((day) => toTime(startOf(day, set.interval)) / 1_000);

export function priceData(input: Reading): uPlot.AlignedData {
  const { set, range } = input;
  const none = set.from.map(() => null);
  const ranges = [range?.lows ?? none, range?.highs ?? none, range?.p25 ?? none, range?.p75 ?? none];
  return [timesOf(input), ...ranges, ...set.lanes.map(({ averages }) => averages)];
}

export const countData = (input: Reading): uPlot.AlignedData => [timesOf(input), selectedOf(input)?.counts ?? []];

/** The chart of prices: the averages of all lanes, over the range and the gaps of the selected one. */
export function priceOptions(input: ChartInput): uPlot.Options {
  const { set, selected, colours, isNarrow, fade } = input;
  const series = selectedOf(input);
  const colour = colours.lanes[selected] ?? colours.ink;
  const range = (): uPlot.Series => ({ width: 0, points: { show: false } });
  return {
    ...common(input),
    height: isNarrow ? 270 : 350,
    scales: { x: { range: rangeOfDays(input) }, y: { range: rangeOfAmounts } },
    axes: [dayAxis(colours, BUCKET_DAYS[set.interval]), amountAxis(colours, set.currency, isNarrow)],
    series: [{}, ...Array.from({ length: RANGE_SERIES }, range), ...set.lanes.map((lane) => line(lane, lane.place === selected, colours))],
    bands: [
      { series: [2, 1], fill: () => fadeColour(colour, 0.13 * fade()) },
      { series: [4, 3], fill: () => fadeColour(colour, 0.2 * fade()) },
    ],
    hooks: { drawClear: [(plot) => series && shadeGaps(plot, series, colours, bucketWidth(input))] },
  };
}

/** The strip below it: the number of prices of the selected lane. */
export function countOptions(input: ChartInput): uPlot.Options {
  const { set, selected, colours, isNarrow } = input;
  const colour = colours.lanes[selected] ?? colours.ink;
  // Bars of a day would be thinner than a pixel.
  const paths = set.interval === 'DAY' ? uPlot.paths.stepped?.({ align: 1, extend: true }) : uPlot.paths.bars?.({ size: [0.9] });
  return {
    ...common(input),
    height: 74,
    scales: { x: { range: rangeOfDays(input) }, y: { range: (_plot, _min, max) => [0, Math.max(1, max)] } },
    axes: [{ ...dayAxis(colours, BUCKET_DAYS[set.interval]), size: 6, values: (_plot, times) => times.map(() => '') }, countAxis(colours, isNarrow)],
    series: [{}, { stroke: colour, width: 1, fill: fadeColour(colour, 0.3), points: { show: false }, ...(paths ? { paths } : {}) }],
  };
}

function common({ set, colours, width }: ChartInput): Omit<uPlot.Options, 'height' | 'series'> {
  return {
    width,
    padding: PADDING,
    legend: { show: false },
    // Days are UTC. The browser's time zone would move them.
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
    cursor: {
      y: false,
      sync: { key: SYNC_KEY, scales: ['x', null] },
      // A zoom comes back with the next drawing, as the address has it.
      drag: { x: true, y: false, dist: 6, setScale: false },
      points: {
        // Only the lines have points, not the edges of the range and not the counts.
        size: (plot, index) => (plot.series.length > 2 && index > RANGE_SERIES ? 8 : 0),
        fill: (_plot, index) => colours.lanes[set.lanes[index - RANGE_SERIES - 1]?.place ?? 0] ?? colours.ink,
      },
    },
  };
}

function line(lane: LaneSeries, isSelected: boolean, colours: Colours): uPlot.Series {
  const { averages, place } = lane;
  const isolated = averages.flatMap((average, index) =>
    average !== null && averages[index - 1] == null && averages[index + 1] == null ? [index] : [],
  );
  return {
    stroke: colours.lanes[place] ?? colours.ink,
    width: isSelected ? 2.5 : 1.75,
    dash: DASHES[place] ?? [],
    // A day between two gaps has no line, so it needs a point to be seen.
    points: { size: 6, space: 24, fill: colours.card, filter: (_plot, _index, isShown) => (isShown ? null : isolated) },
  };
}

const bucketWidth = ({ set }: Reading): number => BUCKET_DAYS[set.interval] * DAY_SECONDS;

/** All days, with half a bucket at both ends; within them, the days of a zoom. */
function rangeOfDays(input: Reading): uPlot.Scale.Range {
  const times = timesOf(input);
  const [first, last] = [times[0] ?? 0, times.at(-1) ?? 0];
  const room = bucketWidth(input) / 2;
  return (_plot, min, max) => [
    min === null || min <= first ? first - room : min,
    max === null || max >= last ? last + room : max,
  ];
}

/** The days of a zoom, with half a bucket at both ends. */
export function scaleOfZoom(input: Reading, { first, last }: Zoom): { min: number; max: number } {
  const times = timesOf(input);
  const room = bucketWidth(input) / 2;
  return { min: (times[first] ?? 0) - room, max: (times[last] ?? 0) + room };
}

/** Not from zero: differences of a few percent must be seen. A level line lies in the middle. */
function rangeOfAmounts(_plot: uPlot, min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const room = (max - min) * 0.08 || Math.max(1, Math.abs(max) * 0.05);
  return [min - room, max + room];
}

/** A computed colour (`rgb(…)`) with an opacity. */
const fadeColour = (colour: string, opacity: number): string =>
  colour.replace(/^rgba?\((\d+), (\d+), (\d+).*\)$/, `rgb($1 $2 $3 / ${opacity})`);
