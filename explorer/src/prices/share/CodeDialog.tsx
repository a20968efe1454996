import type { RefObject } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { server } from '../../frame/server';
import type { SeriesQueryVariables } from '../../gql/graphql';
import { texts } from '../texts';
import { copyText } from './clipboard';
import { type Language, writeProgram, writeQuery } from './snippets';

/** The query of the page for other programs, to copy or to open in GraphiQL. */
export function CodeDialog({ dialog, asked }: { dialog: RefObject<HTMLDialogElement>; asked: SeriesQueryVariables }) {
  const [language, setLanguage] = useState<Language>('graphql');
  const [message, setMessage] = useState('');
  const code = useRef<HTMLPreElement>(null);
  const query = writeQuery(asked);
  const program = writeProgram(language, query);
  const copy = async () => {
    const isCopied = await copyText(program);
    if (!isCopied && code.current) getSelection()?.selectAllChildren(code.current);
    setMessage(isCopied ? texts.share.copied : texts.share.notCopied);
  };
  return (
    <dialog ref={dialog} class="code" aria-labelledby="code-title" onClose={() => setMessage('')}>
      <h2 id="code-title">{texts.share.title}</h2>
      <div class="segments" role="group" aria-label={texts.share.language}>
        {(Object.keys(texts.share.languages) as Language[]).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === language}
            onClick={() => {
              setLanguage(name);
              setMessage('');
            }}
          >
            {texts.share.languages[name]}
          </button>
        ))}
      </div>
      <pre ref={code} tabIndex={0} aria-label={texts.share.languages[language]}>{program}</pre>
      {server.documents === 'registered' && <p class="note">{texts.share.registeredOnly}</p>}
      <div class="actions">
        <button type="button" onClick={copy}>{texts.share.copy}</button>
        {server.pages.includes('/graphql') && (
          <a class="button quiet" href={`/graphql?query=${encodeURIComponent(query)}`}>{texts.share.graphiql}</a>
        )}
        <button type="button" class="quiet" onClick={() => dialog.current?.close()}>{texts.share.close}</button>
        <span role="status">{message}</span>
      </div>
    </dialog>
  );
}
