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

/** What the user can do about a failure: enter a token, try again, or only choose another file. */
export function findRemedy(error: unknown): 'token' | 'retry' | null {
  if (error instanceof FileRefused || error instanceof UnreadableFile) return null;
  if (!(error instanceof ApiError)) return 'retry';
  if (error.status === 401 || error.status === 403) return 'token';
  return error.mayPass ? 'retry' : null;
}

/** What went wrong and what to do, in words. */
export function explain(error: unknown): string {
  if (error instanceof UnreadableFile) return error.message;
  if (error instanceof FileRefused) return texts.fileRefused(error.problem.code, error.message);
  if (!(error instanceof ApiError)) return texts.unexpected;
  if (error.status === 413) return texts.tooLarge(error.code === 'UNREADABLE' ? '' : error.message);
  return texts.refusals[error.code] ?? error.explanation;
}
