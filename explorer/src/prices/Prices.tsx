import { ErrorNote } from '../frame/ErrorNote';
import { Frame } from '../frame/Frame';
import { server } from '../frame/server';
import { useQuery } from '../frame/useQuery';
import { formatCount, formatDay } from './data/format';
import { OVERVIEW } from './data/operations';
import { Explorer } from './Explorer';
import { texts } from './texts';

/** The front page: prices of lanes over time. */
export function Prices() {
  const { data, error, reload } = useQuery(OVERVIEW, {});
  const period = data?.dataPeriod;
  const days = period?.firstDay && period.lastDay ? { from: period.firstDay, to: period.lastDay } : null;
  const footer = days && period ? texts.footer(formatDay(days.to), formatCount(period.priceCount)) : null;
  return (
    <Frame isDemo={period?.hasDemoData} footer={footer}>
      <h1>{texts.title}</h1>
      <p class="lead">{texts.lead}</p>
      {error && <ErrorNote error={error} onRetry={reload} />}
      {period && !days && <Nothing />}
      {days && period && <Explorer data={days} isDemo={period.hasDemoData} onChanged={reload} />}
      {!period && !error && <p class="card skeleton" role="status">{texts.loading}</p>}
    </Frame>
  );
}

function Nothing() {
  return (
    <div class="note">
      <p>{texts.none}</p>
      {server.pages.includes('/uploads') && <p><a class="button" href="/uploads">{texts.upload}</a></p>}
    </div>
  );
}
