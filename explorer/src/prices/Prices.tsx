import { ErrorNote } from '../frame/ErrorNote';
import { Frame } from '../frame/Frame';
import { server } from '../frame/server';
import { useQuery } from '../frame/useQuery';
import { graphql } from '../gql';
import type { OverviewQuery } from '../gql/graphql';
import { texts } from './texts';

const OVERVIEW = graphql(`
  query Overview {
    dataPeriod {
      firstDay
      lastDay
      priceCount
      hasDemoData
    }
  }
`);
const EXAMPLE_DAYS = 7;

/** The front page: what the server is, what data it has, and a query to begin with. */
export function Prices() {
  const { data, error, reload } = useQuery(OVERVIEW, {});
  const period = data?.dataPeriod;
  const footer = period?.lastDay ? texts.footer(period.lastDay) : null;
  return (
    <Frame isDemo={period?.hasDemoData ?? false} footer={footer}>
      <h1>{texts.title}</h1>
      <p class="lead">{texts.lead}</p>
      {error && <ErrorNote error={error} onRetry={reload} />}
      {!error && <Period period={period} />}
      {period?.lastDay && <Example lastDay={period.lastDay} isDemo={period.hasDemoData} />}
    </Frame>
  );
}

type DataPeriod = OverviewQuery['dataPeriod'];

function Period({ period }: { period: DataPeriod | undefined }) {
  if (period && !period.lastDay) return <p class="note">{texts.none}</p>;
  return (
    <section class="card">
      <dl class="facts">
        <div><dt>{texts.from}</dt><dd>{period?.firstDay ?? texts.waiting}</dd></div>
        <div><dt>{texts.to}</dt><dd>{period?.lastDay ?? texts.waiting}</dd></div>
        <div><dt>{texts.count}</dt><dd>{period?.priceCount.toLocaleString('en') ?? texts.waiting}</dd></div>
      </dl>
    </section>
  );
}

function Example({ lastDay, isDemo }: { lastDay: string; isDemo: boolean }) {
  const query = isDemo ? averages(lastDay) : '{\n  locations(first: 10) {\n    edges { node { key name } }\n  }\n}';
  return (
    <section class="card">
      <h2>{texts.example}</h2>
      <pre tabIndex={0} aria-label={texts.example}>{query}</pre>
      {server.pages.includes('/graphql') && (
        <p><a class="button" href={`/graphql?query=${encodeURIComponent(query)}`}>{texts.tryIt}</a></p>
      )}
      <p class="hint">{texts.endpoint} <code>{new URL('/graphql', location.href).href}</code>. {texts.documentation}</p>
    </section>
  );
}

/** The averages of the last week of a lane of the demo data. */
function averages(lastDay: string): string {
  const first = new Date(`${lastDay}T00:00:00Z`);
  first.setUTCDate(first.getUTCDate() - EXAMPLE_DAYS + 1);
  return `{
  averagePrices(
    dateFrom: "${first.toISOString().slice(0, 10)}"
    dateTo: "${lastDay}"
    origin: "china_main"
    destination: "north_europe_main"
  ) {
    day
    averagePrice
    priceCount
  }
}`;
}
