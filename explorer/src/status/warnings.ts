import type { ServerStatus } from './Status';
import { texts } from './texts';

const SLOW_SECONDS = 600;
/** Rates are published on working days, so a long weekend is no reason to worry. */
const OLD_RATE_DAYS = 6;
const DAY_MS = 86_400_000;

/** Warnings that an operator should act on. */
export function findWarnings(status: ServerStatus, now: Date): string[] {
  const warnings: string[] = [];
  const waiting = status.queuedBatches + status.runningBatches;
  if (status.workers === 0) warnings.push(waiting > 0 ? texts.noWorkers : texts.idleWithoutWorkers);
  else if (waiting > 0 && status.oldestBatchSeconds > SLOW_SECONDS) {
    warnings.push(texts.slowQueue(texts.age(status.oldestBatchSeconds)));
  }
  if (!status.newestRateDay) return [...warnings, texts.noRates];
  const days = Math.floor((now.getTime() - Date.parse(status.newestRateDay)) / DAY_MS);
  return days > OLD_RATE_DAYS ? [...warnings, texts.oldRates(days)] : warnings;
}
