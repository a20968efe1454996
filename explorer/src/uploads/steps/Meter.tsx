import { useId } from 'preact/hooks';
import { texts } from '../texts';

/** A progress bar with its label; without a fraction it only shows that something happens. */
export function Meter({ label, fraction }: { label: string; fraction?: number | undefined }) {
  const id = useId();
  return (
    <div class="meter">
      <label for={id}>{label}</label>
      <progress id={id} max={1} value={fraction} />
      <span aria-hidden="true">{fraction === undefined ? '' : texts.percent(fraction)}</span>
    </div>
  );
}
