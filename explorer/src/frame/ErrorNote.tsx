import { type ApiError, getToken } from './api';
import { openTokenDialog } from './TokenDialog';
import { texts } from './texts';

/** The reason why something is missing, and a button for what helps: a token, or another try. */
export function ErrorNote({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  if (error.status === 401) {
    return (
      <div class="note" role="status">
        <p>{getToken() ? texts.token.refused : texts.token.needed}</p>
        <button type="button" onClick={() => openTokenDialog()}>{texts.token.enter}</button>
      </div>
    );
  }
  return (
    <div class="note error" role="alert">
      <p>{error.explanation}</p>
      <button type="button" class="quiet" onClick={onRetry}>{texts.errors.retry}</button>
    </div>
  );
}
