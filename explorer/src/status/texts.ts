const count = (number: number): string => number.toLocaleString('en');

/** Texts of the page for operators. */
export const texts = {
  title: 'Status',
  lead: 'The installation at a glance. The page asks again every five seconds.',
  loading: 'Loading…',
  adminOnly: 'The status is for admins. Use a token with the scope “admin”.',
  enterToken: 'Enter a token…',
  asOf: (time: string) => `As of ${time}.`,

  good: 'Everything runs.',
  noWorkers: 'No worker is connected, and batches wait. Start one with “ratesgraph worker”.',
  idleWithoutWorkers: 'No worker is connected: uploads will wait until one is started with “ratesgraph worker”.',
  slowQueue: (age: string) => `The oldest batch has waited for ${age}. More workers, or faster ones, would help.`,
  oldRates: (days: number) =>
    `The newest exchange rate is ${count(days)} days old. Prices in other currencies than US dollars are refused for days that lie more than 14 days after it. Run “ratesgraph rates refresh”.`,
  noRates: 'There are no exchange rates: only prices in US dollars are accepted. Run “ratesgraph rates refresh”.',

  queue: 'Queue',
  queued: 'Batches waiting',
  running: 'Batches being applied',
  oldest: 'Oldest of them',
  perHour: 'Ended in the last hour',
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
    return `${(bytes / 1_000 ** power).toLocaleString('en', { maximumFractionDigits: 1 })} ${['MB', 'GB', 'TB'][power - 2]}`;
  },
  details: 'Prometheus reads more figures from /metrics.',
};
