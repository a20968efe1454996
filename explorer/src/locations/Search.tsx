import { useEffect, useState } from 'preact/hooks';
import { ErrorNote } from '../frame/ErrorNote';
import { useQuery } from '../frame/useQuery';
import type { LocationSearchQuery } from '../gql/graphql';
import { SEARCH } from './operations';
import { texts } from './texts';
import { ancestorsOf, type Place, type Tree } from './tree';

const PAUSE_MS = 200;

/** Finds locations by the ranked search of the server, which knows aliases too. */
export function Search({ tree, onSelect }: { tree: Tree; onSelect: (place: Place) => void }) {
  const [text, setText] = useState('');
  const [search, setSearch] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSearch(text.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const { data, error, reload } = useQuery(SEARCH, search ? { search } : null);
  const found = text.trim() && search && data?.locations ? findPlaces(data.locations, tree) : null;
  return (
    <div class="search">
      <label for="search">{texts.search}</label>
      <input id="search" type="search" autocomplete="off" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      <p role="status" class="hint">
        {found && !error && (found.total === 0 ? texts.nothingFound : texts.found(found.places.length, found.total))}
      </p>
      {error && <ErrorNote error={error} onRetry={reload} />}
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

/** The matches that are in the tree. The tree may be older than a match. */
function findPlaces({ edges, totalCount }: NonNullable<LocationSearchQuery['locations']>, tree: Tree) {
  const places = edges.map((edge) => tree.byKey.get(edge.node.key)).filter((place) => place !== undefined);
  return { places, total: totalCount };
}

const pathOf = (place: Place): string => texts.pathOf(ancestorsOf(place).reverse().map((region) => region.name));
