import type { Interval } from '../../gql/graphql';
import { formatCount } from '../data/format';
import { type LaneSeries, type Market, nameOf } from '../data/model';
import { texts } from '../texts';

interface Props {
  series: LaneSeries;
  market: Market | null;
  interval: Interval;
  /** Whether larger markets are shown where a lane has few prices. */
  isWider: boolean;
  /** Whether one is. */
  isAnyWidened: boolean;
  onChange: (isWider: boolean) => void;
}

/** Offers the larger market of a lane with few prices, or the way back to the lanes that were asked. */
export function MarketNote({ series, market, interval, isWider, isAnyWidened, onChange }: Props) {
  if (isWider && isAnyWidened) {
    return (
      <div class="note market">
        <p>{texts.market.shown}</p>
        <button type="button" class="quiet" onClick={() => onChange(false)}>{texts.market.back}</button>
      </div>
    );
  }
  if (!market) return null;
  const { originLevelsUp, destinationLevelsUp, typicalCount } = market;
  const { steps, origin, destination, offer, show } = texts.market;
  const distance = `${steps(originLevelsUp, origin)}, ${steps(destinationLevelsUp, destination)}`;
  const count = texts.prices(formatCount(typicalCount), typicalCount);
  return (
    <div class="note market">
      <p>{offer(nameOf(series.asked), nameOf(market.shown), distance, count, texts.units[interval])}</p>
      <button type="button" onClick={() => onChange(true)}>{show}</button>
    </div>
  );
}
