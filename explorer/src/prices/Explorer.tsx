import { useMemo, useRef, useState } from 'preact/hooks';
import { ErrorNote } from '../frame/ErrorNote';
import { useQuery } from '../frame/useQuery';
import { Chart } from './chart/Chart';
import { Legend } from './chart/Legend';
import { isWidened } from './data/model';
import { PRICED_LANES } from './data/operations';
import { useLiveRefresh } from './data/useLiveRefresh';
import { useMarket, useRange, useSeries } from './data/useSeries';
import { DEMO_LANE, findExamples } from './form/examples';
import { LaneForm } from './form/LaneForm';
import { Share } from './share/Share';
import type { Period } from './state/period';
import { useNarrow } from './state/useNarrow';
import { useView } from './state/useView';
import { formatView, type Lane, type View } from './state/view';
import { texts } from './texts';
import { LaneCards } from './view/LaneCards';
import { MarketNote } from './view/MarketNote';
import { SeriesTable } from './view/SeriesTable';
import { Toolbar } from './view/Toolbar';

interface Props {
  /** The period of all prices. */
  data: Period;
  isDemo: boolean;
  /** Prices have changed, so the period may have too. */
  onChanged: () => void;
}

/** Lanes, chart and table. */
export function Explorer({ data, isDemo, onChanged }: Props) {
  const [address, change] = useView();
  const priced = useQuery(PRICED_LANES, {});
  const examples = priced.data || priced.error ? findExamples(priced.data?.lanes?.edges ?? [], isDemo) : null;
  const isFirstVisit = address.lanes.length === 0;
  const first = isDemo ? DEMO_LANE : examples?.[0]?.lane;
  const view = useMemo<View>(
    () => (isFirstVisit && first ? { ...address, lanes: [first] } : address),
    [address, isFirstVisit, first?.origin, first?.destination],
  );
  const state = useSeries(view, data);
  const { set } = state;
  const series = set?.lanes.find(({ place }) => place === view.selected) ?? set?.lanes[0];
  const { range, error: rangeError } = useRange(state, series);
  const market = useMarket(state, series);
  const [message, say] = useState('');
  const canvases = useRef<() => HTMLCanvasElement[]>(() => []);
  const isNarrow = useNarrow();
  const originField = useRef<HTMLInputElement>(null);
  const live = useLiveRefresh(set?.lanes.map(({ shown }) => ({ origin: shown.origin.key, destination: shown.destination.key })) ?? [], () => {
    state.reload();
    onChanged();
  });

  const add = (lane: Lane, name: string) => {
    const lanes = isFirstVisit ? [lane] : [...view.lanes, lane];
    change({ lanes, selected: lanes.length - 1 }, 'push');
    say(texts.form.added(name));
  };
  const remove = (place: number, name: string) => {
    const lanes = view.lanes.filter((_, index) => index !== place);
    const selected = Math.max(0, view.selected - (place <= view.selected ? 1 : 0));
    change({ lanes, selected }, 'push');
    say(texts.form.removed(name));
  };
  const replace = (place: number, lane: Lane) =>
    change({ lanes: view.lanes.map((other, index) => (index === place ? lane : other)) }, 'push');

  const isWaiting = !state.error && (state.isLoading || view.lanes.length === 0);
  const hasAverages = set?.lanes.some(({ averages }) => averages.some((average) => average !== null)) ?? false;
  const form = <LaneForm key="form" lanes={view.lanes} isFirstVisit={isFirstVisit} examples={examples} originField={originField} onAdd={add} />;
  const toolbar = <Toolbar key="toolbar" view={view} days={state.variables} data={data} change={change} />;
  const cards = (
    <LaneCards
      key="cards"
      view={view}
      selected={series?.place ?? view.selected}
      set={set}
      unknown={state.unknown}
      isLoading={state.isLoading}
      onSelect={(selected) => change({ selected })}
      onRemove={remove}
      onReplace={replace}
    />
  );
  const body = (
    <div key="body" class="body" aria-busy={state.isLoading}>
      {set && series && hasAverages && !view.isTable && (
        <>
          <Chart
            set={set}
            selected={series.place}
            range={range}
            canvases={canvases}
            onHover={live.onHover}
            zoomDays={view.zoom}
            onZoom={(zoom) => change({ zoom }, 'push')}
          />
          <Legend
            set={set}
            series={series}
            range={range}
            isRangeTooLarge={rangeError !== null && !rangeError.isTemporary}
          />
        </>
      )}
      {set && series && view.isTable && <SeriesTable set={set} series={series} range={range} />}
      {set && series && !hasAverages && !view.isTable && (
        <div class="blank empty">
          <p><strong>{texts.chart.empty}</strong></p>
          <p>{texts.chart.emptyHint}</p>
        </div>
      )}
      {!set && isWaiting && <p class="blank">{texts.loading}</p>}
      {!set && !isWaiting && <p class="blank empty">{texts.chart.nothing}</p>}
    </div>
  );
  return (
    <>
      {!isNarrow && <section class="card">{form}</section>}
      <section class="card">
        {!isNarrow && toolbar}
        {cards}
        {isNarrow && <button type="button" class="quiet add-lane" onClick={() => originField.current?.focus()}>{texts.form.open}</button>}
        {state.error && <ErrorNote error={state.error} onRetry={state.reload} />}
        {series && (
          <MarketNote
            series={series}
            market={market}
            interval={set?.interval ?? view.interval}
            isWider={view.isWider}
            isAnyWidened={set?.lanes.some(isWidened) ?? false}
            onChange={(isWider) => change({ isWider }, 'push')}
          />
        )}
        {body}
        <p class="live" role="status">{live.message}</p>
        {set && state.answered && (
          <Share
            set={set}
            asked={state.answered}
            selected={series?.place ?? 0}
            canvases={canvases}
            link={new URL(`/${formatView(view)}`, location.href).href}
            hasChart={hasAverages && !view.isTable}
            isDemo={isDemo}
            say={say}
          />
        )}
        {isNarrow && toolbar}
      </section>
      {isNarrow && <section class="card">{form}</section>}
      <p class="visually-hidden" role="status">{message}</p>
    </>
  );
}
