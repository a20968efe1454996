import { useState } from 'preact/hooks';
import { request } from '../../frame/api';
import { MOVE } from '../operations';
import { texts } from '../texts';
import { findAffected, isWithin, listRegions, type Place, type Tree } from '../tree';
import { ChangeDialog } from './ChangeDialog';

export interface MoveDialogProps {
  tree: Tree;
  place: Place;
  /** Number of lanes with prices from and to the place, if known. */
  laneCount: number | null;
  onDone: (message: string, newKey?: string) => void;
  onClose: () => void;
}

/** Moves a location to another region, and says before what that changes. */
export function MoveDialog({ tree, place, laneCount, onDone, onClose }: MoveDialogProps) {
  const [slug, setSlug] = useState(place.parent?.key ?? '');
  const parent = tree.byKey.get(slug) ?? null;
  const isSame = parent === place.parent;
  const choices = listRegions(tree.roots).filter((choice) => !isWithin(choice.place, place));
  return (
    <ChangeDialog
      title={texts.moveTitle(place.name)}
      submit={texts.moveButton}
      isReady={!isSame}
      change={() => request(MOVE, { key: place.key, parentSlug: parent?.key ?? null })}
      done={{ message: texts.moved(place.name, parent?.name ?? null), key: place.key }}
      onDone={onDone}
      onClose={onClose}
    >
      <label for="new-parent">{texts.newParent}</label>
      <select id="new-parent" value={slug} onChange={(event) => setSlug(event.currentTarget.value)}>
        {!place.isPort && <option value="">{texts.top}</option>}
        {choices.map((choice) => (
          <option key={choice.place.key} value={choice.place.key}>{`${'\u2003'.repeat(choice.depth)}${choice.place.name}`}</option>
        ))}
      </select>
      <div role="status" class="impact">
        {isSame ? <p class="hint">{texts.samePlace}</p> : <Impact place={place} parent={parent} laneCount={laneCount} />}
      </div>
    </ChangeDialog>
  );
}

function Impact({ place, parent, laneCount }: { place: Place; parent: Place | null; laneCount: number | null }) {
  const affected = findAffected(place, parent).map((region) => region.name);
  return (
    <>
      <p>{texts.impact(place.portCount, laneCount)} {affected.length > 0 && texts.affected(affected.join(', '))}</p>
      <p class="hint">{texts.moveWait}</p>
    </>
  );
}
