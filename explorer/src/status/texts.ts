import { texts as frame } from '../frame/texts';

const count = (number: number): string => number.toLocaleString(frame.locale);

/** Texts of the page for operators. */
export const texts = {
  title: 'Status',
  lead: 'The installation at a glance, refreshed every five seconds.',
  loading: 'Loading…',
  adminOnly: 'The status is for administrators. Use a token with the scope “admin”.',
  enterToken: 'Enter a token…',
  asOf: (time: string) => `As of ${time}.`,

  good: 'Everything is running.',
  noWorkers: 'Batches are waiting, but no worker is connected. Start one with “ratesgraph worker”.',
  idleWithoutWorkers: 'No worker is connected: uploads will wait until one is started with “ratesgraph worker”.',
  slowQueue: (age: string) => `The oldest batch has been waiting for ${age}. Start more workers, or run them on faster machines.`,
  oldRates: (days: number) =>
    `The newest exchange rate is ${count(days)} days old. Prices in currencies other than the US dollar are rejected for days more than 14 days after it. Run “ratesgraph rates refresh”.`,
  noRates: 'There are no exchange rates: only prices in US dollars are accepted. Run “ratesgraph rates refresh”.',

  queue: 'Queue',
  queued: 'Batches waiting',
  running: 'Batches being applied',
  oldest: 'Age of the oldest',
  perHour: 'Finished in the last hour',
  workers: 'Workers connected',
  storage: 'Data',
  databaseSize: 'Size of the database',
  newestRate: 'Newest exchange rate',
  version: 'Version of the server',
  none: 'none',
  count,
  age: (seconds: number) => {
    if (seconds < 120) return `${Math.round(seconds)} s`;
    if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
    return `${count(Math.round(seconds / 3_600))} h`;
  },
  bytes: (bytes: number) => {
    const power = Math.max(2, Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 4));
    return `${(bytes / 1_000 ** power).toLocaleString(frame.locale, { maximumFractionDigits: 1 })} ${['MB', 'GB', 'TB'][power - 2]}`;
  },
  details: 'More metrics, for Prometheus: /metrics.',
};
