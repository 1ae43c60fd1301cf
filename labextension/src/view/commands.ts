/**
 * The commands that a view offers as buttons: built here from checked parts, never taken from data.
 *
 * What a notebook file holds may be anybody's. So a command is one of three sentences, and the run
 * and the step in it are taken only if they look exactly as ours do: a step's name may hold letters,
 * digits, `_`, `-`, `.` and single spaces, and so neither ends the line nor the quotes around it nor
 * is expanded by IPython, as `{…}` and `$…` are.
 */

export type Command =
  | { verb: 'retry'; run: string }
  | { verb: 'fork'; run: string; step: string }
  | { verb: 'why'; run: string };

/** What a host offers that can put commands into a notebook; the widget and plain pages can't. */
export interface Actions {
  /** Put a command into a new cell, and run it if that is safe; false: there is no place for it. */
  take(command: Command): boolean;
}

const RUN = /^prun-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const NAME = '[\\p{L}_](?:[\\p{L}\\p{M}\\p{N}_.-]| (?! ))*(?:\\[\\d+\\])?';
const STEP = new RegExp(`^${NAME}(?:/${NAME})*$`, 'u');
const MAX_STEP_CHARS = 120;

/** Return a command as a line of a cell, null where a part of it is not as ours are. */
export function lineOf(command: Command): string | null {
  switch (command.verb) {
    case 'why':
      return RUN.test(command.run) ? `%portia why ${command.run}` : null;
    case 'retry':
      return RUN.test(command.run) ? `%portia retry ${command.run}` : null;
    case 'fork': {
      const { run, step } = command;
      if (!RUN.test(run) || !STEP.test(step) || step.length > MAX_STEP_CHARS || step.endsWith(' ')) {
        return null;
      }
      return `%portia fork ${run} ${step.includes(' ') ? `"${step}"` : step}`;
    }
    default:
      return null;
  }
}

/** Tell whether a command is for its reader to finish, and so never runs by itself. */
export const isToBeEdited = (command: Command): boolean => command.verb === 'fork';
