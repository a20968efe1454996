import type { Interval } from '../../gql/graphql';
import { isDay } from './days';
import { isPreset, type Period, type Preset } from './period';

/** A lane as requested: the keys of its two ends. */
export interface Lane {
  origin: string;
  destination: string;
}

/** What the page shows. The address holds all of it, so that a link shows the same. */
export interface View {
  lanes: Lane[];
  /** A preset, or days that stay as they are. */
  period: Preset | Period;
  /** The part of the period that the chart is zoomed to. */
  zoom: Period | null;
  interval: Interval;
  currency: string;
  /** Place of the selected lane: band, counts, shading and table are its own. */
  selected: number;
  /** Whether lanes with few prices fall back to larger markets. */
  isWider: boolean;
  isTable: boolean;
}

export const MAX_LANES = 4;
export const INTERVALS: Interval[] = ['DAY', 'WEEK', 'MONTH'];
export const CURRENCIES = ['USD', 'EUR', 'GBP', 'CNY', 'JPY', 'KRW', 'SGD', 'HKD', 'INR', 'AUD', 'CAD', 'CHF', 'DKK', 'NOK', 'SEK'];
const DEFAULT_PRESET: Preset = '1y';
const LANE = /^([^~\s]{1,64})~([^~\s]{1,64})$/;

/** The server finds keys without regard to case, and so must the comparison. */
const isSameKey = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

export const isSameLane = (one: Lane, other: Lane): boolean =>
  isSameKey(one.origin, other.origin) && isSameKey(one.destination, other.destination);

/** Parses the query string of an address. Invalid values are ignored. */
export function parseView(search: string): View {
  const query = new URLSearchParams(search);
  const lanes = query.getAll('lane').flatMap((text) => {
    const found = LANE.exec(text.trim());
    return found?.[1] && found[2] ? [{ origin: found[1], destination: found[2] }] : [];
  });
  const unique = lanes.filter((lane, place) => lanes.findIndex((other) => isSameLane(lane, other)) === place);
  const shown = unique.slice(0, MAX_LANES);
  const selected = Number(query.get('sel') ?? 1) - 1;
  return {
    lanes: shown,
    period: parsePeriod(query),
    zoom: parseDays(...(query.get('zoom')?.split('~') ?? [])),
    interval: INTERVALS.find((name) => name.toLowerCase() === query.get('by')) ?? 'DAY',
    currency: CURRENCIES.find((code) => code === query.get('cur')?.toUpperCase()) ?? 'USD',
    selected: Number.isInteger(selected) && selected >= 0 && selected < shown.length ? selected : 0,
    isWider: query.get('market') === 'wider',
    isTable: query.get('view') === 'table',
  };
}

function parsePeriod(query: URLSearchParams): Preset | Period {
  const preset = query.get('period');
  return parseDays(query.get('from'), query.get('to')) ?? (isPreset(preset) ? preset : DEFAULT_PRESET);
}

function parseDays(from: string | null = null, to: string | null = null): Period | null {
  return isDay(from) && isDay(to) && from <= to ? { from, to } : null;
}

/** Formats a view as a query string. Default values are left out. */
export function formatView(view: View): string {
  const query: string[] = view.lanes.map(({ origin, destination }) => `lane=${encode(origin)}~${encode(destination)}`);
  if (typeof view.period !== 'string') query.push(`from=${view.period.from}`, `to=${view.period.to}`);
  else if (view.lanes.length > 0 || view.period !== DEFAULT_PRESET) query.push(`period=${view.period}`);
  if (view.zoom) query.push(`zoom=${view.zoom.from}~${view.zoom.to}`);
  if (view.interval !== 'DAY') query.push(`by=${view.interval.toLowerCase()}`);
  if (view.currency !== 'USD') query.push(`cur=${view.currency}`);
  if (view.selected > 0) query.push(`sel=${view.selected + 1}`);
  if (view.isWider) query.push('market=wider');
  if (view.isTable) query.push('view=table');
  return query.length > 0 ? `?${query.join('&')}` : '';
}

const encode = encodeURIComponent;
