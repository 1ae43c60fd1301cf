/** Retry, Fork and Why: buttons where the host can put commands into cells, else text to copy. */
import { isToBeEdited, lineOf, type Actions, type Command } from './commands';
import { make, makeButton } from './elements';
import type { Step, View } from './shapes';
import { hasEnded, isGoingOn } from './states';

const LABELS: { [verb in Command['verb']]: [label: string, says: string] } = {
  retry: ['Retry', 'Try the failed step again'],
  fork: ['Fork from here', 'Run this step and what depends on it again, in a new run'],
  why: ['Why', 'Show why the run has failed, with the traceback']
};

/** Draw what can be done about `commands`, null where there is nothing. */
export function drawActions(commands: Command[], actions: Actions | undefined): HTMLElement | null {
  const box = make('div', 'actions');
  for (const command of commands) {
    const line = lineOf(command);
    if (line !== null) {
      box.append(actions ? drawButton(command, line, actions) : make('code', 'command', line));
    }
  }
  return box.childElementCount ? box : null;
}

function drawButton(command: Command, line: string, actions: Actions): HTMLElement {
  const [label, says] = LABELS[command.verb];
  const button = makeButton('button', label);
  button.title = isToBeEdited(command) ? `${says}: puts ${line} into a new cell` : `${says}: ${line}`;
  button.addEventListener('click', () => {
    if (!actions.take(command)) {
      const text = make('code', 'command', line);
      text.tabIndex = -1;
      button.replaceWith(text);
      text.focus(); // it must not fall back to the page's beginning
    }
  });
  return button;
}

/** What can be done about one step of a run that has ended. */
export function commandsFor(view: View, step: Step): Command[] {
  const state = step.state ?? '';
  if (view.kind !== 'run' || isGoingOn(view.state) || step.el === undefined || !hasEnded(state)) {
    return [];
  }
  const fork: Command = { verb: 'fork', run: view.id, step: step.path };
  return state === 'failed' ? [...commandsForFailed(view), fork] : [fork];
}

/** What can be done about a run that has failed. */
export function commandsForFailed(view: View): Command[] {
  return view.kind === 'run' && view.state === 'FAILED'
    ? [{ verb: 'retry', run: view.id }, { verb: 'why', run: view.id }]
    : [];
}
