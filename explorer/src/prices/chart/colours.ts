/** The colours of the stylesheet, as a canvas needs them. */
export interface Colours {
  lanes: string[];
  ink: string;
  muted: string;
  line: string;
  grid: string;
  card: string;
  gap: string;
  hatch: string;
}

/** Reads the colours that are in force: those of the light, dark or forced scheme. */
export function readColours(element: HTMLElement): Colours {
  const probe = element.appendChild(document.createElement('span'));
  // A computed colour is one that a canvas accepts; a computed variable may be a system colour or another function.
  probe.className = 'colour-probe';
  const read = (variable: string): string => {
    probe.style.color = `var(--${variable})`;
    return getComputedStyle(probe).color;
  };
  const lanes = [1, 2, 3, 4].map((number) => read(`lane-${number}`));
  const [ink, muted, line, card] = [read('ink'), read('muted'), read('line'), read('card')];
  const colours = { lanes, ink, muted, line, grid: read('grid'), card, gap: read('gap-colour'), hatch: read('hatch') };
  probe.remove();
  return colours;
}

/** Dashes of the lanes, so that colour is not the only difference. */
export const DASHES: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

/** Calls back when the colours of the system change. Returns a function that ends this. */
export function onColoursChange(callback: () => void): () => void {
  const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) => matchMedia(query));
  for (const query of queries) query.addEventListener('change', callback);
  return () => queries.forEach((query) => query.removeEventListener('change', callback));
}
