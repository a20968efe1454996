import { type ApiError, getToken } from './api';
import { explainRefusal, openTokenDialog } from './TokenDialog';
import { texts } from './texts';

/** The reason why something is missing, and a button for what helps, if anything does: a token, another try, a reload. */
export function ErrorNote({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  if (error.status === 401) {
    return (
      <div class="note" role="status">
        <p>{explainRefusal()}</p>
        <button type="button" onClick={() => openTokenDialog()}>{texts.token.enter}</button>
      </div>
    );
  }
  const help = findHelp(error, onRetry);
  return (
    <div class="note error" role="alert">
      <p>{error.explanation} {error.isTemporary && error.retryAfter !== null && texts.errors.retryingIn(error.retryAfter)}</p>
      {help && <button type="button" class="quiet" onClick={help.action}>{help.label}</button>}
    </div>
  );
}

function findHelp(error: ApiError, onRetry: () => void): { label: string; action: () => void } | null {
  if (error.status === 403) return { label: getToken() ? texts.token.other : texts.token.enter, action: () => openTokenDialog() };
  if (error.code === 'DOCUMENT_REQUIRED') return { label: texts.errors.reload, action: () => location.reload() };
  return error.mayPass ? { label: texts.errors.retry, action: onRetry } : null;
}
