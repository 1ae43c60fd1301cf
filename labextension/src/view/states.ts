/** Each state as a word and an icon, so that colour is never the only sign of it. */
import { SVG, set } from './elements';
import type { Step, View } from './shapes';

interface Look {
  word: string;
  /** Paths in a box of 22 around (0, 0); a `mark` is cut out of what is below it. */
  icon: [kind: 'fill' | 'mark' | 'line' | 'dash' | 'ring', d: string][];
}

export const STATES: { [state: string]: Look } = {
  waiting: { word: 'waiting', icon: [['dash', 'M0-8a8 8 0 1 1 0 16a8 8 0 1 1 0-16Z']] },
  running: {
    word: 'running',
    icon: [
      ['ring', 'M0-8.6a8.6 8.6 0 1 1 0 17.2a8.6 8.6 0 1 1 0-17.2Z'],
      ['fill', 'M-2.6-4.4L4.6 0L-2.6 4.4Z']
    ]
  },
  done: {
    word: 'done',
    icon: [
      ['fill', 'M0-9.6a9.6 9.6 0 1 1 0 19.2a9.6 9.6 0 1 1 0-19.2Z'],
      ['mark', 'M-4.4.3L-1.3 3.4L4.5-3']
    ]
  },
  failed: {
    word: 'failed',
    icon: [
      ['fill', 'M-4-9.6H4L9.6-4V4L4 9.6H-4L-9.6 4V-4Z'],
      ['mark', 'M-3.3-3.3L3.3 3.3M3.3-3.3L-3.3 3.3']
    ]
  },
  asking: {
    word: 'needs you',
    icon: [
      [
        'fill',
        'M-7-9.5H7a2.5 2.5 0 0 1 2.5 2.5V3a2.5 2.5 0 0 1-2.5 2.5H0L-5 10V5.5H-7a2.5 2.5 0 0 1-2.5-2.5V-7a2.5 2.5 0 0 1 2.5-2.5Z'
      ],
      ['mark', 'M-2.5-4.6a2.6 2.6 0 1 1 3.7 2.4Q0-1.6 0-.6M0 2.4V2.5']
    ]
  },
  skipped: { word: 'skipped', icon: [['line', 'M-6.5-5.5L-1 0L-6.5 5.5M1-5.5L6.5 0L1 5.5']] },
  stopped: {
    word: 'stopped',
    icon: [
      [
        'fill',
        'M-6-8.5H6a2.5 2.5 0 0 1 2.5 2.5V6a2.5 2.5 0 0 1-2.5 2.5H-6a2.5 2.5 0 0 1-2.5-2.5V-6a2.5 2.5 0 0 1 2.5-2.5Z'
      ],
      ['mark', 'M-3-3H3V3H-3Z']
    ]
  },
  uncertain: {
    word: 'uncertain',
    icon: [
      ['fill', 'M0-9.5L10 8.5H-10Z'],
      ['mark', 'M0-3V2.6M0 6V6.1']
    ]
  }
};

/** A run's state by the step state that looks like it, and its own word where that differs. */
const RUN_STATES: { [state: string]: [looks: string, word: string] } = {
  PLANNED: ['waiting', 'plan'],
  NOT_STARTED: ['waiting', 'not started'],
  IN_PROGRESS: ['running', 'running'],
  NEED_CLARIFICATION: ['asking', 'needs you'],
  READY_TO_RESUME: ['stopped', 'stopped'],
  COMPLETE: ['done', 'done'],
  FAILED: ['failed', 'failed']
};

/** How a plan's or a run's state looks, and its word; a person's no is no failure. */
export function lookOf(view: View): [looks: string, word: string] {
  if (view.refused) {
    return ['stopped', 'ended by a no'];
  }
  const state = view.kind === 'plan' && !view.state ? 'PLANNED' : view.state ?? '';
  return RUN_STATES[state] ?? ['waiting', state];
}

const UNDER_WAY = ['IN_PROGRESS', 'NEED_CLARIFICATION'];

/** Tell whether a run in this state may still change by itself. */
export const isGoingOn = (state: string | undefined): boolean => UNDER_WAY.includes(state ?? '');

/** Tell whether a step in this state has come to its end, well or not: it can be run again. */
export const hasEnded = (state: string): boolean => isOver(state) || ['failed', 'stopped'].includes(state);

/** Tell whether a step in this state has come to its end, and well. */
export const isOver = (state: string): boolean => state === 'done' || state === 'skipped';

/** A plan's steps have no state (`''`); a run's wait. */
export const stateOf = (step: Step, view: View): string =>
  step.state ?? (view.kind === 'run' ? 'waiting' : '');

export function icon(state: string): SVGSVGElement {
  const drawn = document.createElementNS(SVG, 'svg');
  set(drawn, { viewBox: '-11 -11 22 22', class: 'portia-icon', 'aria-hidden': 'true' });
  for (const [kind, d] of STATES[state]?.icon ?? []) {
    const path = document.createElementNS(SVG, 'path');
    set(path, { d, class: `portia-icon-${kind}` });
    drawn.append(path);
  }
  return drawn;
}
