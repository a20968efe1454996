import { useState } from 'preact/hooks';
import { save } from '../../frame/download';
import { formatCount } from '../format';
import type { Problem } from '../operations';
import { Table } from '../Table';
import { texts } from '../texts';

const SHOWN_FIRST = 5;

export interface ProblemsProps {
  problems: Problem[];
  /** Number of items that are left out because of them. */
  rejectedCount: number;
  /** Name of the file. */
  name: string;
}

/** Problems by item: the first ones, then all that the server reports. */
export function Problems({ problems, rejectedCount, name }: ProblemsProps) {
  const [isLong, setLong] = useState(false);
  if (problems.length === 0) return null;
  const { item, field, code, message, value } = texts.problem;
  const columns = [{ label: item }, { label: field }, { label: code }, { label: message, isWide: true }, { label: value }];
  const rows = (isLong ? problems : problems.slice(0, SHOWN_FIRST)).map((problem, index) => ({
    key: index,
    cells: [
      <ItemNumber item={problem.item} />,
      problem.field ?? '',
      <code>{problem.code}</code>,
      problem.message,
      problem.value === null ? '' : <code class="value">{problem.value}</code>,
    ],
  }));
  const title = texts.problemsTitle(rejectedCount);
  return (
    <>
      <h3>{title}</h3>
      {rejectedCount > 0 && <p class="hint">{texts.problemsHint}</p>}
      <Table caption={title} columns={columns} rows={rows} />
      {rejectedCount > problems.length && <p class="hint">{texts.firstOnly(problems.length)}</p>}
      <p class="actions">
        {rows.length < problems.length && (
          <button type="button" class="quiet" onClick={() => setLong(true)}>{texts.allShown(rows.length, problems.length)}</button>
        )}
        <button type="button" class="quiet" onClick={() => save(new Blob([toCsv(problems)], { type: 'text/csv' }), `${name}-problems.csv`)}>
          {texts.saveProblems}
        </button>
      </p>
    </>
  );
}

/** The number of an item. On a phone the row is a card, which has no heading above the number. */
function ItemNumber({ item }: { item: number | null }) {
  if (item === null) return <>{texts.wholeFile}</>;
  return <><span class="card-label">{texts.problem.item} </span>{formatCount(item)}</>;
}

function toCsv(problems: Problem[]): string {
  const lines = problems.map(({ item, field, code, message, value }) => [item, field, code, message, value].map(quote).join(','));
  return ['item,field,code,message,value', ...lines, ''].join('\r\n');
}

/** A CSV field (RFC 4180). A quote before what a spreadsheet would take for a formula keeps it a text. */
function quote(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
