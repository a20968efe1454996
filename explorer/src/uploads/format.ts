/** Numbers and sizes as people read them. */
const DOLLARS = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD' });
const TIME = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const UNITS = ['bytes', 'kB', 'MB', 'GB'];

export const formatCount = (number: number): string => number.toLocaleString('en');

export const formatPrice = (price: number): string => DOLLARS.format(price);

export const formatTime = (time: string): string => TIME.format(new Date(time));

/** The change in percent, with its sign; nothing where the price before was 0. */
export function formatChange(before: number, after: number): string {
  if (before === 0) return '';
  const percent = ((after - before) / Math.abs(before)) * 100;
  const digits = Math.abs(percent) < 10 ? 1 : 0;
  return `${percent > 0 ? '+' : percent < 0 ? '−' : ''}${Math.abs(percent).toLocaleString('en', { maximumFractionDigits: digits })} %`;
}

export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${(bytes / 1_000 ** power).toLocaleString('en', { maximumFractionDigits: power > 1 ? 1 : 0 })} ${UNITS[power]}`;
}

/** The name of a caller as people read it: without the prefix of tokens, which the server puts before their names. */
export const formatCaller = (name: string): string => name.replace(/^token:/, '');
