import { useEffect, useState } from 'preact/hooks';
import { fetchFile, save } from '../../frame/download';
import { ErrorNote } from '../../frame/ErrorNote';
import { useQuery } from '../../frame/useQuery';
import type { BatchStatus, UploadHistoryQueryVariables } from '../../gql/graphql';
import { type Batch, HISTORY } from '../operations';
import { explain } from '../sending/refusals';
import { hasEnded } from '../sending/follow';
import { texts } from '../texts';
import { Batches } from './Batches';
import { RevertDialog } from './RevertDialog';

const PAGE_SIZE = 10;
const POLL_SECONDS = 3;
const FIRST_PAGE = { first: PAGE_SIZE };

export interface HistoryProps {
  /** Changes when there may be a new batch. */
  turn: number;
  onReverted: (batch: Batch) => void;
}

/** The batches of the caller, newest first. */
export function History({ turn, onReverted }: HistoryProps) {
  const [page, setPage] = useState<UploadHistoryQueryVariables>(FIRST_PAGE);
  const [status, setStatus] = useState<BatchStatus | null>(null);
  const [start, setStart] = useState(0);
  const [message, setMessage] = useState('');
  const [reverting, setReverting] = useState<Batch | null>(null);
  const { data, error, reload } = useQuery(HISTORY, { ...page, status });
  const found = data?.batches;
  const batches = found?.edges.map((edge) => edge.node) ?? [];
  const isMoving = batches.some((batch) => !hasEnded(batch));

  useEffect(() => {
    if (turn > 0) reload();
  }, [turn, reload]);
  useEffect(() => {
    // After an error, useQuery itself tries again, or the user has to do something.
    if (!isMoving || error) return;
    const timer = setInterval(reload, POLL_SECONDS * 1_000);
    return () => clearInterval(timer);
  }, [isMoving, error, reload]);

  const turnPage = (next: UploadHistoryQueryVariables, offset: number) => {
    setPage(next);
    setStart(offset);
  };
  const saveProblems = (batch: Batch) => {
    const name = `batch-${batch.number}-rejections.csv`;
    fetchFile(batch.rejectionsUrl!).then(
      (file) => {
        save(file, name);
        setMessage(texts.history.saved(name));
      },
      (reason: unknown) => setMessage(texts.history.notSaved(explain(reason))),
    );
  };
  return (
    <section class="card" aria-labelledby="history">
      <div class="history-head">
        <h2 id="history">{texts.history.title}</h2>
        <StatusFilter
          status={status}
          onChange={(value) => {
            setStatus(value);
            turnPage(FIRST_PAGE, 0);
          }}
        />
      </div>
      {error && <ErrorNote error={error} onRetry={reload} />}
      {!found && !error && <p class="hint">{texts.waiting}</p>}
      {found?.totalCount === 0 && <p class="hint">{status ? texts.history.emptyFilter : texts.history.empty}</p>}
      {batches.length > 0 && <Batches batches={batches} onProblems={saveProblems} onRevert={setReverting} />}
      <p role="status" class="hint">{message}</p>
      {found && found.totalCount > PAGE_SIZE && (
        <nav class="pager" aria-label={texts.history.pages}>
          <button
            type="button"
            class="quiet"
            disabled={!found.pageInfo.hasPreviousPage}
            onClick={() => turnPage({ last: PAGE_SIZE, before: found.pageInfo.startCursor }, Math.max(0, start - PAGE_SIZE))}
          >
            {texts.history.newer}
          </button>
          <span>{texts.history.range(start + 1, start + batches.length, found.totalCount)}</span>
          <button
            type="button"
            class="quiet"
            disabled={!found.pageInfo.hasNextPage}
            onClick={() => turnPage({ first: PAGE_SIZE, after: found.pageInfo.endCursor }, start + PAGE_SIZE)}
          >
            {texts.history.older}
          </button>
        </nav>
      )}
      {reverting && (
        <RevertDialog
          key={reverting.id}
          batch={reverting}
          onClose={(isReverted) => {
            if (isReverted) {
              setMessage(texts.revert.done(reverting.number));
              onReverted(reverting);
            }
            setReverting(null);
            reload();
          }}
        />
      )}
    </section>
  );
}

function StatusFilter({ status, onChange }: { status: BatchStatus | null; onChange: (status: BatchStatus | null) => void }) {
  return (
    <label class="filter">
      {texts.history.filter}{' '}
      <select value={status ?? ''} onChange={(event) => onChange((event.currentTarget.value || null) as BatchStatus | null)}>
        <option value="">{texts.history.all}</option>
        {Object.entries(texts.statuses).map(([value, label]) => <option key={value} value={value}>{label}</option>)}
      </select>
    </label>
  );
}
