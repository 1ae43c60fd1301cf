/** The list of steps: what a run is, in words; its picture only says the same. */
import { make, scrolling, set } from './elements';
import type { Step, View } from './shapes';
import { isOver } from './states';
import { drawStep, type StepRow } from './step';

const LONG_LIST = 40;
const FOLLOW_MS = 400;

export interface StepList {
  list: HTMLElement;
  readonly count: number;
  readonly finished: number;
  all(): Step[];
  step(path: string): Step | undefined;
  /** Draw a step, or draw it anew. */
  show(step: Step): StepRow;
  tick(nowMs: number | null): void;
  /** Keep the step that began last in sight, unless somebody reads elsewhere in the list. */
  follow(row: StepRow | undefined): void;
  /** Unfold the first step that is meant, and give it the focus. */
  choose(isMeant: (step: Step) => boolean): void;
  destroy(): void;
}

/**
 * Draw a view's steps.
 *
 * @param uid a prefix for ids
 * @param now milliseconds since the run began; null: nothing ticks
 * @param onState called with a card and its new state
 */
export function drawSteps(
  view: View,
  uid: string,
  now: () => number | null,
  onState: (el: string, state: string) => void
): StepList {
  const list = make('ol', 'steps');
  set(list, { role: 'list', 'aria-label': 'Steps' });
  const rows = new Map<string, StepRow>();
  const states = new Map<string, string>();
  const ticking = new Set<StepRow>();
  let finished = 0;
  let latest: StepRow | undefined;
  let follower: ReturnType<typeof setTimeout> | undefined;

  function add(step: Step): StepRow {
    const isTop = step.el !== undefined;
    const row = drawStep(step, isTop ? rows.size + 1 : 0, `${uid}-more${rows.size}`);
    rows.set(step.path, row);
    const after = isTop ? undefined : lastInside(rows, step.path);
    row.item.classList.toggle('portia-inner', !isTop);
    if (after) {
      after.after(row.item);
    } else {
      list.append(row.item);
    }
    return row;
  }

  function show(step: Step): StepRow {
    const row = rows.get(step.path) ?? add(step);
    const before = states.get(step.path) ?? '';
    // A plan's steps have no state; a run's wait.
    const state = step.state ?? (view.kind === 'run' ? 'waiting' : '');
    row.show(step, state);
    if (state !== before) {
      states.set(step.path, state);
      finished += Number(isOver(state)) - Number(isOver(before));
      if (step.el) {
        onState(step.el, state || 'waiting');
      }
      if (state === 'running') {
        ticking.add(row);
      } else {
        ticking.delete(row);
      }
    }
    row.tick(now());
    return row;
  }

  view.steps.forEach(show);
  list.classList.toggle('portia-long', view.steps.length > LONG_LIST);
  if (view.steps.length > LONG_LIST) {
    scrolling(list, 'Steps').setAttribute('role', 'list');
  }

  return {
    list,
    show,
    get count() {
      return rows.size;
    },
    get finished() {
      return finished;
    },
    all: () => [...rows.values()].map(row => row.step),
    step: path => rows.get(path)?.step,
    tick(nowMs) {
      ticking.forEach(row => row.tick(nowMs));
    },
    follow(row) {
      if (!row || rows.size <= LONG_LIST) {
        return;
      }
      latest = row;
      follower ??= setTimeout(() => {
        follower = undefined;
        if (latest && !list.matches(':hover, :focus-within')) {
          list.scrollTop = latest.item.offsetTop - list.clientHeight / 2;
        }
      }, FOLLOW_MS);
    },
    choose(isMeant) {
      const row = [...rows.values()].find(each => isMeant(each.step));
      row?.unfold(true);
      row?.row.focus();
    },
    destroy() {
      clearTimeout(follower);
    }
  };
}

/** Where one run of a step inside another stands: below that step's row and what is below it already. */
function lastInside(rows: Map<string, StepRow>, path: string): HTMLElement | undefined {
  const isInside = (inner: string, outer: string): boolean =>
    inner.startsWith(outer) && /^[[/]/.test(inner.slice(outer.length));
  const known = [...rows.keys()].filter(each => each !== path);
  const outer = known.filter(each => isInside(path, each)).reduce((a, b) => (b.length > a.length ? b : a), '');
  let last = rows.get(outer)?.item;
  for (const each of known) {
    const item = rows.get(each)?.item;
    const isLater =
      last && item && last.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (isLater && isInside(each, outer)) {
      last = item;
    }
  }
  return last;
}
