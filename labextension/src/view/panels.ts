/**
 * Further parts of a view, below the list and its picture: each in a module of its own.
 *
 * To add one, write `export const drawX: MakePanel` in a file here and name it in `PANELS`.
 */
import type { Actions } from './commands';
import { drawRun, type Drawn } from './draw_run';
import type { Delta, Host, View } from './shapes';
import { drawTimeline } from './timeline';

export interface PanelContext {
  /** A prefix for ids that no other view of the page has. */
  uid: string;
  /** Who hears what a person does; undefined in a stored view, and after the run's end. */
  host: Host | undefined;
  /** Tell screen readers, politely. */
  announce(text: string): void;
  /** Unfold the step with this path in the list, and give it the focus. */
  choose(path: string): void;
  /** Milliseconds since the run began, null where that is unknown. */
  sinceBegin(): number | null;
}

export interface Panel {
  element: HTMLElement;
  /** Take note of a change; `view` is the whole view after it, and is never to be changed. */
  update(view: View, delta: Delta): void;
  destroy?(): void;
}

/** Draw a panel, or return null where the view holds nothing for it. */
export type MakePanel = (view: View, context: PanelContext) => Panel | null;

/** In the order in which they stand. */
export const PANELS: MakePanel[] = [drawTimeline];

/** Draw a plan or a run with all of its panels; see `drawRun`. */
export function drawWholeRun(el: HTMLElement, given: object, host?: Host, actions?: Actions): Drawn {
  return drawRun(el, given, host, actions, PANELS);
}
