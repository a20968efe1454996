import { useState } from 'preact/hooks';
import { ErrorNote } from '../frame/ErrorNote';
import { useQuery } from '../frame/useQuery';
import { AddDialog } from './editing/AddDialog';
import { MoveDialog } from './editing/MoveDialog';
import { RenameDialog } from './editing/RenameDialog';
import { type Details, DETAILS } from './operations';
import { texts } from './texts';
import { ancestorsOf, type Place, type Tree } from './tree';

export interface DetailsCardProps {
  tree: Tree;
  place: Place;
  isAdmin: boolean;
  onDone: (message: string, newKey?: string) => void;
}

/** Where a location is, what prices it has, and what an admin may do with it. */
export function DetailsCard({ tree, place, isAdmin, onDone }: DetailsCardProps) {
  const { data, error, reload } = useQuery(DETAILS, { key: place.key });
  const path = ancestorsOf(place).reverse();
  return (
    <>
      <h2>{place.name}</h2>
      <dl class="facts">
        <div><dt>{place.isPort ? texts.code : texts.slug}</dt><dd><code>{place.key}</code></dd></div>
        {!place.isPort && <div><dt>{texts.portsBelow}</dt><dd>{texts.count(place.portCount)}</dd></div>}
        <div class="path">
          <dt>{texts.path}</dt>
          <dd>{path.length > 0 ? texts.pathOf(path.map((region) => region.name)) : texts.noParent}</dd>
        </div>
      </dl>
      {isAdmin && <Actions tree={tree} place={place} details={data} onDone={onDone} />}
      {error && <ErrorNote error={error} onRetry={reload} />}
      {!error && (
        <>
          <Lanes title={texts.lanesFrom} lanes={data?.from} />
          <Lanes title={texts.lanesTo} lanes={data?.to} />
          <p class="hint">{texts.lanesHint}</p>
        </>
      )}
    </>
  );
}

function Lanes({ title, lanes }: { title: string; lanes: Details['from'] | undefined }) {
  const shown = lanes?.edges ?? [];
  const rest = (lanes?.totalCount ?? 0) - shown.length;
  return (
    <>
      <h3>{title}: {lanes ? texts.count(lanes.totalCount) : texts.waiting}</h3>
      {lanes?.totalCount === 0 && <p class="hint">{texts.noLanes}</p>}
      <ul class="lanes">
        {shown.map(({ node }) => (
          <li key={`${node.origin.key} ${node.destination.key}`}>
            <a href={`/?lane=${encodeURIComponent(node.origin.key)}~${encodeURIComponent(node.destination.key)}`}>{texts.lane(node.origin.name, node.destination.name)}</a>{' '}
            <span class="hint">
              {node.firstDay && node.lastDay && texts.coverage(node.firstDay, node.lastDay, node.averageDays)}
            </span>
          </li>
        ))}
        {rest > 0 && <li class="hint">{texts.more(rest)}</li>}
      </ul>
    </>
  );
}

interface ActionsProps {
  tree: Tree;
  place: Place;
  details: Details | null;
  onDone: (message: string, newKey?: string) => void;
}

function Actions({ tree, place, details, onDone }: ActionsProps) {
  const [open, setOpen] = useState<'rename' | 'move' | 'add' | null>(null);
  const close = () => setOpen(null);
  const laneCount = details ? countLanes(details) : null;
  return (
    <div class="actions">
      <button type="button" class="quiet" onClick={() => setOpen('rename')}>{texts.rename}</button>
      <button type="button" class="quiet" onClick={() => setOpen('move')}>{texts.move}</button>
      {!place.isPort && <button type="button" class="quiet" onClick={() => setOpen('add')}>{texts.add}</button>}
      {open === 'rename' && <RenameDialog place={place} onDone={onDone} onClose={close} />}
      {open === 'move' && <MoveDialog tree={tree} place={place} laneCount={laneCount} onDone={onDone} onClose={close} />}
      {open === 'add' && <AddDialog tree={tree} parent={place} onDone={onDone} onClose={close} />}
    </div>
  );
}

/** Lanes from and to a region; those within it count once. */
function countLanes({ from, to, within }: Details): number {
  return (from?.totalCount ?? 0) + (to?.totalCount ?? 0) - (within?.totalCount ?? 0);
}
