import { useEffect, useRef } from 'preact/hooks';
import { openTokenDialog } from '../../frame/TokenDialog';
import { explain, findRemedy } from '../sending/refusals';
import type { Wait } from '../sending/repeat';
import type { Step, Upload } from '../sending/useUpload';
import { texts } from '../texts';
import { Checked } from './Checked';
import { Chooser } from './Chooser';
import { Ended } from './Ended';
import { FileLine } from './FileLine';
import { Meter } from './Meter';
import { Waiting } from './Waiting';

/** The upload in its present step. */
export function Steps({ upload }: { upload: Upload }) {
  const { step, wait } = upload;
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    // The button that led here is gone, and the focus with it.
    if (step.name !== 'choosing' && document.activeElement === document.body) section.current?.focus();
  }, [step.name]);
  return (
    <section ref={section} tabIndex={-1} class="card upload" aria-label={texts.title}>
      <p role="status" class="visually-hidden">{wait ? '' : announce(step)}</p>
      <Content upload={upload} />
    </section>
  );
}

function Content({ upload }: { upload: Upload }) {
  const { step, wait } = upload;
  switch (step.name) {
    case 'choosing':
      return <Chooser notice={step.notice} onFile={upload.choose} />;
    case 'reading':
      return <InProgress file={step.file} wait={wait} label={texts.reading} />;
    case 'checking':
      return (
        <InProgress
          file={step.file}
          wait={wait}
          format={step.source.format}
          label={step.sent < 1 ? texts.sendingForCheck : texts.examining}
          fraction={step.sent < 1 ? step.sent : undefined}
          cancel={{ label: texts.cancel, action: upload.reset }}
        />
      );
    case 'checked':
      return <Checked step={step} upload={upload} />;
    case 'sending':
      return (
        <InProgress
          file={step.file}
          wait={wait}
          format={step.source.format}
          label={step.sent < 1 ? texts.sending : texts.storing}
          fraction={step.sent < 1 ? step.sent : undefined}
          cancel={{ label: texts.stop, action: upload.stop }}
        />
      );
    case 'applying': {
      const { number, status, progress } = step.batch;
      const isQueued = status === 'QUEUED';
      const label = isQueued ? texts.queued(number) : texts.applying(number);
      return (
        <>
          <InProgress file={step.file} wait={wait} label={label} fraction={isQueued ? undefined : progress} />
          <p class="hint">{texts.leave}</p>
        </>
      );
    }
    case 'ended':
      return <Ended batch={step.batch} isReplay={step.isReplay} onAnother={upload.reset} />;
    case 'refused':
      return <Refused step={step} onReset={upload.reset} />;
  }
}

function Refused({ step, onReset }: { step: Extract<Step, { name: 'refused' }>; onReset: () => void }) {
  const remedy = findRemedy(step.error);
  const isStored = step.batch !== null;
  return (
    <>
      <FileLine file={step.file} />
      <div class="note error" role="alert">
        <p><strong>{step.batch ? texts.storedTitle(step.batch.number) : texts.refusedTitle}</strong></p>
        <p>{explain(step.error)}</p>
      </div>
      <div class="actions">
        {remedy === 'retry' && <button type="button" onClick={step.retry}>{texts.retry}</button>}
        {remedy === 'token' && <button type="button" onClick={() => openTokenDialog()}>{texts.access.enter}</button>}
        <button type="button" class={remedy ? 'quiet' : undefined} onClick={onReset}>
          {isStored ? texts.another : texts.chooseAnother}
        </button>
      </div>
    </>
  );
}

interface InProgressProps {
  file: File;
  /** Stands in place of the progress while nothing goes on. */
  wait: Wait | null;
  format?: string | undefined;
  label: string;
  fraction?: number | undefined;
  cancel?: { label: string; action: () => void } | undefined;
}

function InProgress({ file, wait, format, label, fraction, cancel }: InProgressProps) {
  return (
    <>
      <FileLine file={file} format={format} />
      {wait ? <Waiting wait={wait} /> : <Meter label={label} fraction={fraction} />}
      {cancel && (
        <div class="actions">
          <button type="button" class="quiet" onClick={cancel.action}>{cancel.label}</button>
        </div>
      )}
    </>
  );
}

/** What a screen reader says when the step changes. */
function announce(step: Step): string {
  switch (step.name) {
    case 'choosing':
      return step.notice ?? '';
    case 'reading':
      return texts.reading;
    case 'checking':
      return texts.examining;
    case 'checked': {
      const preview = step.check.preview;
      return preview ? `${texts.checkTitle}: ${texts.items} ${texts.itemsOf(preview.acceptedCount, preview.itemCount)}` : '';
    }
    case 'sending':
      return texts.sending;
    case 'applying':
      return step.batch.status === 'QUEUED' ? texts.queued(step.batch.number) : texts.applying(step.batch.number);
    default:
      // The result has the role "alert" or takes the focus.
      return '';
  }
}
