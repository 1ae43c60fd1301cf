/** One step of the list: a row that says how it is, and what unfolds below it. */
import { drawMore, inOneLine, type ActionsFor } from './details';
import { foreign, make, makeButton, say, set } from './elements';
import type { Step } from './shapes';
import { STATES, icon } from './states';
import { nameOf, timeOf } from './words';

const STREAM_CHARS = 400;

export interface StepRow {
  item: HTMLElement;
  row: HTMLElement;
  readonly step: Step;
  unfold(open: boolean): void;
  /** Draw what is unfolded anew. */
  refresh(): void;
  /** @param state `''`: a step of a plan that doesn't run */
  show(step: Step, state: string): void;
  /** @param nowMs milliseconds after the run began; null: nothing ticks */
  tick(nowMs: number | null): void;
}

/**
 * Draw a step.
 *
 * @param number its place in the list, from 1; 0: it has none
 * @param id of the part that unfolds
 * @param actionsFor what can be done about it
 */
export function drawStep(step: Step, number: number, id: string, actionsFor: ActionsFor): StepRow {
  const shape = make('span', 'shape');
  const name = make('span', 'name', foreign('span', '', nameOf(step)));
  const tool = foreign('span', 'tool', step.tool ?? '');
  const attempt = make('span', 'attempt');
  const word = make('span', 'word');
  const time = make('span', 'time');
  const row = makeButton('row', make('span', 'number', number ? String(number) : ''), shape, name, tool);
  const changes = step.changes ? [make('span', 'changes', 'changes something')] : [];
  row.append(...changes, make('span', 'fill'), attempt, word, time, make('span', 'chevron'));
  set(row, { 'aria-expanded': false, 'aria-controls': id });
  const line = foreign('div', 'line', '');
  const why = make('div', 'why');
  const stream = make('div', 'stream');
  const more = make('div', 'more');
  more.id = id;
  more.hidden = true;
  const item = make('li', 'step', row, line, why, stream, more);
  let current = step;
  let shownState = 'undrawn';

  const refresh = (): void => {
    if (!more.hidden) {
      more.replaceChildren(...drawMore(current, actionsFor, !why.textContent));
    }
  };
  const unfold = (open: boolean): void => {
    more.hidden = !open;
    row.setAttribute('aria-expanded', String(open));
    item.classList.toggle('portia-open', open);
    refresh();
  };
  row.addEventListener('click', () => unfold(more.hidden));

  return {
    item,
    row,
    unfold,
    refresh,
    get step() {
      return current;
    },
    show(next, state) {
      current = next;
      if (state !== shownState) {
        shownState = state;
        item.dataset['state'] = state || 'waiting';
        shape.replaceChildren(icon(state || 'waiting'));
        say(word, STATES[state]?.word ?? '');
      }
      say(why, state === '' || state === 'waiting' ? next.why ?? '' : '');
      say(attempt, (next.attempt ?? 1) > 1 ? `attempt ${next.attempt}` : '');
      line.classList.toggle('portia-result', Boolean(next.output));
      say(line, inOneLine(next));
      // While it is folded, the end of what a model writes is seen below the row.
      say(stream, next.text ? next.text.slice(-STREAM_CHARS) : '');
      if (next.text) {
        stream.scrollTop = stream.scrollHeight;
      }
      refresh();
    },
    tick(nowMs) {
      say(time, timeOf(current, nowMs));
    }
  };
}
