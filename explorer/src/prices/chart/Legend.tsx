import { formatShare } from '../data/format';
import { type LaneSeries, nameOf, type PriceRange, type SeriesSet } from '../data/model';
import { texts } from '../texts';
import { Swatch } from './Swatch';

interface Props {
  series: LaneSeries;
  range: PriceRange | null;
  isRangeTooLarge: boolean;
  set: SeriesSet;
}

/** What the marks of the chart mean; only of those that it shows. */
export function Legend({ set, series, range, isRangeTooLarge }: Props) {
  const hasGaps = series.averages.includes(null);
  const isThin = series.reasons.includes('BELOW_MINIMUM_SAMPLE');
  const mark = (name: string) => <span class={`mark ${name} lane-${series.place + 1}`} aria-hidden="true" />;
  return (
    <div class="legend">
      <ul>
        <li><Swatch place={series.place} /> {texts.legend.average}</li>
        {range && <li>{mark('middle')} {texts.legend.middle}</li>}
        {range && <li>{mark('range')} {texts.legend.range}</li>}
        {hasGaps && <li>{mark('gap')} {texts.legend.gap}</li>}
        {isThin && <li>{mark('thin')} {texts.legend.thin}</li>}
        <li>{texts.legend.counts(texts.units[set.interval])}</li>
        <li class="fine-only">{texts.chart.zoomHint}</li>
      </ul>
      {set.lanes.length > 1 && <p>{texts.legend.of(nameOf(series.shown))}</p>}
      {range !== null && range.error > 0 && <p>{texts.legend.within(formatShare(range.error))}</p>}
      {isRangeTooLarge && <p>{texts.legend.rangeTooLarge}</p>}
      {set.currency !== 'USD' && <p>{texts.legend.converted(set.currency)}</p>}
    </div>
  );
}
