import { useCallback, useEffect, useState } from 'preact/hooks';
import { getToken } from '../frame/api';
import { ErrorNote } from '../frame/ErrorNote';
import { Frame } from '../frame/Frame';
import { openTokenDialog } from '../frame/TokenDialog';
import { useQuery } from '../frame/useQuery';
import { formatCaller } from './format';
import { History } from './history/History';
import { VIEWER } from './operations';
import { useUpload } from './sending/useUpload';
import { Steps } from './steps/Steps';
import { texts } from './texts';

/** The page for uploads: checks a file, uploads it and follows its batch; below, the history of batches. */
export function Uploads() {
  const { data, error, reload } = useQuery(VIEWER, {});
  const [askedWith, setAskedWith] = useState(getToken());
  const [turn, setTurn] = useState(0);
  // Survives a change of the token, so that a file that was refused without one continues.
  const upload = useUpload(useCallback(() => setTurn((number) => number + 1), []));
  useEffect(() => setAskedWith(getToken()), [data]);
  const viewer = data?.viewer;
  const mayUpload = viewer?.scopes.some((scope) => scope === 'UPLOAD' || scope === 'ADMIN');
  const isCurrent = askedWith === getToken();
  return (
    <Frame>
      <h1>{texts.title}</h1>
      <p class="lead">{texts.lead}</p>
      {error && (!data || !isCurrent) && <ErrorNote error={error} onRetry={reload} />}
      {viewer && !mayUpload && isCurrent && <NoAccess name={viewer.name} />}
      {mayUpload && <Steps upload={upload} />}
      {mayUpload && isCurrent && <History turn={turn} onReverted={upload.noteReverted} />}
    </Frame>
  );
}

function NoAccess({ name }: { name: string | null }) {
  const hasToken = getToken() !== null;
  return (
    <section class="card">
      <h2>{texts.access.title}</h2>
      <p>{hasToken ? texts.access.reader(name && formatCaller(name)) : texts.access.none}</p>
      <button type="button" onClick={() => openTokenDialog()}>{hasToken ? texts.access.other : texts.access.enter}</button>
    </section>
  );
}
