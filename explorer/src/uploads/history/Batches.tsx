import { formatCaller, formatCount, formatTime } from '../format';
import type { Batch } from '../operations';
import { Table } from '../Table';
import { texts } from '../texts';

export interface BatchesProps {
  batches: Batch[];
  onProblems: (batch: Batch) => void;
  onRevert: (batch: Batch) => void;
}

/** A page of batches, with what one may do with each. */
export function Batches({ batches, onProblems, onRevert }: BatchesProps) {
  const columns = [
    { label: texts.history.batch },
    { label: texts.history.source, isWide: true },
    { label: texts.history.items, isNumber: true },
    { label: texts.history.lanes, isNumber: true },
    { label: texts.history.period },
    { label: texts.history.uploaded },
    { label: texts.history.actions, isWide: true },
  ];
  const rows = batches.map((batch) => ({
    key: batch.id,
    cells: [
      <State batch={batch} />,
      <span class="source">{batch.source}</span>,
      <Items batch={batch} />,
      batch.status === 'QUEUED' ? '' : formatCount(batch.laneCount),
      batch.firstDay && batch.lastDay ? <Period from={batch.firstDay} to={batch.lastDay} /> : '',
      <Uploaded batch={batch} />,
      <Actions batch={batch} onProblems={onProblems} onRevert={onRevert} />,
    ],
  }));
  return <Table caption={texts.history.title} columns={columns} rows={rows} />;
}

function State({ batch }: { batch: Batch }) {
  const percent = batch.status === 'RUNNING' ? ` ${texts.percent(batch.progress)}` : '';
  return (
    <span class="state">
      <span class="card-label">{texts.history.batch} </span>{batch.number} <span class={`badge ${batch.status.toLowerCase()}`}>{texts.statuses[batch.status]}{percent}</span>
    </span>
  );
}

function Items({ batch }: { batch: Batch }) {
  // A worker counts them.
  if (batch.status === 'QUEUED') return null;
  if (batch.rejectedCount === 0) return <>{formatCount(batch.itemCount)}</>;
  return (
    <>
      {texts.itemsOf(batch.acceptedCount, batch.itemCount)}{' '}
      <span class="hint">{texts.history.rejectedItems(batch.rejectedCount)}</span>
    </>
  );
}

function Period({ from, to }: { from: string; to: string }) {
  if (from === to) return <span class="day">{from}</span>;
  return (
    <>
      <span class="day">{from} –</span> <span class="day">{to}</span>
    </>
  );
}

function Uploaded({ batch }: { batch: Batch }) {
  return (
    <>
      <time class="day" dateTime={batch.createdAt}>{formatTime(batch.createdAt)}</time>
      {batch.uploader && <span class="hint"> {texts.history.by(formatCaller(batch.uploader))}</span>}
    </>
  );
}

function Actions({ batch, onProblems, onRevert }: { batch: Batch } & Omit<BatchesProps, 'batches'>) {
  return (
    <span class="actions">
      {batch.rejectionsUrl && (
        <button type="button" class="quiet small" aria-label={texts.history.problemsOf(batch.number)} onClick={() => onProblems(batch)}>
          {texts.history.problems}
        </button>
      )}
      {batch.status === 'APPLIED' && (
        <button type="button" class="quiet small" aria-label={texts.history.revertOf(batch.number)} onClick={() => onRevert(batch)}>
          {texts.history.revert}
        </button>
      )}
    </span>
  );
}
