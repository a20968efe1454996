import { useEffect, useRef } from 'preact/hooks';
import type { Batch } from '../operations';
import { texts } from '../texts';

/** How the batch ended. */
export function Ended({ batch, isReplay, onAnother }: { batch: Batch; isReplay: boolean; onAnother: () => void }) {
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  const [heading, text] = describe(batch, isReplay);
  const isGood = batch.status === 'APPLIED';
  return (
    <>
      <div class={isGood ? 'result good' : 'result bad'}>
        <h2 ref={title} tabIndex={-1}>{heading}</h2>
        <p>{text}</p>
      </div>
      <div class="actions">
        <button type="button" onClick={onAnother}>{texts.another}</button>
        {isGood && <a class="button quiet" href="/">{texts.seePrices}</a>}
      </div>
    </>
  );
}

function describe(batch: Batch, isReplay: boolean): [title: string, text: string] {
  const { number } = batch;
  switch (batch.status) {
    case 'REJECTED':
      return [texts.rejectedTitle(number), texts.rejected];
    case 'FAILED':
      return [texts.failedTitle(number), texts.failed(batch.failure)];
    case 'REVERTED':
      return [texts.revertedTitle(number), texts.reverted];
    default:
      return isReplay
        ? [texts.replayTitle(number), texts.replay]
        : [texts.appliedTitle(number), texts.applied(batch.acceptedCount, batch.itemCount, batch.priceDayCount)];
  }
}
