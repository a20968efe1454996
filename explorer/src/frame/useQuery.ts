import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { TypedDocumentString } from '../gql/graphql';
import { ApiError, onTokenChange, request } from './api';
import { openTokenDialog } from './TokenDialog';

export interface QueryState<Result, Variables> {
  /** Data of the last response. They stay until a newer one arrives. */
  data: Result | null;
  /** The variables that `data` belong to. */
  answered: Variables | null;
  error: ApiError | null;
  isLoading: boolean;
  /** Sends the query again. */
  reload: () => void;
}

const FIRST_RETRY_SECONDS = 2;
const LAST_RETRY_SECONDS = 30;

/**
 * Sends a query, and again when its variables or the token change. Retries with exponential backoff while the server or its
 * database is unavailable. A 401 opens the token dialog. With variables of null nothing is sent.
 */
export function useQuery<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables | null,
): QueryState<Result, Variables> {
  const [answer, setAnswer] = useState<{ data: Result; answered: Variables } | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [isLoading, setLoading] = useState(variables !== null);
  const [turn, setTurn] = useState(0);
  const attempts = useRef(0);
  const reload = useCallback(() => setTurn((number) => number + 1), []);
  const key = JSON.stringify(variables);

  useEffect(() => onTokenChange(reload), [reload]);
  useEffect(() => {
    const controller = new AbortController();
    let timer: number | undefined;
    const asked = JSON.parse(key) as Variables | null;
    setLoading(asked !== null);
    if (asked === null) {
      setError(null);
      return;
    }
    request(document, asked, controller.signal).then(
      (result) => {
        attempts.current = 0;
        setAnswer({ data: result, answered: asked });
        setError(null);
        setLoading(false);
      },
      (reason: unknown) => {
        if (controller.signal.aborted) return;
        setLoading(false);
        if (!(reason instanceof ApiError)) throw reason;
        const wait = reason.retryAfter ?? Math.min(FIRST_RETRY_SECONDS * 2 ** attempts.current, LAST_RETRY_SECONDS);
        setError(new ApiError(reason.status, reason.code, reason.message, wait, reason.extensions));
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
  return { data: answer?.data ?? null, answered: answer?.answered ?? null, error, isLoading, reload };
}
