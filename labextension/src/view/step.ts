/** One step of the list: a row that says how it is, and what unfolds below it. */
import { foreign, make, makeButton, say, scrolling, set } from './elements';
import { drawFailure, drawOutput, preview } from './output';
import type { Step } from './shapes';
import { STATES, icon } from './states';
import { duration, nameOf } from './words';

const LINE_CHARS = 300;
const STREAM_CHARS = 400;

export interface StepRow {
  item: HTMLElement;
  row: HTMLElement;
  readonly step: Step;
  unfold(open: boolean): void;
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
 */
export function drawStep(step: Step, number: number, id: string): StepRow {
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

  const drawMore = (): void => more.replaceChildren(...details(current, !why.textContent));
  const unfold = (open: boolean): void => {
    more.hidden = !open;
    row.setAttribute('aria-expanded', String(open));
    item.classList.toggle('portia-open', open);
    if (open) {
      drawMore();
    }
  };
  row.addEventListener('click', () => unfold(more.hidden));

  return {
    item,
    row,
    unfold,
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
      say(line, inOneLine(next, state).slice(0, LINE_CHARS));
      // While it is folded, the end of what a model writes is seen below the row.
      say(stream, next.text ? next.text.slice(-STREAM_CHARS) : '');
      if (next.text) {
        stream.scrollTop = stream.scrollHeight;
      }
      if (!more.hidden) {
        drawMore();
      }
    },
    tick(nowMs) {
      const { start, end, state } = current;
      const until = end ?? (state === 'running' ? nowMs : null);
      const known = start !== undefined && until !== null && until !== undefined;
      say(time, known ? duration(until - start) : '');
    }
  };
}

/** What the folded row says of a step: its error, its output, why it was skipped, or its task. */
function inOneLine(step: Step, state: string): string {
  if (state === 'failed' || step.error) {
    // A bare `'b'` says nothing: a KeyError's message is the key.
    return step.error ? `${step.error.type}: ${step.error.message}` : '';
  }
  if (step.output) {
    return preview(step.output);
  }
  return step.reason ?? (step.calls ? `calls ${step.calls}` : step.task ?? '');
}

/** All that the unfolded part shows. */
function details(step: Step, saysWhy: boolean): HTMLElement[] {
  const parts: HTMLElement[] = [];
  if (step.task) {
    parts.push(foreign('p', 'task', step.task));
  }
  if (step.condition) {
    parts.push(foreign('p', 'note', `only if: ${step.condition}`));
  }
  if (step.why && saysWhy) {
    parts.push(make('p', 'note', step.why));
  }
  if (step.model) {
    parts.push(make('p', 'note', `model: ${step.model}`));
  }
  if (step.error) {
    parts.push(drawFailure(step.error));
  }
  if (step.reason) {
    parts.push(foreign('p', 'note', step.reason));
  }
  if (step.text) {
    parts.push(scrolling(foreign('pre', 'text', step.text), 'Text that the model is writing'));
  }
  if (step.output) {
    parts.push(drawOutput(step.output));
  }
  return parts.length ? parts : [make('p', 'note', 'Nothing more to show yet.')];
}
