import { useEffect, useMemo } from 'preact/hooks';
import { ErrorNote } from '../frame/ErrorNote';
import { Frame } from '../frame/Frame';
import { texts as frame } from '../frame/texts';
import { openTokenDialog } from '../frame/TokenDialog';
import { useQuery } from '../frame/useQuery';
import { graphql } from '../gql';
import type { ServerStatusQuery } from '../gql/graphql';
import { findWarnings } from './warnings';
import { texts } from './texts';

export type ServerStatus = NonNullable<ServerStatusQuery['serverStatus']>;

const STATUS = graphql(`
  query ServerStatus {
    serverStatus {
      version
      queuedBatches
      runningBatches
      oldestBatchSeconds
      endedLastHour
      workers
      databaseBytes
      newestRateDay
    }
  }
`);
const INTERVAL_SECONDS = 5;

/** The page for operators: queue, workers, database and exchange rates, and warnings about what needs attention. */
export function Status() {
  const { data, error, reload } = useQuery(STATUS, {});
  useEffect(() => {
    // While the server is unavailable, useQuery retries.
    if (error) return;
    const timer = setInterval(() => document.hidden || reload(), INTERVAL_SECONDS * 1_000);
    return () => clearInterval(timer);
  }, [error, reload]);
  const status = data?.serverStatus;
  const isForbidden = error?.status === 403;
  return (
    <Frame>
      <h1>{texts.title}</h1>
      <p class="lead">{texts.lead}</p>
      {isForbidden && <AdminOnly />}
      {error && !isForbidden && <ErrorNote error={error} onRetry={reload} />}
      {!status && !error && <p class="hint">{texts.loading}</p>}
      {status && !isForbidden && <Figures status={status} isCurrent={!error} />}
    </Frame>
  );
}

function AdminOnly() {
  return (
    <section class="card">
      <p>{texts.adminOnly}</p>
      <button type="button" onClick={() => openTokenDialog()}>{texts.enterToken}</button>
    </section>
  );
}

function Figures({ status, isCurrent }: { status: ServerStatus; isCurrent: boolean }) {
  const time = useMemo(() => new Date(), [status]);
  const warnings = findWarnings(status, time);
  return (
    <>
      <div role="status">
        {isCurrent && warnings.map((warning) => <p key={warning} class="note">{warning}</p>)}
        {isCurrent && warnings.length === 0 && <p class="good">{texts.good}</p>}
      </div>
      <section class="card" aria-labelledby="queue">
        <h2 id="queue">{texts.queue}</h2>
        <dl class="facts">
          <Fact name={texts.queued} value={texts.count(status.queuedBatches)} />
          <Fact name={texts.running} value={texts.count(status.runningBatches)} />
          <Fact
            name={texts.oldest}
            value={status.queuedBatches + status.runningBatches > 0 ? texts.age(status.oldestBatchSeconds) : texts.none}
          />
          <Fact name={texts.perHour} value={texts.count(status.endedLastHour)} />
          <Fact name={texts.workers} value={texts.count(status.workers)} />
        </dl>
      </section>
      <section class="card" aria-labelledby="storage">
        <h2 id="storage">{texts.storage}</h2>
        <dl class="facts">
          <Fact name={texts.databaseSize} value={texts.bytes(status.databaseBytes)} />
          <Fact name={texts.newestRate} value={status.newestRateDay ?? texts.none} />
          <Fact name={texts.version} value={status.version} />
        </dl>
      </section>
      <p class="hint">{texts.asOf(time.toLocaleTimeString(frame.locale))} {texts.details}</p>
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return <div><dt>{name}</dt><dd>{value}</dd></div>;
}
