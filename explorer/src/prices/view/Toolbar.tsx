import { useLayoutEffect, useState } from 'preact/hooks';
import type { Interval } from '../../gql/graphql';
import { isDay } from '../state/days';
import { type Period, type Preset, PRESETS } from '../state/period';
import type { Change } from '../state/useView';
import { CURRENCIES, INTERVALS, type View } from '../state/view';
import { texts } from '../texts';

interface Props {
  view: View;
  /** The days that are shown. */
  days: Period;
  data: Period;
  change: Change;
}

/** Period, interval, currency, and chart or table. */
export function Toolbar({ view, days, data, change }: Props) {
  return (
    <div class="toolbar">
      <div class="segments" role="group" aria-label={texts.period.title}>
        {(Object.keys(PRESETS) as Preset[]).map((preset) => (
          <button
            key={preset}
            type="button"
            aria-pressed={view.period === preset}
            aria-label={`${texts.period.presets[preset]}: ${texts.period.names[preset]}`}
            title={texts.period.names[preset]}
            onClick={() => change({ period: preset })}
          >
            {texts.period.presets[preset]}
          </button>
        ))}
      </div>
      <DayInputs days={days} data={data} onChange={(period) => change({ period })} />
      <label>
        {texts.interval}
        <select value={view.interval} onChange={(event) => change({ interval: event.currentTarget.value as Interval })}>
          {INTERVALS.map((interval) => <option key={interval} value={interval}>{texts.intervals[interval]}</option>)}
        </select>
      </label>
      <label>
        {texts.currency}
        <select value={view.currency} onChange={(event) => change({ currency: event.currentTarget.value })}>
          {CURRENCIES.map((code) => <option key={code}>{code}</option>)}
        </select>
      </label>
      <div class="segments views" role="group" aria-label={texts.views.title}>
        <button type="button" aria-pressed={!view.isTable} onClick={() => change({ isTable: false })}>{texts.views.chart}</button>
        <button type="button" aria-pressed={view.isTable} onClick={() => change({ isTable: true })}>{texts.views.table}</button>
      </div>
    </div>
  );
}

function DayInputs({ days, data, onChange }: { days: Period; data: Period; onChange: (period: Period) => void }) {
  const [typed, setTyped] = useState(days);
  // At once: a later effect would overwrite the digits that have been typed meanwhile.
  useLayoutEffect(() => setTyped(days), [days.from, days.to]);
  const isReversed = isDay(typed.from) && isDay(typed.to) && typed.from > typed.to;
  const change = (part: Partial<Period>) => {
    const next = { ...typed, ...part };
    setTyped(next);
    if (isDay(next.from) && isDay(next.to) && next.from <= next.to) onChange(next);
  };
  const input = (end: 'from' | 'to') => (
    <label>
      {texts.period[end]}
      <input
        type="date"
        value={typed[end]}
        min={data.from}
        max={data.to}
        required
        aria-invalid={isReversed}
        aria-describedby={isReversed ? 'reversed' : undefined}
        onChange={(event) => change({ [end]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <div class="days">
      {input('from')}
      {input('to')}
      {isReversed && <p id="reversed" class="warning" role="alert">{texts.period.reversed}</p>}
    </div>
  );
}
