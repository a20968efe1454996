import type { SeriesSet } from '../data/model';
import type { Period } from '../state/period';

/** Indices of the first and the last bucket of a zoom. */
export interface Zoom {
  first: number;
  last: number;
}

/** The buckets that have their middle between two times, or the nearest one; null for all. */
export function findZoom(times: ArrayLike<number>, min: number, max: number): Zoom | null {
  const all = Array.from(times);
  const first = all.findIndex((time) => time >= min);
  const last = all.findLastIndex((time) => time <= max);
  if (first < 0 || last < 0) return null;
  return narrow({ first: Math.min(first, last), last: Math.max(first, last) }, all.length);
}

/** The buckets of a zoom in days; null for none and for all. */
export function toZoom({ from, to }: SeriesSet, days: Period | null): Zoom | null {
  if (!days) return null;
  const first = to.findIndex((day) => day >= days.from);
  const last = from.findLastIndex((day) => day <= days.to);
  return first >= 0 && first <= last ? narrow({ first, last }, from.length) : null;
}

/** The days of a zoom. */
export const toDays = ({ from, to }: SeriesSet, zoom: Zoom | null): Period | null =>
  zoom && { from: from[zoom.first] ?? '', to: to[zoom.last] ?? '' };

const narrow = (zoom: Zoom, count: number): Zoom | null => (zoom.first === 0 && zoom.last === count - 1 ? null : zoom);
