import type uPlot from 'uplot';
import { formatAmount } from '../data/format';
import { texts } from '../texts';
import type { Colours } from './colours';

const DAY = 86_400;
const MONTH = 30 * DAY;
const YEAR = 365 * DAY;
/** Steps of the days below a chart, in seconds; uPlot begins those from a month on at the first of a month. */
const STEPS = [
  ...[1, 2, 7].map((days) => days * DAY),
  ...[1, 2, 3, 4, 6].map((months) => months * MONTH),
  ...[1, 2, 5, 10].map((years) => years * YEAR),
];
const FONT = '12px system-ui, sans-serif';
/** Width of the amounts to the left: the same in both charts, or their days would not align. */
export const LEFT_SIZE = { wide: 64, narrow: 52 };
const MONTH_NAME = new Intl.DateTimeFormat(texts.locale, { month: 'short', timeZone: 'UTC' });

const base = (colours: Colours): uPlot.Axis => ({
  stroke: colours.muted,
  font: FONT,
  grid: { stroke: colours.grid, width: 1 },
  ticks: { stroke: colours.line, width: 1, size: 5 },
});

/** The days below a chart. Steps are no shorter than a bucket. */
export const dayAxis = (colours: Colours, bucketDays: number): uPlot.Axis => ({
  ...base(colours),
  incrs: STEPS.filter((step) => step >= bucketDays * DAY),
  space: 56,
  size: 46,
  gap: 4,
  values: (_plot, times, _axis, _space, step) => times.map((time, index) => nameDay(time, step, times[index - 1])),
});

/** The day of a tick, with the year below it where that changes. */
function nameDay(time: number, step: number, before: number | undefined): string {
  const [date, last] = [new Date(time * 1_000), before === undefined ? null : new Date(before * 1_000)];
  const year = date.getUTCFullYear();
  if (step >= YEAR) return String(year);
  const name = step >= MONTH ? MONTH_NAME.format(date) : `${date.getUTCDate()} ${MONTH_NAME.format(date)}`;
  return last?.getUTCFullYear() === year ? name : `${name}\n${year}`;
}

export const amountAxis = (colours: Colours, currency: string, isNarrow: boolean): uPlot.Axis => ({
  ...base(colours),
  size: isNarrow ? LEFT_SIZE.narrow : LEFT_SIZE.wide,
  space: 44,
  values: (_plot, amounts, _axis, _space, step) => {
    const decimals = step < 1 ? 2 : 0;
    return amounts.map((amount) => formatAmount(amount, currency, decimals));
  },
});

export const countAxis = (colours: Colours, isNarrow: boolean): uPlot.Axis => ({
  ...base(colours),
  size: isNarrow ? LEFT_SIZE.narrow : LEFT_SIZE.wide,
  // The largest count and zero are enough for a strip.
  splits: (_plot, _axis, _min, max) => [0, max],
  values: (_plot, counts) => counts.map((count) => count.toLocaleString(texts.locale)),
});
