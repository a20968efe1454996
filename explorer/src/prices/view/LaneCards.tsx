import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { formatAmount, formatBucket, formatCount, formatPercent } from '../data/format';
import { isWidened, type LaneSeries, nameOf, type SeriesSet, summarize } from '../data/model';
import { laneKey, type UnknownEnd } from '../data/useSeries';
import { Swatch } from '../chart/Swatch';
import type { Lane, View } from '../state/view';
import { texts } from '../texts';

interface Props {
  view: View;
  /** Place of the lane whose range and counts are shown. */
  selected: number;
  set: SeriesSet | null;
  unknown: ReadonlyMap<string, UnknownEnd>;
  isLoading: boolean;
  onSelect: (place: number) => void;
  onRemove: (place: number, name: string) => void;
  onReplace: (place: number, lane: Lane) => void;
}

/** The lanes of the chart. A click selects the lane whose range and counts it shows. */
export function LaneCards({ view, selected, set, unknown, isLoading, onSelect, onRemove, onReplace }: Props) {
  // A removed card would take the focus with it.
  const list = useRef<HTMLUListElement>(null);
  const remove = (place: number, name: string) => {
    onRemove(place, name);
    list.current?.focus();
  };
  return (
    <ul class="lanes" aria-label={texts.cards.title} ref={list} tabIndex={-1}>
      {view.lanes.map((lane, place) => {
        const series = set?.lanes.find((other) => other.place === place);
        const missing = unknown.get(laneKey(lane));
        const name = series ? nameOf(series.shown) : texts.lane(lane.origin, lane.destination);
        const isSelected = place === selected && view.lanes.length > 1;
        return (
          <li key={laneKey(lane)} class={`lane lane-${place + 1}${isSelected ? ' selected' : ''}`}>
            <div class="head">
              <Swatch place={place} />
              {view.lanes.length > 1 && series ? (
                <button type="button" class="select" aria-pressed={isSelected} title={texts.cards.select} onClick={() => onSelect(place)}>
                  {name}
                </button>
              ) : (
                <strong>{name}</strong>
              )}
              {view.lanes.length > 1 && (
                <button type="button" class="remove" aria-label={texts.cards.remove(name)} onClick={() => remove(place, name)}>
                  <span aria-hidden="true">×</span>
                </button>
              )}
            </div>
            {missing ? (
              <Suggestions lane={lane} unknown={missing} onReplace={(other) => onReplace(place, other)} />
            ) : series && set ? (
              <Figures series={series} set={set} />
            ) : (
              <p class="about unanswered">{isLoading ? texts.cards.loading : texts.cards.failed}</p>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Figures({ series, set }: { series: LaneSeries; set: SeriesSet }) {
  const { last, changePercent, mostPrices } = summarize(series);
  const average = series.averages[last];
  const unit = texts.units[set.interval];
  const bucket = (index: number) => {
    const name = formatBucket(set.from[index] ?? '', set.to[index] ?? '', set.interval);
    return set.partial[index] ? texts.chart.partial(name) : name;
  };
  if (average == null) {
    const text = mostPrices === 0 ? texts.cards.noPrices : texts.cards.tooFew(prices(mostPrices), unit);
    return <Facts series={series}><span class="warning">{text}</span></Facts>;
  }
  const isLate = last < series.averages.length - 1;
  const facts = [
    isLate ? <span class="warning">{texts.cards.thin(bucket(last))}</span> : bucket(last),
    prices(series.counts[last] ?? 0),
    changePercent !== null && texts.cards.change(formatPercent(changePercent)),
  ];
  return (
    <Facts series={series} amount={formatAmount(average, set.currency)}>
      {facts.filter(Boolean).flatMap((fact, index) => (index > 0 ? [' · ', fact] : [fact]))}
    </Facts>
  );
}

const prices = (count: number): string => texts.prices(formatCount(count), count);

function Facts({ series, amount, children }: { series: LaneSeries; amount?: string; children: ComponentChildren }) {
  return (
    <>
      <p class="about">
        {amount && <span class="amount">{amount}</span>} {children}
      </p>
      {isWidened(series) && (
        <p class="about">
          {texts.cards.asked(nameOf(series.asked))}
          <br />
          {texts.cards.steps(
            texts.market.steps(series.originLevelsUp, texts.market.origin),
            texts.market.steps(series.destinationLevelsUp, texts.market.destination),
          )}
        </p>
      )}
    </>
  );
}

function Suggestions({ lane, unknown, onReplace }: { lane: Lane; unknown: UnknownEnd; onReplace: (lane: Lane) => void }) {
  const { end, suggestions } = unknown;
  return (
    <div role="alert">
      <p class="about warning">{texts.cards.unknown(lane[end])}</p>
      {suggestions.length > 0 && (
        <p class="about suggestions">
          {texts.cards.suggestions}{' '}
          {suggestions.map((key) => (
            <button key={key} type="button" class="quiet small" onClick={() => onReplace({ ...lane, [end]: key })}>{key}</button>
          ))}
        </p>
      )}
    </div>
  );
}
