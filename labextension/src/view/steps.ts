/** The list of steps: what a run is, in words; its picture only says the same. */
import { makeBlocks } from './blocks';
import { make, scrolling, set } from './elements';
import type { Step } from './shapes';
import { isOver, stateOf } from './states';
import { drawStep, type StepRow } from './step';
import type { StepContext, StepList } from './step_list';
import { nameOf } from './words';

const LONG_LIST = 40;
const FOLDED_LIST = 150;
const FOLLOW_MS = 400;

/** Draw a view's steps as a list; a long one scrolls, and a very long one folds what is finished. */
export function drawSteps({ view, uid, now, actionsFor, onState }: StepContext): StepList {
  const list = make('ol', 'steps');
  set(list, { role: 'list', 'aria-label': 'Steps' });
  const rows = new Map<string, StepRow>();
  const states = new Map<string, string>();
  const ticking = new Set<StepRow>();
  const tops = view.steps.filter(step => step.el !== undefined).length;
  const blocks = tops > FOLDED_LIST ? makeBlocks(list, tops, uid) : null;
  let finished = 0;
  let latest: StepRow | undefined;
  let follower: ReturnType<typeof setTimeout> | undefined;

  function add(step: Step): StepRow {
    const isTop = step.el !== undefined;
    const row = drawStep(step, isTop ? rows.size + 1 : 0, `${uid}-more${rows.size}`, actionsFor);
    rows.set(step.path, row);
    const after = isTop ? undefined : lastInside(rows, step.path);
    row.item.classList.toggle('portia-inner', !isTop);
    if (after) {
      after.after(row.item);
    } else if (isTop && blocks) {
      blocks.add(row.item, nameOf(step));
    } else {
      list.append(row.item);
    }
    return row;
  }

  function show(step: Step): void {
    const row = rows.get(step.path) ?? add(step);
    const before = states.get(step.path) ?? '';
    const state = stateOf(step, view);
    row.show(step, state);
    if (state !== before) {
      states.set(step.path, state);
      const change = Number(isOver(state)) - Number(isOver(before));
      finished += change;
      if (change) {
        blocks?.count(row.item, change);
      }
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
  }

  view.steps.forEach(show);
  list.classList.toggle('portia-long', view.steps.length > LONG_LIST);
  if (view.steps.length > LONG_LIST) {
    scrolling(list, 'Steps').setAttribute('role', 'list');
  }

  return {
    element: list,
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
    refresh() {
      rows.forEach(row => row.refresh());
    },
    follow(path) {
      if (rows.size <= LONG_LIST) {
        return;
      }
      latest = rows.get(path);
      follower ??= setTimeout(() => {
        follower = undefined;
        if (latest?.item.offsetParent && !list.matches(':hover, :focus-within')) {
          list.scrollTop = latest.item.offsetTop - list.clientHeight / 2;
        }
      }, FOLLOW_MS);
    },
    choose(isMeant) {
      const row = [...rows.values()].find(each => isMeant(each.step));
      if (row) {
        blocks?.reveal(row.item);
        row.unfold(true);
        row.row.focus();
      }
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
