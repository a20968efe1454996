import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../../frame/api';
import { openTokenDialog } from '../../frame/TokenDialog';
import { loadPartners, type Option, type Partners, searchPlaces } from './places';

/** Time without a key press after which a search begins. */
const DEBOUNCE_MS = 120;

export interface Options {
  options: Option[];
  isLoading: boolean;
  hasFailed: boolean;
}

/** What has prices with the other end of the lane, once that is chosen. */
export function usePartners(end: 'origin' | 'destination', key: string | null): Partners | null {
  const [partners, setPartners] = useState<Partners | null>(null);
  useEffect(() => {
    setPartners(null);
    if (key === null) return;
    const controller = new AbortController();
    // Without this list the search works all the same.
    loadPartners(end, key, controller.signal).then(setPartners, () => undefined);
    return () => controller.abort();
  }, [end, key]);
  return partners;
}

/** The options for what is typed; without a text, what has prices with the other end. */
export function useOptions(text: string, isOpen: boolean, partners: Partners | null): Options {
  const [state, setState] = useState({ search: '', options: [] as Option[], hasFailed: false });
  const search = text.trim();
  useEffect(() => {
    if (!isOpen) return;
    if (search === '') {
      setState({ search, options: partners?.options ?? [], hasFailed: false });
      return;
    }
    const controller = new AbortController();
    const timer = setTimeout(() => {
      searchPlaces(search, partners, controller.signal).then(
        (options) => setState({ search, options, hasFailed: false }),
        (error: unknown) => {
          if (controller.signal.aborted) return;
          if (error instanceof ApiError && error.status === 401) openTokenDialog(error);
          setState({ search, options: [], hasFailed: true });
        },
      );
    }, DEBOUNCE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [search, isOpen, partners]);
  const { options, hasFailed } = state;
  return { options, hasFailed, isLoading: state.search !== search };
}
