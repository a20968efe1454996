import type { RefObject } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { texts } from '../texts';
import type { Option, Partners } from './places';
import { useOptions } from './useOptions';

interface Props {
  label: string;
  input: RefObject<HTMLInputElement>;
  /** The choice, or null while none is made. */
  value: Option | null;
  partners: Partners | null;
  isDisabled: boolean;
  error: string;
  onChange: (option: Option | null) => void;
  /** After a choice by Enter or by a click. */
  onChosen: () => void;
}

/** A text field with a list of ports and regions, by the combobox pattern of the ARIA Authoring Practices Guide. */
export function Combobox({ label, input, value, partners, isDisabled, error, onChange, onChosen }: Props) {
  const id = useId();
  const list = useRef<HTMLUListElement>(null);
  const [text, setText] = useState('');
  const [isOpen, setOpen] = useState(false);
  const [pointed, setPointed] = useState<{ options: Option[]; index: number } | null>(null);
  const { options, isLoading, hasFailed } = useOptions(value ? '' : text, isOpen, partners);
  useEffect(() => setText(value?.name ?? ''), [value]);
  // New options begin at the first one.
  const active = pointed?.options === options ? pointed.index : 0;
  useEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [active, options]);

  const choose = (option: Option) => {
    setOpen(false);
    onChange(option);
    onChosen();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const option = options[active];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (isOpen && options.length > 0) setPointed({ options, index: (active + step + options.length) % options.length });
      setOpen(true);
    } else if (event.key === 'Enter' && isOpen && option && !isLoading) {
      event.preventDefault();
      choose(option);
    } else if (event.key === 'Escape' && isOpen) {
      event.preventDefault();
      setOpen(false);
    }
  };
  const isShown = isOpen && options.length > 0;
  return (
    <div class="combobox">
      <label for={id}>{label}</label>
      <input
        id={id}
        ref={input}
        role="combobox"
        aria-expanded={isShown}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={isShown ? `${id}-${active}` : undefined}
        aria-invalid={error !== ''}
        aria-describedby={error ? `${id}-error` : undefined}
        autocomplete="off"
        spellcheck={false}
        placeholder={texts.form.placeholder}
        disabled={isDisabled}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setOpen(true);
          if (value) onChange(null);
        }}
        onClick={() => setOpen(true)}
        onFocus={(event) => event.currentTarget.select()}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {value && <span class="key" aria-hidden="true">{value.key}</span>}
      <ul id={`${id}-list`} ref={list} role="listbox" aria-label={label} hidden={!isShown}>
        {options.map((option, index) => (
          <li
            key={option.key}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            class={option.isPriced === false ? 'unpriced' : undefined}
            // The field keeps the focus, or the list would close before the click.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(option)}
          >
            <OptionText option={option} />
          </li>
        ))}
      </ul>
      {isOpen && !isShown && !isLoading && <p class="popup">{explainEmptyList(text.trim(), hasFailed)}</p>}
      {error && <p id={`${id}-error`} class="warning" role="alert">{error}</p>}
      <span class="visually-hidden" role="status">{isShown && !isLoading ? texts.places.found(options.length) : ''}</span>
    </div>
  );
}

function OptionText({ option: { key, name, kind, path, isPriced } }: { option: Option }) {
  const notes = [texts.places[kind], path.length > 0 && texts.places.path(path), isPriced === false && texts.places.noPrices];
  return (
    <>
      <span>{name} <span class="muted">{key}</span></span>
      <small>{notes.filter(Boolean).join(' · ')}</small>
    </>
  );
}

function explainEmptyList(text: string, hasFailed: boolean): string {
  if (hasFailed) return texts.places.failed;
  return text === '' ? texts.places.type : texts.places.nothing(text);
}
