import { addDays, countDays, type Day, subtractMonths } from './days';

/** A period that ends with the data, so that a shared link moves along. */
export type Preset = '1m' | '3m' | '6m' | '1y' | '2y' | 'all';
export const PRESETS: Record<Preset, number | null> = { '1m': 1, '3m': 3, '6m': 6, '1y': 12, '2y': 24, all: null };
export const isPreset = (text: string | null): text is Preset => text !== null && Object.hasOwn(PRESETS, text);

export interface Period {
  from: Day;
  to: Day;
}

/** Days that the server answers at once, unless its operator changed RATESGRAPH_MAX_DAYS. */
const MAX_DAYS = 3_660;

/** The days of a preset, within the period of the data. */
export function daysOf(preset: Preset, data: Period): Period {
  const months = PRESETS[preset];
  const start = months === null ? data.from : addDays(subtractMonths(data.to, months), 1);
  const from = start < data.from ? data.from : start;
  return { from: countDays(from, data.to) > MAX_DAYS ? addDays(data.to, 1 - MAX_DAYS) : from, to: data.to };
}
