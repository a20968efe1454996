import { formatChange, formatCount, formatPrice } from '../format';
import type { Change } from '../operations';
import { Table } from '../Table';
import { texts } from '../texts';

/** The averages that would change most, as before and after. */
export function Moves({ changes }: { changes: Change[] }) {
  const columns = [
    { label: texts.move.lane },
    { label: texts.move.day },
    { label: texts.move.before, isNumber: true },
    { label: texts.move.after, isNumber: true },
    { label: texts.move.change, isNumber: true },
    { label: texts.move.prices, isNumber: true },
  ];
  const rows = changes.map((change) => ({
    key: `${change.origin.code} ${change.destination.code} ${change.day}`,
    cells: [
      <Lane change={change} />,
      change.day,
      change.averageBefore === null ? texts.none : formatPrice(change.averageBefore),
      formatPrice(change.averageAfter),
      change.averageBefore === null ? texts.newAverage : formatChange(change.averageBefore, change.averageAfter),
      texts.fromTo(formatCount(change.countBefore), formatCount(change.countAfter)),
    ],
  }));
  return (
    <>
      <h3>{texts.movesTitle}</h3>
      <p class="hint">{rows.length > 0 ? texts.movesHint : texts.noMoves}</p>
      {rows.length > 0 && <Table caption={texts.movesTitle} columns={columns} rows={rows} />}
    </>
  );
}

function Lane({ change: { origin, destination } }: { change: Change }) {
  return (
    <>
      {texts.lane(origin.name, destination.name)} <span class="hint">{texts.lane(origin.code, destination.code)}</span>
    </>
  );
}
