/** What stands for the steps of a view: a list, or for very many of them a table. */
import type { ActionsFor } from './details';
import type { Step, View } from './shapes';
import { drawTable } from './step_table';
import { drawSteps } from './steps';

const LARGEST_LIST = 1000;

export interface StepList {
  element: HTMLElement;
  readonly count: number;
  readonly finished: number;
  all(): Step[];
  step(path: string): Step | undefined;
  /** Draw a step, or draw it anew. */
  show(step: Step): void;
  /** @param nowMs milliseconds after the run began; null: nothing ticks */
  tick(nowMs: number | null): void;
  /** Draw what is unfolded anew. */
  refresh(): void;
  /** Keep the step that began last in sight, unless somebody reads elsewhere. */
  follow(path: string): void;
  /** Unfold the first step that is meant, and give it the focus. */
  choose(isMeant: (step: Step) => boolean): void;
  destroy(): void;
}

/** What steps are drawn with. */
export interface StepContext {
  view: View;
  /** A prefix for ids. */
  uid: string;
  /** Milliseconds since the run began; null: nothing ticks. */
  now(): number | null;
  actionsFor: ActionsFor;
  /** Called with a card and its new state. */
  onState(el: string, state: string): void;
}

export function drawStepList(context: StepContext): StepList {
  return context.view.steps.length > LARGEST_LIST ? drawTable(context) : drawSteps(context);
}
