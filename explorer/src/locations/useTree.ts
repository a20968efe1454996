import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError, onTokenChange, request } from '../frame/api';
import { openTokenDialog } from '../frame/TokenDialog';
import type { LocationPageQuery } from '../gql/graphql';
import { PAGE } from './operations';
import { buildTree, type Found, type Tree } from './tree';

const PAGE_SIZE = 500;
const RETRY_SECONDS = 5;

export interface TreeState {
  tree: Tree | null;
  error: ApiError | null;
  reload: () => void;
}

/** Loads all locations page by page. The tree stays in view while it is loaded again. */
export function useTree(): TreeState {
  const [tree, setTree] = useState<Tree | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((number) => number + 1), []);
  useEffect(() => onTokenChange(reload), [reload]);
  useEffect(() => {
    const controller = new AbortController();
    let timer: number | undefined;
    loadAll(controller.signal).then(
      (found) => {
        setTree(buildTree(found));
        setError(null);
      },
      (reason: unknown) => {
        if (controller.signal.aborted) return;
        if (!(reason instanceof ApiError)) throw reason;
        setError(reason);
        if (reason.status === 401) openTokenDialog(reason);
        else if (reason.isTemporary) timer = setTimeout(reload, (reason.retryAfter ?? RETRY_SECONDS) * 1_000);
      },
    );
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [turn, reload]);
  return { tree, error, reload };
}

async function loadAll(signal: AbortSignal): Promise<Found[]> {
  const found: Found[] = [];
  let after: string | null = null;
  do {
    const page: LocationPageQuery['locations'] = await loadPage(after, signal);
    found.push(...(page?.edges.map((edge) => edge.node) ?? []));
    after = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after);
  return found;
}

async function loadPage(after: string | null, signal: AbortSignal): Promise<LocationPageQuery['locations']> {
  try {
    return (await request(PAGE, { first: PAGE_SIZE, after }, signal)).locations;
  } catch (error) {
    // This server allows smaller pages only.
    if (!(error instanceof ApiError) || error.code !== 'INVALID_PAGE_SIZE') throw error;
    return (await request(PAGE, { first: null, after }, signal)).locations;
  }
}
