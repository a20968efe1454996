import { useEffect, useState } from 'preact/hooks';

const query = matchMedia('(max-width: 640px)');

/** Whether the window is as narrow as a phone, where the chart comes before the form. */
export function useNarrow(): boolean {
  const [isNarrow, update] = useState(query.matches);
  useEffect(() => {
    const follow = () => update(query.matches);
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);
  return isNarrow;
}
