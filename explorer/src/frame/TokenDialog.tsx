import { useEffect, useRef, useState } from 'preact/hooks';
import { type ApiError, getToken, setToken } from './api';
import { server } from './server';
import { texts } from './texts';

const OPEN = 'ratesgraph-token';

/** Why the server refused a request: for its token, or for want of one. */
export function explainRefusal(): string {
  if (getToken()) return texts.token.refused;
  return server.reads === 'open' ? texts.token.neededHere : texts.token.needed;
}

/** Asks for a token. `error` is the refusal that made it necessary. */
export function openTokenDialog(error?: ApiError): void {
  dispatchEvent(new CustomEvent(OPEN, { detail: error }));
}

/** The dialog of the token, which `openTokenDialog` shows. Escape closes it. */
export function TokenDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const [reason, setReason] = useState('');
  useEffect(() => {
    const open = (event: Event) => {
      const error = (event as CustomEvent<ApiError | undefined>).detail;
      setReason(error ? explainRefusal() : '');
      dialog.current?.showModal();
    };
    addEventListener(OPEN, open);
    return () => removeEventListener(OPEN, open);
  }, []);
  const use = (token: string) => {
    setToken(token.trim() || null);
    if (input.current) input.current.value = '';
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} aria-labelledby="token-title">
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          use(input.current?.value ?? '');
        }}
      >
        <h2 id="token-title">{texts.token.title}</h2>
        {reason && <p role="alert">{reason}</p>}
        <label for="token">{texts.token.label}</label>
        <input id="token" ref={input} type="password" autocomplete="off" spellcheck={false} aria-describedby="token-hint" />
        <p id="token-hint" class="hint">{texts.token.hint}</p>
        <div class="actions">
          <button type="submit">{texts.token.save}</button>
          {getToken() && <button type="button" class="quiet" onClick={() => use('')}>{texts.token.forget}</button>}
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>{texts.token.cancel}</button>
        </div>
      </form>
    </dialog>
  );
}
