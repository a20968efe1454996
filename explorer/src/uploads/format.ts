/** Numbers and sizes as people read them. */
import { texts as frame } from '../frame/texts';

const DOLLARS = new Intl.NumberFormat(frame.locale, { style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol' });
const TIME = new Intl.DateTimeFormat(frame.locale, { dateStyle: 'medium', timeStyle: 'short' });
const PERCENT = new Intl.NumberFormat(frame.locale, { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: 'exceptZero' });
const UNITS = ['bytes', 'kB', 'MB', 'GB'];

export const formatCount = (number: number): string => number.toLocaleString(frame.locale);

export const formatPrice = (price: number): string => DOLLARS.format(price);

export const formatTime = (time: string): string => TIME.format(new Date(time));

/** A change in percent, with its sign. */
export const formatChange = (percent: number): string => PERCENT.format(percent / 100).replace('-', '−');

export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${(bytes / 1_000 ** power).toLocaleString(frame.locale, { maximumFractionDigits: power > 1 ? 1 : 0 })} ${UNITS[power]}`;
}

/** The name of a caller as people read it: without the prefix of tokens, which the server puts before their names. */
export const formatCaller = (name: string): string => name.replace(/^token:/, '');
