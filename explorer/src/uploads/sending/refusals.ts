import { ApiError } from '../../frame/api';
import { texts } from '../texts';
import type { Problem } from '../operations';
import { UnreadableFile } from './source';

/** An upload that was refused as a whole, by a problem of its file. */
export class FileRefused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

/** Failures of one field that pass by themselves. Their answers may have the status 200. */
const PASSING = new Set([
  'DATABASE_UNAVAILABLE',
  'DRY_RUN_BUSY',
  'ISSUER_UNAVAILABLE',
  'SERVER_BUSY',
  'STREAMS_EXHAUSTED',
  'TOO_MANY_STREAMS',
  'TREE_CHANGE_RUNNING',
]);
/** What a proxy answers while the server behind it restarts. */
const GATEWAY_STATUSES = [502, 504];

/** Whether the same request may succeed later without a change by a person. A full disk stays full. */
export function isPassing(error: unknown): error is ApiError {
  if (!(error instanceof ApiError) || error.code === 'NO_ROOM') return false;
  return error.isTemporary || PASSING.has(error.code) || GATEWAY_STATUSES.includes(error.status);
}

/** Whether the same file will be refused again. */
export const isFinal = (error: unknown): boolean =>
  error instanceof FileRefused || error instanceof UnreadableFile || (error instanceof ApiError && error.status === 413);

/** What went wrong and what to do, in words. */
export function explain(error: unknown): string {
  if (error instanceof UnreadableFile) return error.message;
  if (error instanceof FileRefused) return texts.fileRefused(error.problem.code, error.message);
  if (!(error instanceof ApiError)) return texts.unexpected;
  if (error.status === 413) return texts.tooLarge(error.code === 'UNREADABLE' ? '' : error.message);
  return texts.refusals[error.code] ?? (error.status === 0 ? texts.offline : error.message);
}
