import { useEffect, useRef, useState } from 'preact/hooks';
import type { OnError } from '../../gql/graphql';
import { formatCount } from '../format';
import type { Preview } from '../operations';
import type { Step, Upload } from '../sending/useUpload';
import { texts } from '../texts';
import { FileLine } from './FileLine';
import { Moves } from './Moves';
import { Notes } from './Notes';
import { Problems } from './Problems';

type CheckedStep = Extract<Step, { name: 'checked' }>;

/** What an upload would do, and the button that does it. */
export function Checked({ step, upload }: { step: CheckedStep; upload: Upload }) {
  const { source, check, earlier } = step;
  const preview = check.preview!;
  const [onError, setOnError] = useState<OnError>('REJECT_BATCH');
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  const before = onError === 'REJECT_BATCH' ? earlier.reject : earlier.skip;
  const canUpload = preview.acceptedCount > 0 && (preview.rejectedCount === 0 || onError === 'SKIP_INVALID');
  return (
    <>
      <FileLine file={step.file} format={source.format} />
      <h2 ref={title} tabIndex={-1}>{texts.checkTitle}</h2>
      <Figures preview={preview} />
      {before && <p class="note">{texts.earlier(before.number, texts.statuses[before.status])}</p>}
      {!source.isIdentified && <p class="note">{texts.notIdentified}</p>}
      {preview.rejectedCount > 0 && preview.acceptedCount > 0 && (
        <Choice preview={preview} onError={onError} onChange={setOnError} />
      )}
      <Advice preview={preview} onError={onError} />
      <div class="actions">
        {canUpload && (
          <button type="button" onClick={() => upload.send(source, onError, earlier)}>
            {texts.upload(preview.acceptedCount, preview.itemCount)}
          </button>
        )}
        <button type="button" class="quiet" onClick={upload.reset}>{texts.chooseAnother}</button>
      </div>
      <Problems problems={check.userErrors} rejectedCount={preview.rejectedCount} name={step.file.name} />
      <Notes notes={check.warnings} />
      {preview.acceptedCount > 0 && <Moves changes={preview.changes} />}
    </>
  );
}

function Figures({ preview }: { preview: Preview }) {
  const { firstDay, lastDay } = preview;
  return (
    <>
      <p class="hint">{texts.nothingChanged}</p>
      <dl class="facts">
        <div><dt>{texts.items}</dt><dd>{texts.itemsOf(preview.acceptedCount, preview.itemCount)}</dd></div>
        <div><dt>{texts.priceDays}</dt><dd>{formatCount(preview.priceDayCount)}</dd></div>
        <div><dt>{texts.lanes}</dt><dd>{formatCount(preview.laneCount)}</dd></div>
        <div><dt>{texts.period}</dt><dd>{firstDay && lastDay ? texts.days(firstDay, lastDay) : texts.none}</dd></div>
        <div><dt>{texts.newAverages}</dt><dd>{formatCount(preview.newAverageCount)}</dd></div>
      </dl>
    </>
  );
}

interface ChoiceProps {
  preview: Preview;
  onError: OnError;
  onChange: (onError: OnError) => void;
}

function Choice({ preview, onError, onChange }: ChoiceProps) {
  const options: [OnError, string][] = [
    ['REJECT_BATCH', texts.reject],
    ['SKIP_INVALID', texts.skip(preview.acceptedCount, preview.itemCount)],
  ];
  return (
    <fieldset>
      <legend>{texts.choiceTitle}</legend>
      {options.map(([value, label]) => (
        <label key={value} class="option">
          <input type="radio" name="on-error" checked={onError === value} onChange={() => onChange(value)} /> {label}
        </label>
      ))}
    </fieldset>
  );
}

function Advice({ preview, onError }: { preview: Preview; onError: OnError }) {
  if (preview.acceptedCount === 0) return <p>{texts.noneValid}</p>;
  if (preview.rejectedCount > 0 && onError === 'REJECT_BATCH') return <p>{texts.rejectChosen}</p>;
  return null;
}
