import type { RefObject } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { isSameLane, type Lane, MAX_LANES } from '../state/view';
import { texts } from '../texts';
import { Combobox } from './Combobox';
import type { Example } from './examples';
import type { Option } from './places';
import { usePartners } from './useOptions';

interface Props {
  lanes: Lane[];
  /** Whether the lanes are those of a first visit, which a lane of the user replaces. */
  isFirstVisit: boolean;
  /** Null until they are known. */
  examples: Example[] | null;
  /** The first field, for buttons elsewhere that lead to it. */
  originField: RefObject<HTMLInputElement>;
  onAdd: (lane: Lane, name: string) => void;
}

type End = 'origin' | 'destination';

/** Chooses the two ends of a lane and adds it to the chart. */
export function LaneForm({ lanes, isFirstVisit, examples, originField, onAdd }: Props) {
  const [ends, setEnds] = useState<Record<End, Option | null>>({ origin: null, destination: null });
  const [errors, setErrors] = useState<Record<End, string>>({ origin: '', destination: '' });
  const inputs = { origin: originField, destination: useRef<HTMLInputElement>(null) };
  const button = useRef<HTMLButtonElement>(null);
  const partners = {
    origin: usePartners('destination', ends.destination?.key ?? null),
    destination: usePartners('origin', ends.origin?.key ?? null),
  };
  const isFull = lanes.length >= MAX_LANES && !isFirstVisit;

  const submit = () => {
    const { origin, destination } = ends;
    const missing = !origin ? 'origin' : !destination ? 'destination' : null;
    setErrors({ origin: origin ? '' : texts.form.choose, destination: destination || !origin ? '' : texts.form.choose });
    if (missing) inputs[missing].current?.focus();
    if (!origin || !destination) return;
    const lane = { origin: origin.key, destination: destination.key };
    if (!isFirstVisit && lanes.some((other) => isSameLane(lane, other))) {
      setErrors({ origin: '', destination: texts.form.duplicate });
      return;
    }
    onAdd(lane, texts.lane(origin.name, destination.name));
    setEnds({ origin: null, destination: null });
    inputs.origin.current?.focus();
  };
  const end = (name: End, afterChoice: () => void) => (
    <Combobox
      label={texts.form[name]}
      input={inputs[name]}
      value={ends[name]}
      partners={partners[name]}
      isDisabled={isFull}
      error={errors[name]}
      onChange={(option) => {
        setEnds((before) => ({ ...before, [name]: option }));
        setErrors((before) => ({ ...before, [name]: '' }));
      }}
      onChosen={afterChoice}
    />
  );
  return (
    <form
      class="lane-form"
      aria-label={texts.form.title}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div class="ends">
        {end('origin', () => !ends.destination && inputs.destination.current?.focus())}
        <button
          type="button"
          class="quiet swap"
          aria-label={texts.form.swap}
          title={texts.form.swap}
          disabled={isFull}
          onClick={() => setEnds(({ origin, destination }) => ({ origin: destination, destination: origin }))}
        >
          <span aria-hidden="true">⇄</span>
        </button>
        {end('destination', () => button.current?.focus())}
        <button type="submit" class="add" ref={button} disabled={isFull}>{texts.form.add}</button>
      </div>
      {isFull ? <p class="hint">{texts.form.full(MAX_LANES)}</p> : <Examples examples={examples} lanes={lanes} onAdd={onAdd} />}
    </form>
  );
}

function Examples({ examples, lanes, onAdd }: Pick<Props, 'examples' | 'lanes' | 'onAdd'>) {
  // Keeps their place, so that nothing below moves when they come.
  if (examples === null) return <p class="examples" />;
  const others = examples.filter(({ lane }) => !lanes.some((other) => isSameLane(lane, other)));
  if (others.length === 0) return null;
  return (
    <p class="examples">
      {texts.form.examples}{' '}
      {others.map(({ lane, name, isThin }) => (
        <button key={name} type="button" class="quiet small" onClick={() => onAdd(lane, name)}>
          {isThin ? texts.form.thin(name) : name}
        </button>
      ))}
    </p>
  );
}
