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
  /** Sends the change, or returns why it no longer makes sense. */
  change: () => Promise<{ change: ChangePartsFragment | null } | { problem: string }>;
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

  const finish = (result: Awaited<ReturnType<typeof change>>) => {
    const error = 'change' in result ? result.change?.userErrors[0] : null;
    const text = 'problem' in result ? result.problem : error && texts.problem(error.code, error.message);
    if (text) {
      setProblem(text);
      // The tree of the page may be older than that of the server.
      onDone('');
      return;
    }
    dialog.current?.close();
    onDone(done.message, done.key);
  };
  const fail = (error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
    setProblem(error.isLost ? texts.unknown : error.advice);
    if (error.isLost) onDone('');
    if (error.status === 401) openTokenDialog(error);
  };
  const send = () => {
    setWorking(true);
    setProblem('');
    change()
      .then(finish, fail)
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
