import { useState } from 'preact/hooks';
import { request } from '../../frame/api';
import { SAVE_PORT, SAVE_REGION } from '../operations';
import { texts } from '../texts';
import type { Place, Tree } from '../tree';
import { findCurrent } from './current';
import { ChangeDialog } from './ChangeDialog';

export interface AddDialogProps {
  tree: Tree;
  /** The region above, or null for the top of the tree, where only regions can be. */
  parent: Place | null;
  onDone: (message: string, newKey?: string) => void;
  onClose: () => void;
}

/** Adds a port or region. An existing key is refused here, because the mutation would update its location. */
export function AddDialog({ tree, parent, onDone, onClose }: AddDialogProps) {
  const [isPort, setPort] = useState(parent !== null);
  const [key, setKey] = useState('');
  const [text, setText] = useState('');
  const name = text.trim();
  const newKey = isPort ? key.trim().toUpperCase() : key.trim().toLowerCase();
  const existing = tree.byKey.get(newKey);
  return (
    <ChangeDialog
      title={texts.addTitle(parent?.name ?? null)}
      submit={texts.addButton}
      isReady={newKey !== '' && name !== '' && !existing}
      change={async () => {
        // Another admin may have added it.
        const now = await findCurrent(newKey);
        if (now) return { problem: texts.exists(now.name) };
        return isPort
          ? request(SAVE_PORT, { port: { code: newKey, name, parentSlug: parent!.key } })
          : request(SAVE_REGION, { region: { slug: newKey, name, parentSlug: parent?.key ?? null } });
      }}
      done={{ message: texts.added(name), key: newKey }}
      onDone={onDone}
      onClose={onClose}
    >
      {parent && (
        <>
          <label for="new-kind">{texts.kind}</label>
          <select id="new-kind" onChange={(event) => setPort(event.currentTarget.value === 'port')}>
            <option value="port">{texts.port}</option>
            <option value="region">{texts.region}</option>
          </select>
        </>
      )}
      <label for="new-key">{isPort ? texts.newCode : texts.newSlug}</label>
      <input
        id="new-key"
        value={key}
        autocomplete="off"
        spellcheck={false}
        aria-describedby="key-problem"
        onInput={(event) => setKey(event.currentTarget.value)}
      />
      <p id="key-problem" class="problem" role="alert">{existing && texts.exists(existing.name)}</p>
      <label for="new-name">{texts.name}</label>
      <input id="new-name" value={text} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} />
    </ChangeDialog>
  );
}
