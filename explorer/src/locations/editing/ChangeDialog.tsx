import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../../frame/api';
import { openTokenDialog } from '../../frame/TokenDialog';
import type { ChangePartsFragment } from '../../gql/graphql';
import { texts } from '../texts';

export interface ChangeDialogProps {
  title: string;
  submit: string;
  isReady: boolean;
  /** Sends the change. */
  change: () => Promise<{ change: ChangePartsFragment | null }>;
  /** The tree has changed, or may have if the connection was lost. */
  onDone: (message: string, newKey?: string) => void;
  onClose: () => void;
  /** What to say, and which location to show, when it is done. */
  done: { message: string; key: string };
  children: ComponentChildren;
}

/** A form in a dialog that changes the tree. A change is applied completely or not at all. */
export function ChangeDialog({ title, submit, isReady, change, onDone, onClose, done, children }: ChangeDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isWorking, setWorking] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => dialog.current?.showModal(), []);

  const finish = (payload: ChangePartsFragment | null) => {
    const error = payload?.userErrors[0];
    if (error) {
      setProblem(texts.problem(error.code, error.message));
      return;
    }
    dialog.current?.close();
    onDone(done.message, done.key);
  };
  const fail = (error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
    setProblem(error.status === 0 ? texts.unknown : error.explanation);
    if (error.status === 0) onDone('');
    if (error.status === 401) openTokenDialog(error);
  };
  const send = () => {
    setWorking(true);
    setProblem('');
    change()
      .then((result) => finish(result.change), fail)
      .finally(() => setWorking(false));
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="change-title"
      onCancel={(event) => {
        if (isWorking) event.preventDefault();
      }}
      onClose={onClose}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !isWorking) send();
        }}
      >
        <h2 id="change-title">{title}</h2>
        {children}
        <p role="status">{isWorking && texts.working}</p>
        {isWorking && <progress aria-label={texts.working} />}
        {problem && <p class="note error" role="alert">{problem}</p>}
        <div class="actions">
          <button type="submit" disabled={isWorking || !isReady}>{submit}</button>
          <button type="button" class="quiet" disabled={isWorking} onClick={() => dialog.current?.close()}>{texts.cancel}</button>
        </div>
      </form>
    </dialog>
  );
}
