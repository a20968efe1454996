import { texts } from './texts';
import { listRegions, type Place, type Tree } from './tree';

export interface TreeViewProps {
  tree: Tree;
  selected: Place | null;
  /** Keys of the regions whose content is shown. */
  open: Set<string>;
  onOpen: (open: Set<string>) => void;
  onSelect: (place: Place) => void;
}

/** The tree as nested lists. Each region has a button that shows its content, and every location one that selects it. */
export function TreeView(props: TreeViewProps) {
  const regions = listRegions(props.tree.roots);
  const ports = props.tree.byKey.size - regions.length;
  return (
    <>
      <div class="tree-head">
        <span class="hint">{texts.summary(regions.length, ports)}</span>
        <span class="actions">
          <button type="button" class="quiet small" onClick={() => props.onOpen(new Set(regions.map(({ place }) => place.key)))}>
            {texts.expandAll}
          </button>
          <button type="button" class="quiet small" onClick={() => props.onOpen(new Set())}>{texts.collapseAll}</button>
        </span>
      </div>
      <Branch places={props.tree.roots} {...props} />
    </>
  );
}

function Branch({ places, ...props }: TreeViewProps & { places: Place[] }) {
  return (
    <ul class="tree">
      {places.map((place) => <Node key={place.key} place={place} {...props} />)}
    </ul>
  );
}

function Node({ place, ...props }: TreeViewProps & { place: Place }) {
  const isOpen = props.open.has(place.key);
  const toggle = () => {
    const next = new Set(props.open);
    if (!next.delete(place.key)) next.add(place.key);
    props.onOpen(next);
  };
  return (
    <li>
      <div class="node">
        {place.children.length > 0
          ? (
            <button type="button" class="toggle" aria-expanded={isOpen} aria-label={texts.expand(place.name)} onClick={toggle}>
              <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span>
            </button>
          )
          : <span class="toggle" />}
        <button type="button" class="name" aria-current={place === props.selected} onClick={() => props.onSelect(place)}>
          {place.name} <span class="hint">{place.isPort ? place.key : texts.ports(place.portCount)}</span>
        </button>
      </div>
      {isOpen && place.children.length > 0 && <Branch places={place.children} {...props} />}
    </li>
  );
}
