import { useState } from 'preact/hooks';
import { request } from '../../frame/api';
import { SAVE_PORT, SAVE_REGION } from '../operations';
import { texts } from '../texts';
import type { Place } from '../tree';
import { findCurrent } from './current';
import { ChangeDialog } from './ChangeDialog';

export interface RenameDialogProps {
  place: Place;
  onDone: (message: string, newKey?: string) => void;
  onClose: () => void;
}

/** Changes the name of a location. Its key and its averages stay. */
export function RenameDialog({ place, onDone, onClose }: RenameDialogProps) {
  const [text, setText] = useState(place.name);
  const name = text.trim();
  const { key, isPort } = place;
  return (
    <ChangeDialog
      title={texts.renameTitle(place.name)}
      submit={texts.save}
      isReady={name !== '' && name !== place.name}
      change={async () => {
        const now = await findCurrent(key);
        if (!now) return { problem: texts.gone };
        // Where it is now: another admin may have moved it.
        const parentSlug = now.parent?.key ?? null;
        if (!isPort) return request(SAVE_REGION, { region: { slug: key, name, parentSlug } });
        return request(SAVE_PORT, { port: { code: key, name, parentSlug: parentSlug! } });
      }}
      done={{ message: texts.renamed(name), key }}
      onDone={onDone}
      onClose={onClose}
    >
      <label for="new-name">{texts.name}</label>
      <input id="new-name" value={text} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} />
    </ChangeDialog>
  );
}
