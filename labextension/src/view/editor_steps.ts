/** The steps of the plan inspector: each a row of buttons, and its fields once it is opened. */
import { foreign, make, makeButton, set } from './elements';
import type { Act, EditorField, EditorState, EditorStep } from './editor_shapes';
import { counted } from './words';

/** Give an element the key by which focus and refusals find it again after it was drawn anew. */
export function keyed<E extends HTMLElement>(element: E, key: string): E {
  element.dataset['key'] = key;
  return element;
}

/** A button that says why it does nothing instead of losing the focus. */
export function actionButton(label: string, key: string, onPress: () => void, can = true): HTMLButtonElement {
  const button = keyed(makeButton('button', label), key);
  set(button, { 'aria-disabled': !can });
  button.addEventListener('click', () => {
    if (can) {
      onPress();
    }
  });
  return button;
}

export function drawEditorSteps(state: EditorState, open: Set<string>, uid: string, act: Act): HTMLElement {
  const list = make('ol', 'editor-steps');
  set(list, { 'aria-label': `Plan, ${counted(state.steps.length, 'step')}` });
  state.steps.forEach((step, index) => list.append(drawRow(state, step, index, open, uid, act)));
  return list;
}

function drawRow(
  state: EditorState,
  step: EditorStep,
  index: number,
  open: Set<string>,
  uid: string,
  act: Act
): HTMLElement {
  const row = make('li', step.off ? 'editor-step off' : 'editor-step');
  row.style.setProperty('--portia-depth', String(step.depth));
  const { place } = step;
  const panel = make('div', 'editor-fields');
  panel.id = `${uid}-fields-${index}`;
  panel.hidden = !open.has(place);
  const toggle = keyed(makeButton('editor-name', foreign('span', '', step.name)), `${place}|open`);
  set(toggle, { 'aria-expanded': !panel.hidden, 'aria-controls': panel.id, 'aria-label': step.name });
  toggle.addEventListener('click', () => {
    panel.hidden = !panel.hidden;
    set(toggle, { 'aria-expanded': !panel.hidden });
    if (panel.hidden) {
      open.delete(place);
    } else {
      open.add(place);
    }
  });
  const button = (label: string, what: string, can = true): HTMLButtonElement => {
    const made = actionButton(label, `${place}|${what}`, () => act(what, `${place}|${what}`, { place }), can);
    set(made, { 'aria-label': `${label} ${step.name}` });
    return made;
  };
  row.append(
    make(
      'div',
      'editor-row',
      toggle,
      foreign('span', 'editor-what', step.what),
      step.off ? make('span', 'editor-mark', '○ switched off') : null,
      step.changes ? make('span', 'editor-mark', '! changes something outside') : null,
      make(
        'span',
        'editor-buttons',
        button('Up', 'up', !step.first),
        button('Down', 'down', !step.last),
        step.off ? button('Switch on', 'on') : button('Switch off', 'off'),
        button('Remove', 'remove')
      )
    ),
    foreign('p', 'editor-task', step.task)
  );
  if (step.note) {
    row.append(foreign('p', 'editor-note', step.note));
  }
  for (const field of step.fields) {
    panel.append(drawField(state, step, field, `${uid}-${index}-${field.name}`, act));
  }
  panel.append(drawInsert(`Add a step after ${step.name}`, place, `${uid}-${index}-insert`, act));
  row.append(panel);
  return row;
}

function drawField(state: EditorState, step: EditorStep, field: EditorField, id: string, act: Act): HTMLElement {
  const key = `${step.place}|field|${field.name}`;
  const label = make('label', 'editor-label', field.label);
  label.htmlFor = id;
  const input = keyed(fieldElement(state, field), key);
  input.id = id;
  input.dataset['was'] = input.value;
  const hint = make('p', 'hint', hintOf(field));
  const problem = make('p', 'problem');
  hint.id = `${id}-hint`;
  problem.id = `${id}-problem`;
  problem.hidden = true;
  set(input, { 'aria-describedby': `${hint.id} ${problem.id}` });
  if (field.locked) {
    set(input, { 'aria-readonly': true });
    (input as HTMLInputElement).readOnly = true;
  } else {
    const commit = (): void => {
      if (input.value !== input.dataset['was']) {
        act('set', key, { place: step.place, field: field.name, text: input.value });
      }
    };
    input.addEventListener('change', commit);
    input.addEventListener('keydown', event => {
      const { key: pressed, ctrlKey, metaKey } = event as KeyboardEvent;
      if (pressed === 'Enter' && (input.tagName === 'INPUT' || ctrlKey || metaKey)) {
        event.preventDefault();
        commit();
      }
    });
  }
  return make('div', 'editor-field', label, input, hint, problem);
}

function hintOf(field: EditorField): string {
  const said = [field.hint, field.locked ? 'Can be changed in Python only.' : '', field.text ? '' : field.empty];
  return said.filter(Boolean).join(' ');
}

function fieldElement(
  state: EditorState,
  field: EditorField
): HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement {
  if (field.kind === 'tool') {
    const select = make('select', 'input');
    for (const tool of state.tools.includes(field.text) ? state.tools : [field.text, ...state.tools]) {
      const option = make('option', '', tool === 'llm_tool' ? 'llm_tool (a model, no tool)' : tool);
      option.value = tool;
      select.append(option);
    }
    select.value = field.text;
    return select;
  }
  if (field.long) {
    const area = make('textarea', 'input');
    area.rows = 2;
    area.value = field.text;
    return area;
  }
  const input = make('input', 'input');
  input.type = 'text';
  input.value = field.text;
  return input;
}

/** A field and a button that send one line of text. */
export function drawLine(
  labelText: string,
  buttonText: string,
  key: string,
  id: string,
  send: (text: string) => void
): HTMLElement {
  const label = make('label', 'editor-label', labelText);
  label.htmlFor = id;
  const input = keyed(make('input', 'input'), key);
  input.type = 'text';
  input.id = id;
  input.dataset['was'] = '';
  const problem = make('p', 'problem');
  problem.id = `${id}-problem`;
  problem.hidden = true;
  set(input, { 'aria-describedby': problem.id });
  const form = make('form', 'editor-line', label, input, makeButton('button', buttonText), problem);
  const submit = (event?: Event): void => {
    event?.preventDefault();
    send(input.value);
  };
  form.addEventListener('submit', submit);
  form.querySelector('button')?.addEventListener('click', () => submit());
  return form;
}

export function drawInsert(label: string, place: string, id: string, act: Act): HTMLElement {
  const key = `${place}|insert`;
  return drawLine(label, 'Add', key, id, text => act('insert', key, { place, text }));
}
