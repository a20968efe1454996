/** Calendar days as `YYYY-MM-DD` in UTC, as the API has them. */
export type Day = string;

const MS_PER_DAY = 86_400_000;

export const toTime = (day: Day): number => Date.parse(`${day}T00:00:00Z`);
export const toDay = (time: number): Day => new Date(time).toISOString().slice(0, 10);
export const addDays = (day: Day, count: number): Day => toDay(toTime(day) + count * MS_PER_DAY);
/** Number of days from one day to another, both inclusive. */
export const countDays = (from: Day, to: Day): number => (toTime(to) - toTime(from)) / MS_PER_DAY + 1;

/** Whether the text is a day that exists: browsers accept 2026-02-31 in a URL, and so must this page. */
export const isDay = (text: string | null): text is Day =>
  text !== null && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(toTime(text)) && toDay(toTime(text)) === text;

/** The day so many months earlier; the last of the month if that is shorter. */
export function subtractMonths(day: Day, months: number): Day {
  const date = new Date(toTime(day));
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - months + 1, 0)).getUTCDate();
  return toDay(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - months, Math.min(date.getUTCDate(), last)));
}
