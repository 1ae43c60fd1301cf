/** The fields of a question's form, by what the answer must be; each tells the answer as it stands. */
import { foreign, make, say, set } from './elements';
import type { Field, Question } from './shapes';
import { counted } from './words';

/** What a kind of question puts into its form. */
export interface Fields {
  /** Where focus goes. */
  first: HTMLElement;
  /** What is marked as wrong when an answer won't do: `first`, or the group around it. */
  marked?: HTMLElement;
  /** The answer as it stands; undefined: there is none yet. */
  read(pressed: HTMLButtonElement | null): unknown;
  /** What to say where there is none. */
  missing?: () => string;
}

/** What the fields of a form are made with. */
export interface Parts {
  form: HTMLFormElement;
  fields: HTMLElement;
  id: string;
  /** Ids of what describes the fields: the question itself, a hint, what is wrong. */
  described: string;
  button(label: string, className: string): HTMLButtonElement;
}

const FILTERED_FROM = 12;
const LINES = 4;
const TYPES: { [kind: string]: [type: string, missing: string] } = {
  number: ['number', 'Write a number.'],
  integer: ['number', 'Write a whole number.'],
  date: ['date', 'Choose a date.'],
  time: ['time', 'Choose a time of day.'],
  datetime: ['datetime-local', 'Choose a date and a time.']
};
const LONG: { [kind: string]: string } = {
  list: 'One item on each line; Ctrl+Enter answers.',
  json: 'Written as JSON; Ctrl+Enter answers.'
};

/** What is said of a field in a sentence below it; empty: it speaks for itself. */
export function hintOf(field: Field | undefined): string {
  if (field?.kind === 'json' && field.hint) {
    return `Written as ${field.hint}; Ctrl+Enter answers.`;
  }
  return LONG[field?.kind ?? ''] ?? (field?.hint ? `Asked for: ${field.hint}.` : '');
}

/** A field for one value, for several lines, or for options of a type, as `field` asks. */
export function typedFields(question: Question, field: Field, parts: Parts): Fields {
  if (field.kind === 'boolean') {
    return choice(['Yes', 'No'], question, parts, index => (index === 0 ? 'yes' : 'no'));
  }
  if (field.kind === 'several') {
    return several(field, question, parts);
  }
  return field.kind in LONG ? lines(field, question, parts) : line(question, field, parts);
}

/** One field of one line; empty, it stands for the question's default. */
export function line(question: Question, field: Field, parts: Parts): Fields {
  const [type, missing] = TYPES[field.kind] ?? ['text', 'Write an answer first.'];
  const input = make('input', 'input');
  input.type = type;
  input.autocomplete = 'off';
  if (type === 'number') {
    set(input, { step: field.kind === 'integer' ? 1 : 'any' });
  }
  for (const bound of ['min', 'max'] as const) {
    if (field[bound] !== undefined) {
      input[bound] = String(field[bound]);
    }
  }
  label(question, input, parts);
  return {
    first: input,
    read() {
      // What a browser can't read as a number it gives out as nothing at all.
      const isEmpty = input.value === '' && (question.default === undefined || input.validity.badInput);
      return isEmpty ? undefined : input.value;
    },
    missing: () => missing
  };
}

function lines(field: Field, question: Question, parts: Parts): Fields {
  const area = make('textarea', 'input');
  area.rows = LINES;
  area.spellcheck = false;
  label(question, area, parts);
  area.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      parts.form.requestSubmit();
    }
  });
  return {
    first: area,
    read() {
      const text = area.value.trim();
      if (text === '') {
        return question.default === undefined ? undefined : '';
      }
      return field.kind === 'list' ? text.split('\n') : text;
    },
    missing: () => 'Write an answer first.'
  };
}

/** One of several options; many of them can be filtered by typing. */
export function choice(
  options: string[],
  question: Question,
  parts: Parts,
  answer: (index: number) => unknown
): Fields {
  const radios = pick(options, 'radio', 'radiogroup', parts);
  const filter = options.length > FILTERED_FROM ? filterOf(radios, parts) : undefined;
  parts.button('Answer', 'primary');
  return {
    first: filter ?? radios.inputs[0] ?? parts.form,
    marked: radios.box,
    read() {
      const index = radios.inputs.findIndex(radio => radio.checked);
      return index < 0 ? (question.field && question.default !== undefined ? '' : undefined) : answer(index);
    },
    missing: () => 'Choose one of the options.'
  };
}

function several(field: Field, question: Question, parts: Parts): Fields {
  const boxes = pick(field.options ?? [], 'checkbox', 'group', parts);
  const filter = boxes.inputs.length > FILTERED_FROM ? filterOf(boxes, parts) : undefined;
  parts.button('Answer', 'primary');
  return {
    first: filter ?? boxes.inputs[0] ?? parts.form,
    read() {
      const chosen = boxes.inputs.flatMap((box, index) => (box.checked ? [index] : []));
      return !chosen.length && question.default !== undefined ? '' : { options: chosen };
    }
  };
}

interface Picked {
  box: HTMLElement;
  inputs: HTMLInputElement[];
  labels: HTMLElement[];
}

function pick(options: string[], type: string, role: string, { fields, id, described }: Parts): Picked {
  const inputs = options.map((_, index) => {
    const input = make('input', '');
    set(input, { type, name: id, value: index });
    return input;
  });
  const labels = options.map((text, index) => make('label', 'option', inputs[index], foreign('span', '', text)));
  const box = make('div', 'options', ...labels);
  set(box, { role, 'aria-labelledby': `${id}-guidance`, 'aria-describedby': described });
  fields.append(box);
  return { box, inputs, labels };
}

/** A field above options that leaves those in sight whose text holds what is typed. */
function filterOf({ box, inputs, labels }: Picked, { described }: Parts): HTMLInputElement {
  const input = make('input', 'input');
  input.type = 'text';
  input.autocomplete = 'off';
  set(input, { 'aria-describedby': described, placeholder: 'Type to filter' });
  const count = make('span', 'note');
  set(count, { role: 'status' });
  box.before(make('label', 'field', make('span', '', 'Filter'), input), count);
  const texts = labels.map(each => (each.textContent ?? '').toLowerCase());

  function shown(): HTMLInputElement[] {
    return inputs.filter((_, index) => labels[index]?.hidden === false);
  }
  function filter(): void {
    const wanted = input.value.trim().toLowerCase();
    labels.forEach((each, index) => {
      // A chosen option stays in sight: what isn't seen must not be sent.
      each.hidden = !texts[index]?.includes(wanted) && !inputs[index]?.checked;
    });
    say(count, `${shown().length} of ${counted(inputs.length, 'option')}`);
  }
  input.addEventListener('input', filter);
  input.addEventListener('keydown', event => {
    const left = shown();
    if (event.key === 'ArrowDown' && left[0]) {
      event.preventDefault();
      left[0].focus();
    } else if (event.key === 'Enter' && left.length === 1 && left[0] && input.value.trim()) {
      left[0].checked = true;
    }
  });
  filter();
  return input;
}

function label(question: Question, field: HTMLInputElement | HTMLTextAreaElement, parts: Parts): void {
  set(field, { 'aria-describedby': parts.described });
  parts.fields.append(make('label', 'field', make('span', '', question.argument ?? 'Your answer'), field));
  parts.button('Answer', 'primary');
}
