/** What a step says below its row: in one line while it is folded, and all of it once it is not. */
import { foreign, make, scrolling } from './elements';
import { drawAttempts, drawFailure, drawOutput, preview } from './output';
import type { Step } from './shapes';

const LINE_CHARS = 300;

/** Draws what can be done about a step, null where that is nothing. */
export type ActionsFor = (step: Step) => HTMLElement | null;

/** Its error, what it put out, why it was skipped, or its task. */
export function inOneLine(step: Step): string {
  return wholeLine(step).slice(0, LINE_CHARS);
}

function wholeLine(step: Step): string {
  if (step.state === 'failed' || step.error) {
    // A bare `'b'` says nothing: a KeyError's message is the key.
    return step.error ? `${step.error.type}: ${step.error.message}` : '';
  }
  if (step.output) {
    return preview(step.output);
  }
  return step.reason ?? (step.calls ? `calls ${step.calls}` : step.task ?? '');
}

/** @param saysWhy false where the row itself says why it waits */
export function drawMore(step: Step, actionsFor: ActionsFor, saysWhy: boolean): HTMLElement[] {
  const note = (text: string | undefined): HTMLElement | null => (text ? make('p', 'note', text) : null);
  const asked = [step.model ? `model: ${step.model}` : '', step.spent ?? ''].filter(Boolean).join(' · ');
  const parts = [
    step.task ? foreign('p', 'task', step.task) : null,
    step.condition ? foreign('p', 'note', `only if: ${step.condition}`) : null,
    saysWhy ? note(step.why) : null,
    note(asked),
    step.attempts?.length ? drawAttempts(step.attempts) : null,
    step.error ? drawFailure(step.error) : null,
    step.reason ? foreign('p', 'note', step.reason) : null,
    step.text
      ? scrolling(foreign('pre', 'text', step.text), 'Text that the model is writing')
      : null,
    step.output ? drawOutput(step.output) : null,
    actionsFor(step)
  ].filter(part => part !== null);
  return parts.length ? parts : [make('p', 'note', 'Nothing more to show yet.')];
}
