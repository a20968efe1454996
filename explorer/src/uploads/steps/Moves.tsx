import { formatChange, formatCount, formatPrice } from '../format';
import type { Change } from '../operations';
import { Table } from '../Table';
import { texts } from '../texts';

/** A change of more percent is called unusual: half of the price, or a slipped decimal point. */
const OUTLIER_PERCENT = 50;

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
      change.averageBefore === null ? texts.newAverage : <ChangeText percent={findPercent(change)} />,
      texts.fromTo(formatCount(change.countBefore), formatCount(change.countAfter)),
    ],
  }));
  return (
    <>
      <h3>{texts.movesTitle}</h3>
      <p class="hint">{rows.length > 0 ? texts.movesHint : texts.noMoves}</p>
      {changes.some(isOutlier) && <p class="note">{texts.outliers(OUTLIER_PERCENT)}</p>}
      {rows.length > 0 && <Table caption={texts.movesTitle} columns={columns} rows={rows} />}
    </>
  );
}

/** The change in percent, or null for a first average and for one of 0 before. */
function findPercent({ averageBefore, averageAfter }: Change): number | null {
  return averageBefore ? ((averageAfter - averageBefore) / Math.abs(averageBefore)) * 100 : null;
}

const isOutlier = (change: Change): boolean => Math.abs(findPercent(change) ?? 0) > OUTLIER_PERCENT;

function ChangeText({ percent }: { percent: number | null }) {
  if (percent === null) return null;
  return (
    <>
      {formatChange(percent)} {Math.abs(percent) > OUTLIER_PERCENT && <span class="badge outlier">{texts.outlier}</span>}
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
