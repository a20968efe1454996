import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { TypedDocumentString } from '../gql/graphql';
import { ApiError, onTokenChange, request } from './api';
import { openTokenDialog } from './TokenDialog';

export interface QueryState<Result> {
  /** The last answer. It stays while a newer one is on its way. */
  data: Result | null;
  error: ApiError | null;
  isLoading: boolean;
  /** Asks again. */
  reload: () => void;
}

const FIRST_RETRY_SECONDS = 2;
const LAST_RETRY_SECONDS = 30;

/**
 * Asks a query, again when its variables or the token change, and repeats it with backoff while the server or its database is
 * away. A refusal for want of a token opens the token dialog.
 */
export function useQuery<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): QueryState<Result> {
  const [data, setData] = useState<Result | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [turn, setTurn] = useState(0);
  const attempts = useRef(0);
  const reload = useCallback(() => setTurn((number) => number + 1), []);
  const key = JSON.stringify(variables);

  useEffect(() => onTokenChange(reload), [reload]);
  useEffect(() => {
    const controller = new AbortController();
    let timer: number | undefined;
    setLoading(true);
    request(document, JSON.parse(key) as Variables, controller.signal).then(
      (result) => {
        attempts.current = 0;
        setData(result);
        setError(null);
        setLoading(false);
      },
      (reason: unknown) => {
        if (controller.signal.aborted) return;
        setLoading(false);
        if (!(reason instanceof ApiError)) throw reason;
        const wait = reason.retryAfter ?? Math.min(FIRST_RETRY_SECONDS * 2 ** attempts.current, LAST_RETRY_SECONDS);
        setError(new ApiError(reason.status, reason.code, reason.message, wait));
        if (reason.isTemporary) {
          attempts.current += 1;
          timer = setTimeout(reload, wait * 1_000);
        } else if (reason.status === 401) {
          openTokenDialog(reason);
        }
      },
    );
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [document, key, turn, reload]);
  return { data, error, isLoading, reload };
}
