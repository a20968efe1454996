import { useCallback, useEffect, useState } from 'preact/hooks';
import { formatView, parseView, type View } from './view';

/** `push` makes a step that the back button undoes. */
export type Change = (change: Partial<View>, how?: 'push' | 'replace') => void;

/** What the page shows, kept in its address. */
export function useView(): [View, Change] {
  const [view, setView] = useState(() => parseView(location.search));
  useEffect(() => {
    const follow = () => setView(parseView(location.search));
    addEventListener('popstate', follow);
    return () => removeEventListener('popstate', follow);
  }, []);
  const change = useCallback<Change>((part, how = 'replace') => {
    setView((before) => {
      // Another period is seen as a whole.
      const after = { ...before, ...(part.period && { zoom: null }), ...part };
      const address = `${location.pathname}${formatView(after)}`;
      if (address !== `${location.pathname}${location.search}`) history[`${how}State`](null, '', address);
      return after;
    });
  }, []);
  return [view, change];
}
