import { useEffect, useState } from 'preact/hooks';
import { explain } from '../sending/refusals';
import type { Wait } from '../sending/repeat';
import { texts } from '../texts';

/** Says why an attempt failed and when the next begins. Only the reason is announced: a countdown would never let a screen reader rest. */
export function Waiting({ wait }: { wait: Wait }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="note waiting">
      <p role="alert">{explain(wait.error)} {texts.waitReason}</p>
      <p class="actions">
        <span>{texts.again(Math.max(0, Math.ceil((wait.until - now) / 1_000)))}</span>
        <button type="button" class="quiet" onClick={wait.tryNow}>{texts.tryNow}</button>
      </p>
    </div>
  );
}
