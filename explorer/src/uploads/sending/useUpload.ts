import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, onTokenChange, request } from '../../frame/api';
import { openTokenDialog } from '../../frame/TokenDialog';
import type { OnError } from '../../gql/graphql';
import { texts } from '../texts';
import { type Batch, BATCH_BY_KEY, CHECK, type CheckPayload, EARLIER, UPLOAD } from '../operations';
import { followBatch, hasEnded } from './follow';
import { FileRefused } from './refusals';
import { repeat, type Wait } from './repeat';
import { sendFile } from './send';
import { readSource, type Source } from './source';

/** Batches that this content has become before, under each choice for invalid items. */
export type Earlier = Record<'reject' | 'skip', Batch | null>;

/** The state of an upload. */
export type Step =
  | { name: 'choosing'; notice?: string }
  | { name: 'reading'; file: File }
  | { name: 'checking'; file: File; source: Source; sent: number }
  | { name: 'checked'; file: File; source: Source; check: CheckPayload; earlier: Earlier }
  | { name: 'sending'; file: File; source: Source; sent: number }
  | { name: 'applying'; file: File; batch: Batch }
  | { name: 'ended'; file: File; batch: Batch; isReplay: boolean }
  /** `batch` is set if the file is stored, and only its progress was refused. */
  | { name: 'refused'; file: File; error: unknown; batch: Batch | null; retry: () => void };

export interface Upload {
  step: Step;
  /** The pause before the next attempt, while the server is away or busy. */
  wait: Wait | null;
  choose: (file: File) => void;
  send: (source: Source, onError: OnError, earlier: Earlier) => void;
  /** Back to the beginning. What was stored stays stored. */
  reset: () => void;
  /** Shows that the batch of the result was reverted in the history. */
  noteReverted: (batch: Batch) => void;
  /** Ends the sending, and finds out whether the server has stored the file meanwhile. */
  stop: () => void;
}

/** Storing half a gigabyte takes some seconds. After this time the answer is lost, and the next attempt asks for the batch. */
const STORE_SECONDS = 120;

type Work = (signal: AbortSignal) => Promise<void>;

/** Checks, sends and follows a file to the end of its batch, one file at a time. */
export function useUpload(onBatch: () => void): Upload {
  const [step, setStep] = useState<Step>({ name: 'choosing' });
  const [wait, setWait] = useState<Wait | null>(null);
  const current = useRef(new AbortController());
  const lastKey = useRef('');

  const run = useCallback((file: File, work: Work, batch: Batch | null = null) => {
    current.current.abort();
    const controller = new AbortController();
    current.current = controller;
    setWait(null);
    work(controller.signal).catch((error: unknown) => {
      if (controller.signal.aborted) return;
      setStep({ name: 'refused', file, error, batch, retry: () => run(file, work, batch) });
      if (error instanceof ApiError && error.status === 401) openTokenDialog(error);
    });
  }, []);

  const finish = useCallback(
    (file: File, batch: Batch, isReplay: boolean) =>
      run(
        file,
        async (signal) => {
          onBatch();
          const show = (latest: Batch) => setStep({ name: 'applying', file, batch: latest });
          if (!hasEnded(batch)) show(batch);
          const last = hasEnded(batch) ? batch : await repeat(() => followBatch(batch.id, show, signal), setWait, signal);
          setStep({ name: 'ended', file, batch: last, isReplay });
          onBatch();
        },
        batch,
      ),
    [run, onBatch],
  );

  const choose = useCallback(
    (file: File) =>
      run(file, async (signal) => {
        setStep({ name: 'reading', file });
        const source = await readSource(file);
        signal.throwIfAborted();
        const show = (sent: number) => setStep({ name: 'checking', file, source, sent });
        show(0);
        const earlier = await repeat(() => findEarlier(source, signal), setWait, signal);
        const known = [earlier.reject, earlier.skip].find((batch) => batch && (!hasEnded(batch) || batch.status === 'APPLIED'));
        if (known) return finish(file, known, true);
        const check = await repeat(() => checkFile(source, show, signal), setWait, signal);
        setStep({ name: 'checked', file, source, check, earlier });
      }),
    [run, finish],
  );

  const send = useCallback(
    (source: Source, onError: OnError, earlier: Earlier) =>
      run(source.file, async (signal) => {
        const show = (sent: number) => setStep({ name: 'sending', file: source.file, source, sent });
        show(0);
        const wasUsed = onError === 'REJECT_BATCH' ? earlier.reject : earlier.skip;
        const key = wasUsed ? source.freshKey : source.keyOf(onError);
        lastKey.current = key;
        const batch = await repeat((attempt) => deliver(source, key, onError, attempt, show, signal), setWait, signal);
        finish(source.file, batch, false);
      }),
    [run, finish],
  );

  const reset = useCallback(() => {
    current.current.abort();
    setWait(null);
    setStep({ name: 'choosing' });
  }, []);

  const noteReverted = useCallback(
    ({ id }: Batch) =>
      setStep((before) => {
        const isShown = before.name === 'ended' && before.batch.id === id;
        return isShown ? { ...before, batch: { ...before.batch, status: 'REVERTED' } } : before;
      }),
    [],
  );

  const stop = useCallback(() => {
    if (step.name !== 'sending') return;
    const key = lastKey.current;
    const notice = step.sent < 1 ? texts.stopped : texts.stoppedLate;
    run(step.file, async (signal) => {
      const { batchByKey } = await repeat(() => request(BATCH_BY_KEY, { key }, signal), setWait, signal);
      if (batchByKey) finish(step.file, batchByKey, false);
      else setStep({ name: 'choosing', notice });
    });
  }, [step, run, finish]);

  useEffect(() => () => current.current.abort(), []);
  useRetryWithToken(step);
  useGuard(step.name === 'sending');
  return { step, wait, choose, send, reset, noteReverted, stop };
}

async function findEarlier(source: Source, signal: AbortSignal): Promise<Earlier> {
  if (!source.isIdentified) return { reject: null, skip: null };
  const keys = { rejectKey: source.keyOf('REJECT_BATCH'), skipKey: source.keyOf('SKIP_INVALID') };
  return request(EARLIER, keys, signal);
}

/** A dry run that skips invalid items: its counts and averages serve both choices. */
async function checkFile(source: Source, onProgress: (sent: number) => void, signal: AbortSignal): Promise<CheckPayload> {
  const variables = { file: source.file, input: { dryRun: true, onError: 'SKIP_INVALID' as const } };
  const payload = (await sendFile(CHECK, variables, onProgress, signal)).uploadPriceFile;
  const problem = payload?.userErrors[0];
  if (payload && !payload.preview && problem) throw new FileRefused(problem);
  return payload!;
}

/** Stores the file. A further attempt first asks whether the one before has stored it. */
async function deliver(
  source: Source,
  key: string,
  onError: OnError,
  attempt: number,
  onProgress: (sent: number) => void,
  signal: AbortSignal,
): Promise<Batch> {
  if (attempt > 0) {
    const stored = (await request(BATCH_BY_KEY, { key }, signal)).batchByKey;
    if (stored) return stored;
  }
  const variables = { file: source.file, input: { onError, idempotencyKey: key, waitMs: 0 } };
  const payload = (await sendFile(UPLOAD, variables, onProgress, signal, STORE_SECONDS)).uploadPriceFile;
  const problem = payload?.userErrors[0];
  if (!payload?.batch && problem) throw new FileRefused(problem);
  return payload!.batch!;
}

/** Tries again when the user has entered a token after a refusal for want of one. */
function useRetryWithToken(step: Step): void {
  useEffect(() => {
    if (step.name !== 'refused' || !(step.error instanceof ApiError) || ![401, 403].includes(step.error.status)) return;
    return onTokenChange(step.retry);
  }, [step]);
}

/** Asks before the page is left. */
function useGuard(isActive: boolean): void {
  useEffect(() => {
    if (!isActive) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [isActive]);
}
