import { useEffect, useRef, useState } from 'preact/hooks';
import { texts } from '../texts';

const ACCEPTED = '.csv,.tsv,.txt,.ndjson,.jsonl,.gz,.parquet,.xlsx';

/** Three ways to a file: drop it, choose it, or paste rows. */
export function Chooser({ notice, onFile }: { notice: string | undefined; onFile: (file: File) => void }) {
  const [problem, setProblem] = useState('');
  const [isOver, setOver] = useState(false);
  const take = (files: FileList | null | undefined) => {
    const file = files?.[0];
    if (file && files.length === 1) onFile(file);
    else setProblem(file ? texts.oneFile : texts.noFile);
  };
  useDropsElsewhere(take);
  return (
    <>
      {notice && <p class="note">{notice}</p>}
      <div
        class={isOver ? 'drop over' : 'drop'}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={() => setOver(false)}
      >
        <p class="drop-title">{texts.drop}</p>
        <p id="drop-hint" class="hint">{texts.dropHint}</p>
        <FileButton onFiles={take} />
      </div>
      <p class="problem" role="alert">{problem}</p>
      <PasteArea onFile={onFile} onProblem={setProblem} />
    </>
  );
}

function FileButton({ onFiles }: { onFiles: (files: FileList | null) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" aria-describedby="drop-hint" onClick={() => input.current?.click()}>{texts.chooseFile}</button>
      <input
        ref={input}
        type="file"
        hidden
        accept={ACCEPTED}
        onChange={(event) => {
          onFiles(event.currentTarget.files);
          // The same file can be chosen again after it was corrected.
          event.currentTarget.value = '';
        }}
      />
    </>
  );
}

function PasteArea({ onFile, onProblem }: { onFile: (file: File) => void; onProblem: (problem: string) => void }) {
  const [text, setText] = useState('');
  const check = () => {
    if (text.trim()) onFile(new File([text], texts.pastedName, { type: 'text/plain' }));
    else onProblem(texts.nothingPasted);
  };
  return (
    <div class="paste">
      <label for="pasted">{texts.paste}</label>
      <textarea
        id="pasted"
        rows={4}
        spellcheck={false}
        placeholder={texts.pasteExample}
        aria-describedby="paste-hint"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <p id="paste-hint" class="hint">{texts.pasteHint}</p>
      <button type="button" class="quiet" onClick={check}>{texts.checkPasted}</button>
    </div>
  );
}

/** Takes a file that was dropped or pasted anywhere on the page. Without this, the browser would open a dropped file in place of the page. */
function useDropsElsewhere(take: (files: FileList | null | undefined) => void): void {
  useEffect(() => {
    const allow = (event: DragEvent) => event.preventDefault();
    const drop = (event: DragEvent) => {
      event.preventDefault();
      take(event.dataTransfer?.files);
    };
    const paste = (event: ClipboardEvent) => {
      if (event.clipboardData?.files.length) take(event.clipboardData.files);
    };
    addEventListener('dragover', allow);
    addEventListener('drop', drop);
    addEventListener('paste', paste);
    return () => {
      removeEventListener('dragover', allow);
      removeEventListener('drop', drop);
      removeEventListener('paste', paste);
    };
  });
}
