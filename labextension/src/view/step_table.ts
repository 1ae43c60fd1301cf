/** Very many steps, as a table: a hundred on a page, chosen by state. */
import { drawMore, inOneLine } from './details';
import { foreign, make, makeButton, say, scrolling, set } from './elements';
import type { Step } from './shapes';
import { STATES, icon, isOver, stateOf } from './states';
import type { StepContext, StepList } from './step_list';
import { counted, nameOf, timeOf } from './words';

const PAGE = 100;
const COLUMNS = ['', 'Step', 'State', 'Time', 'Tool', 'Output'];

interface Line {
  rows: HTMLElement[];
  button: HTMLElement;
  show(): void;
  tick(nowMs: number | null): void;
  unfold(open: boolean): void;
  refresh(): void;
}

export function drawTable(context: StepContext): StepList {
  const { view, uid, now, onState } = context;
  const steps = new Map<string, Step>();
  const states = new Map<string, string>();
  const unfolded = new Set<string>();
  let lines = new Map<string, Line>();
  let finished = 0;
  let page = 0;
  let frame = 0;

  const filter = make('select', 'input', ...stateOptions());
  const back = makeButton('button', 'Previous');
  const on = makeButton('button', 'Next');
  const where = make('span', 'note');
  set(where, { 'aria-live': 'polite' });
  const label = make('label', 'filter', make('span', '', 'Steps that are'), filter);
  const heads = COLUMNS.map(name => make('th', '', name || '#'));
  heads.forEach(head => set(head, { scope: 'col' }));
  const rows = make('tbody', '');
  const table = make('table', '', make('thead', '', make('tr', '', ...heads)), rows);
  set(table, { 'aria-label': 'Steps' });
  const scroll = scrolling(make('div', 'table steptable', table), 'Steps as a table');
  const element = make('div', 'pages', make('div', 'pager', label, back, on, where), scroll);

  const chosen = (): Step[] => {
    const all = [...steps.values()];
    return filter.value === '' ? all : all.filter(step => stateOf(step, view) === filter.value);
  };

  function drawPage(): void {
    cancelAnimationFrame(frame);
    frame = 0;
    const focused = [...lines].find(([, line]) => line.button === document.activeElement)?.[0];
    const found = chosen();
    page = Math.min(page, Math.max(0, Math.ceil(found.length / PAGE) - 1));
    const first = page * PAGE;
    const shown = found.slice(first, first + PAGE);
    const numbers = new Map([...steps.keys()].map((path, index) => [path, index + 1]));
    lines = new Map(
      shown.map(step => [step.path, drawLine(step, numbers.get(step.path) ?? 0, context, unfolded)])
    );
    rows.replaceChildren(...[...lines.values()].flatMap(line => line.rows));
    const range = shown.length ? `${first + 1} to ${first + shown.length} of ` : '';
    say(where, range + counted(found.length, 'step'));
    set(back, { 'aria-disabled': page === 0 });
    set(on, { 'aria-disabled': first + PAGE >= found.length });
    if (focused !== undefined) {
      (lines.get(focused)?.button ?? filter).focus();
    }
  }
  const turn = (by: number): void => {
    const last = Math.ceil(chosen().length / PAGE) - 1;
    page = Math.max(0, Math.min(last, page + by));
    drawPage();
    scroll.scrollTop = 0;
  };
  back.addEventListener('click', () => turn(-1));
  on.addEventListener('click', () => turn(1));
  filter.addEventListener('change', () => turn(-page));

  function take(step: Step): void {
    steps.set(step.path, step);
    const before = states.get(step.path) ?? '';
    const state = stateOf(step, view);
    if (state !== before) {
      states.set(step.path, state);
      finished += Number(isOver(state)) - Number(isOver(before));
      if (step.el) {
        onState(step.el, state || 'waiting');
      }
    }
  }
  view.steps.forEach(take);
  drawPage();

  return {
    element,
    get count() {
      return steps.size;
    },
    get finished() {
      return finished;
    },
    all: () => [...steps.values()],
    step: path => steps.get(path),
    show(step) {
      const before = states.get(step.path);
      take(step);
      lines.get(step.path)?.show();
      // Who belongs on a page changes once a frame, not once a step.
      if (filter.value !== '' && states.get(step.path) !== before) {
        frame ||= requestAnimationFrame(drawPage);
      }
    },
    tick(nowMs) {
      lines.forEach(line => line.tick(nowMs));
    },
    refresh() {
      lines.forEach(line => line.refresh());
    },
    follow() {
      // A page that turns by itself can't be read.
    },
    choose(isMeant) {
      filter.value = '';
      const index = [...steps.values()].findIndex(isMeant);
      const path = [...steps.keys()][index];
      if (path !== undefined) {
        page = Math.floor(index / PAGE);
        drawPage();
        lines.get(path)?.unfold(true);
        lines.get(path)?.button.focus();
      }
    },
    destroy() {
      cancelAnimationFrame(frame);
    }
  };

  function drawLine(step: Step, number: number, its: StepContext, open: Set<string>): Line {
    const id = `${uid}-line${number}`;
    const button = makeButton('row', foreign('span', 'name', nameOf(step)), make('span', 'chevron'));
    set(button, { 'aria-controls': id });
    const state = make('td', 'tablestate');
    const time = make('td', 'time');
    const said = foreign('td', 'said', '');
    const tool = foreign('td', 'tool', step.tool ?? '');
    const row = make('tr', 'tablerow', make('td', 'number', String(number)), make('td', '', button), state, time);
    row.append(tool, said);
    const cell = make('td', 'more');
    cell.colSpan = COLUMNS.length;
    const more = make('tr', '', cell);
    more.id = id;
    const line: Line = {
      rows: [row, more],
      button,
      show() {
        const current = stateOf(step, its.view);
        if (row.dataset['state'] !== (current || 'waiting')) {
          row.dataset['state'] = current || 'waiting';
          state.replaceChildren(icon(current || 'waiting'), make('span', 'word', STATES[current]?.word ?? ''));
        }
        say(said, inOneLine(step));
        line.tick(now());
        line.refresh();
      },
      tick(nowMs) {
        say(time, timeOf(step, nowMs));
      },
      unfold(isOpen) {
        more.hidden = !isOpen;
        set(button, { 'aria-expanded': isOpen });
        row.classList.toggle('portia-open', isOpen);
        if (isOpen) {
          open.add(step.path);
        } else {
          open.delete(step.path);
        }
        line.refresh();
      },
      refresh() {
        if (!more.hidden) {
          cell.replaceChildren(...drawMore(step, its.actionsFor, true));
        }
      }
    };
    button.addEventListener('click', () => line.unfold(more.hidden));
    line.unfold(open.has(step.path));
    line.show();
    return line;
  }
}

function stateOptions(): HTMLOptionElement[] {
  const option = (value: string, text: string): HTMLOptionElement => {
    const made = make('option', '', text);
    made.value = value;
    return made;
  };
  return [option('', 'of any state'), ...Object.entries(STATES).map(([state, { word }]) => option(state, word))];
}
