import { DASHES } from './colours';

/** The line of a lane as the chart draws it. */
export function Swatch({ place }: { place: number }) {
  return (
    <svg class={`swatch lane-${place + 1}`} viewBox="0 0 28 4" width="28" height="4" aria-hidden="true">
      <line x1="0" y1="2" x2="28" y2="2" stroke="currentColor" stroke-width="3" stroke-dasharray={DASHES[place]?.join(' ') ?? ''} />
    </svg>
  );
}
