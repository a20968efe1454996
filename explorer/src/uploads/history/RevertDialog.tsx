import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, request } from '../../frame/api';
import { openTokenDialog } from '../../frame/TokenDialog';
import { type Batch, REVERT } from '../operations';
import { explain } from '../sending/refusals';
import { texts } from '../texts';

/** Asks for confirmation before a batch is reverted, and names what will no longer count. */
export function RevertDialog({ batch, onClose }: { batch: Batch; onClose: (isReverted: boolean) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isWorking, setWorking] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => dialog.current?.showModal(), []);

  const revert = () => {
    setWorking(true);
    setProblem('');
    request(REVERT, { id: batch.id }).then(
      ({ revertBatch }) => {
        setWorking(false);
        const isReverted = revertBatch?.batch?.status === 'REVERTED';
        if (isReverted) onClose(true);
        else setProblem(revertBatch?.userErrors[0]?.message ?? texts.unexpected);
      },
      (error: unknown) => {
        setWorking(false);
        const isLost = error instanceof ApiError && error.isLost;
        setProblem(isLost ? texts.revert.unknown : explain(error));
        if (error instanceof ApiError && error.status === 401) openTokenDialog(error);
      },
    );
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="revert-title"
      aria-describedby="revert-text"
      onCancel={(event) => {
        if (isWorking) event.preventDefault();
      }}
      onClose={() => onClose(false)}
    >
      <h2 id="revert-title">{texts.revert.title(batch.number)}</h2>
      <div id="revert-text">
        <p>{texts.revert.what(batch.priceDayCount, batch.laneCount)}</p>
        <p>
          <strong class="source">{batch.source}</strong>
          {batch.firstDay && batch.lastDay && <>, {texts.days(batch.firstDay, batch.lastDay)}</>}
        </p>
        <p>{texts.revert.effect}</p>
      </div>
      {problem && <p class="note error" role="alert">{problem}</p>}
      <div class="actions">
        <button type="button" class="danger" disabled={isWorking} onClick={revert}>
          {isWorking ? texts.revert.working : texts.revert.confirm(batch.number)}
        </button>
        <button type="button" class="quiet" disabled={isWorking} onClick={() => dialog.current?.close()}>{texts.revert.cancel}</button>
      </div>
    </dialog>
  );
}
