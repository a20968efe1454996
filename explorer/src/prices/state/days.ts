import type { Interval } from '../../gql/graphql';

/** Calendar days as `YYYY-MM-DD` in UTC, as the API has them. */
export type Day = string;

const MS_PER_DAY = 86_400_000;

export const toTime = (day: Day): number => Date.parse(`${day}T00:00:00Z`);
export const toDay = (time: number): Day => new Date(time).toISOString().slice(0, 10);
export const addDays = (day: Day, count: number): Day => toDay(toTime(day) + count * MS_PER_DAY);
/** Number of days from one day to another, both inclusive. */
export const countDays = (from: Day, to: Day): number => (toTime(to) - toTime(from)) / MS_PER_DAY + 1;

/**
 * Whether the text is a day that exists and that the server knows. While a year is typed, browsers report the days of the years 2, 20
 * and 202 before that of 2026.
 */
export const isDay = (text: string | null): text is Day =>
  text !== null && /^(19[7-9]|20\d)\d-\d\d-\d\d$/.test(text) && !Number.isNaN(toTime(text)) && toDay(toTime(text)) === text;

/** The first day of the week (Monday), month, quarter or year that a day is in. */
export function startOf(day: Day, interval: Interval): Day {
  const [year, month] = [day.slice(0, 4), Number(day.slice(5, 7))];
  switch (interval) {
    case 'DAY':
      return day;
    case 'WEEK':
      return addDays(day, -((new Date(toTime(day)).getUTCDay() + 6) % 7));
    case 'MONTH':
      return `${day.slice(0, 7)}-01`;
    case 'QUARTER':
      return `${year}-${String(month - ((month - 1) % 3)).padStart(2, '0')}-01`;
    case 'YEAR':
      return `${year}-01-01`;
  }
}

/** The same day a number of months earlier; the last day of the month if that month is shorter. */
export function subtractMonths(day: Day, months: number): Day {
  const date = new Date(toTime(day));
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - months + 1, 0)).getUTCDate();
  return toDay(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - months, Math.min(date.getUTCDate(), last)));
}
