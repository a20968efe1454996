import { useEffect, useState } from 'preact/hooks';
import { request } from '../frame/api';
import { SEARCH } from './operations';
import { texts } from './texts';
import { ancestorsOf, type Place, type Tree } from './tree';

const PAUSE_MS = 200;

/** Finds locations by the ranked search of the server, which knows aliases too. */
export function Search({ tree, onSelect }: { tree: Tree; onSelect: (place: Place) => void }) {
  const [text, setText] = useState('');
  const [found, setFound] = useState<{ places: Place[]; total: number } | null>(null);
  useEffect(() => {
    if (!text.trim()) {
      setFound(null);
      return;
    }
    const controller = new AbortController();
    const timer = setTimeout(() => {
      request(SEARCH, { search: text.trim() }, controller.signal).then(
        ({ locations }) => {
          const places = locations?.edges.map((edge) => tree.byKey.get(edge.node.key)) ?? [];
          setFound({ places: places.filter((place) => place !== undefined), total: locations?.totalCount ?? 0 });
        },
        () => {
          // The next letter asks again, and the page says whether the server is away.
        },
      );
    }, PAUSE_MS);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [text, tree]);
  return (
    <div class="search">
      <label for="search">{texts.search}</label>
      <input id="search" type="search" autocomplete="off" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      <p role="status" class="hint">
        {found && (found.total === 0 ? texts.nothingFound : texts.found(found.places.length, found.total))}
      </p>
      {found && found.places.length > 0 && (
        <ul class="tree matches">
          {found.places.map((place) => (
            <li key={place.key} class="node">
              <button type="button" class="name" onClick={() => onSelect(place)}>
                {place.name} <span class="hint">{[place.key, pathOf(place)].filter(Boolean).join(', ')}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

const pathOf = (place: Place): string => texts.pathOf(ancestorsOf(place).reverse().map((region) => region.name));
