import { describeReason } from '../data/describe';
import { formatAmount, formatBucket, formatCount, formatShare } from '../data/format';
import { type LaneSeries, nameOf, type PriceRange, type SeriesSet } from '../data/model';
import { texts } from '../texts';

interface Props {
  set: SeriesSet;
  series: LaneSeries;
  range: PriceRange | null;
}

/** All figures of the selected lane, newest first: the accessible form of the chart. */
export function SeriesTable({ set, series, range }: Props) {
  const caption = texts.table.caption(nameOf(series.shown), set.currency);
  const amount = (value: number | null | undefined) => (value == null ? '–' : formatAmount(value, set.currency, 2));
  const rows = set.from.map((_, index) => set.from.length - 1 - index);
  const statistics = range && [range.lows, range.p25, range.p75, range.highs];
  const heads = [texts.table.low, texts.table.p25, texts.table.p75, texts.table.high];
  return (
    <>
      <p id="caption" class="hint">{caption}</p>
      {range !== null && range.error > 0 && <p class="hint">{texts.legend.within(formatShare(range.error))}</p>}
      <div class="table" role="region" aria-labelledby="caption" tabIndex={0}>
        <table aria-labelledby="caption">
          <thead>
            <tr>
              <th scope="col">{texts.table.bucket[set.interval]}</th>
              <th scope="col">{texts.table.average}</th>
              <th scope="col">{texts.table.count}</th>
              {statistics && heads.map((head) => <th key={head} scope="col">{head}</th>)}
              <th scope="col" class="text">{texts.table.reason}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((index) => (
              <tr key={set.from[index]} class={series.averages[index] === null ? 'empty' : undefined}>
                <th scope="row">{formatBucket(set.from[index] ?? '', set.to[index] ?? '', set.interval)}</th>
                <td>{amount(series.averages[index])}</td>
                <td>{formatCount(series.counts[index] ?? 0)}</td>
                {statistics?.map((values, column) => <td key={heads[column]}>{amount(values[index])}</td>)}
                <td class="text">
                  {[set.partial[index] ? texts.table.partial : '', describeReason(series, index)].filter(Boolean).join(', ')}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
