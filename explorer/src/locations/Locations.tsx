import { useEffect, useRef, useState } from 'preact/hooks';
import { ErrorNote } from '../frame/ErrorNote';
import { Frame } from '../frame/Frame';
import { useQuery } from '../frame/useQuery';
import { DetailsCard } from './DetailsCard';
import { AddDialog } from './editing/AddDialog';
import { VIEWER } from './operations';
import { Search } from './Search';
import { texts } from './texts';
import { ancestorsOf, type Place, type Tree } from './tree';
import { TreeView } from './TreeView';
import { useTree } from './useTree';

/** The page for locations: the region tree, the lanes of each location, and the forms with which admins change the tree. */
export function Locations() {
  const { tree, error, reload } = useTree();
  const { data } = useQuery(VIEWER, {});
  const isAdmin = data?.viewer?.scopes.includes('ADMIN') ?? false;
  return (
    <Frame>
      <h1>{texts.title}</h1>
      <p class="lead">{texts.lead}</p>
      {error && <ErrorNote error={error} onRetry={reload} />}
      {!tree && !error && <p class="hint">{texts.loading}</p>}
      {tree && <Content tree={tree} isAdmin={isAdmin} onChange={reload} />}
    </Frame>
  );
}

interface ContentProps {
  tree: Tree;
  isAdmin: boolean;
  onChange: () => void;
}

function Content({ tree, isAdmin, onChange }: ContentProps) {
  const [key, setKey] = useState(readKey);
  const [open, setOpen] = useState(() => findOpen(tree, readKey()));
  const [isAdding, setAdding] = useState(false);
  const [message, setMessage] = useState('');
  const details = useRef<HTMLElement>(null);
  const selected = tree.byKey.get(key) ?? null;
  const select = (place: Place) => {
    setKey(place.key);
    setMessage('');
    history.replaceState(null, '', `#${encodeURIComponent(place.key)}`);
    setOpen((before) => new Set([...before, ...ancestorsOf(place).map((region) => region.key)]));
  };
  useEffect(() => {
    const follow = () => {
      setKey(readKey());
      setOpen((before) => new Set([...before, ...findOpen(tree, readKey())]));
    };
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, [tree]);
  useEffect(() => {
    // On a phone the details stand above a tree that may be long.
    if (details.current && details.current.getBoundingClientRect().top < 0) details.current.scrollIntoView();
  }, [key]);
  useEffect(() => {
    // A change may have put the location into a region that is closed.
    if (selected) setOpen((before) => new Set([...before, ...ancestorsOf(selected).map((region) => region.key)]));
  }, [tree]);
  const report = (text: string, newKey?: string) => {
    setMessage(text);
    if (newKey) setKey(newKey);
    onChange();
  };
  const isEmpty = tree.byKey.size === 0;
  return (
    <div class="columns">
      <section class="card" aria-labelledby="tree">
        <h2 id="tree">{texts.tree}</h2>
        {isEmpty ? <p class="hint">{isAdmin ? texts.emptyAdmin : texts.empty}</p> : <Search tree={tree} onSelect={select} />}
        {!isEmpty && <TreeView tree={tree} selected={selected} open={open} onOpen={setOpen} onSelect={select} />}
        {isAdmin && (
          <p class="actions add-root">
            <button type="button" class="quiet" onClick={() => setAdding(true)}>{texts.addRoot}</button>
          </p>
        )}
        {isAdding && <AddDialog tree={tree} parent={null} onDone={report} onClose={() => setAdding(false)} />}
      </section>
      <section ref={details} class="card details">
        <p role="status" class={message ? 'note good' : 'visually-hidden'}>{message || selected?.name}</p>
        {selected
          ? <DetailsCard key={selected.key} tree={tree} place={selected} isAdmin={isAdmin} onDone={report} />
          : !isEmpty && <p class="hint">{texts.choose}</p>}
      </section>
    </div>
  );
}

/** The key in the address; empty if there is none that can be read. */
function readKey(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

/** At first the top is open, and the path to the location in the address. */
function findOpen(tree: Tree, key: string): Set<string> {
  const place = tree.byKey.get(key);
  const above = place ? ancestorsOf(place) : [];
  return new Set([...tree.roots, ...above].map((region) => region.key));
}
