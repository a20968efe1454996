import type { Interval } from '../../gql/graphql';
import { type Day, toTime } from '../state/days';
import { texts } from '../texts';

const DAY_FORMAT = new Intl.DateTimeFormat(texts.locale, { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric' });
const MONTH_FORMAT = new Intl.DateTimeFormat(texts.locale, { timeZone: 'UTC', month: 'long', year: 'numeric' });
const COUNT_FORMAT = new Intl.NumberFormat(texts.locale);
const PERCENT_FORMAT = new Intl.NumberFormat(texts.locale, {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
  signDisplay: 'exceptZero',
});
const SHARE_FORMAT = new Intl.NumberFormat(texts.locale, { style: 'percent', maximumFractionDigits: 1 });
const amountFormats = new Map<string, Intl.NumberFormat>();

export const formatDay = (day: Day): string => DAY_FORMAT.format(toTime(day));
export const formatCount = (count: number): string => COUNT_FORMAT.format(count);
export const formatPercent = (percent: number): string => PERCENT_FORMAT.format(percent / 100).replace('-', '−');

/** A part of one in percent, without a sign. */
export const formatShare = (share: number): string => SHARE_FORMAT.format(share);

/** An amount in a currency, without decimals unless asked for. */
export function formatAmount(amount: number, currency: string, decimals = 0): string {
  const key = `${currency}${decimals}`;
  let format = amountFormats.get(key);
  if (!format) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    format = new Intl.NumberFormat(texts.locale, { style: 'currency', currency, currencyDisplay: 'narrowSymbol', ...digits });
    amountFormats.set(key, format);
  }
  return format.format(amount).replace('-', '−');
}

/** The name of a bucket: its day, its week or its month. */
export function formatBucket(from: Day, to: Day, interval: Interval): string {
  if (interval === 'DAY' || from === to) return formatDay(from);
  if (interval === 'MONTH') return MONTH_FORMAT.format(toTime(from));
  return DAY_FORMAT.formatRange(toTime(from), toTime(to));
}
