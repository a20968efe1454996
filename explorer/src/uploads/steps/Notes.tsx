import type { Problem } from '../operations';
import { texts } from '../texts';

const SHOWN = 10;

/** Warnings about items that are accepted, and about how the file was read. */
export function Notes({ notes }: { notes: Problem[] }) {
  if (notes.length === 0) return null;
  return (
    <>
      <h3>{texts.notesTitle}</h3>
      <ul>
        {notes.slice(0, SHOWN).map(({ item, message, code }, index) => (
          <li key={index}>{texts.note(item, message)} <code class="hint">{code}</code></li>
        ))}
        {notes.length > SHOWN && <li>{texts.moreNotes(notes.length - SHOWN)}</li>}
      </ul>
    </>
  );
}
