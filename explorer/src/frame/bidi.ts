/** Letters written from right to left, and the controls of their direction (Unicode Standard Annex 9). */
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const CONTROLS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A name that cannot change the direction of the text around it. Without this, the arrow between two Hebrew or Arabic names would
 * lead from the destination to the origin.
 */
export const isolate = (name: string): string =>
  RIGHT_TO_LEFT.test(name) ? `\u2068${name.replaceAll(CONTROLS, '')}\u2069` : name;

/** The name of a lane. */
export const nameLane = (origin: string, destination: string): string => `${isolate(origin)} → ${isolate(destination)}`;
