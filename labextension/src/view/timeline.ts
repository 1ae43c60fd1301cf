/** When each step ran: a bar for each, with waits for a person and before a next try of their own. */
import { foreign, make, say, scrolling, set } from './elements';
import type { MakePanel } from './panels';
import type { Step, Stretch, View } from './shapes';
import { STATES, icon, isGoingOn } from './states';
import { counted, duration, nameOf } from './words';

const MAX_ROWS = 600;
const TICKS = 5;
const TICK_MS = 500;
const NICE = [1, 1.5, 2, 3, 5, 7.5, 10];
const MIN_SHOWN_MS = 1000;

interface Row {
  item: HTMLElement;
  /** @param now where that ends which lasts, in milliseconds since the run began */
  show(step: Step, now: number, span: number): void;
}

type Ended = [kind: string, start: number, end: number, state: string];

/** The stretches of a step, oldest first; what lasts ends at `now`. */
export function stretchesOf(step: Step, now: number): Ended[] {
  const { past = [], start, end, state = 'waiting' } = step;
  const all: Stretch[] = [...past];
  if (start === undefined) {
    if (state === 'skipped' && end !== undefined) {
      all.push(['ran', end, end, state]);
    }
  } else if (!past.some(([kind, began]) => kind === 'ran' && began === start)) {
    all.push(['ran', start, state === 'running' ? null : end ?? start, state]);
  }
  return all.map(([kind, from, until, how]) => [kind, from, Math.max(from, until ?? now), how]);
}

/** What is said beside a bar: the same as its shapes, in words. */
export function factsOf(step: Step, now: number): string {
  const all = stretchesOf(step, now);
  const total = (kind: string): number =>
    all.filter(each => each[0] === kind).reduce((sum, each) => sum + each[2] - each[1], 0);
  const has = (kind: string): boolean => all.some(each => each[0] === kind);
  const failed = all.filter(each => each[0] === 'ran' && each[3] === 'failed').length;
  const tries = failed + Number(step.state !== 'failed');
  return [
    STATES[step.state ?? '']?.word,
    step.state === 'skipped' ? '' : `ran ${duration(total('ran'))}`,
    has('asked') && `waited ${duration(total('asked'))} for a person`,
    has('paused') && `waited ${duration(total('paused'))} before the next try`,
    failed && tries > 1 && `${tries} tries`
  ].filter(Boolean).join(', ');
}

function looksOf(kind: string, how: string): string {
  if (kind !== 'ran') {
    return kind === 'asked' ? 'asking' : 'waiting';
  }
  // Work that ended in a question was done until then.
  return how === 'asking' || how === 'waiting' ? 'done' : how;
}

function drawRow(step: Step): Row {
  const name = make('span', 'bar-name', foreign('span', '', nameOf(step)));
  name.title = nameOf(step);
  const track = make('span', 'track');
  set(track, { 'aria-hidden': true });
  const shape = make('span', 'shape');
  const facts = make('span', '');
  const item = make('li', 'bar-row', name, track, make('span', 'bar-facts', shape, facts));
  return {
    item,
    show(next, now, span) {
      const state = next.state ?? 'waiting';
      if (item.dataset['state'] !== state) {
        item.dataset['state'] = state;
        shape.replaceChildren(icon(state));
      }
      const bars = stretchesOf(next, now).map(([kind, start, end, how]) => {
        const bar = make('span', `stretch ${kind}`);
        bar.dataset['state'] = looksOf(kind, how);
        bar.style.insetInlineStart = `${(100 * start) / span}%`;
        bar.style.width = `${(100 * (end - start)) / span}%`;
        return bar;
      });
      track.replaceChildren(...bars);
      say(facts, factsOf(next, now));
    }
  };
}

/** The length of time that the chart shows: the least round one that holds all of it. */
export function roundSpan(ms: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(ms, MIN_SHOWN_MS)));
  return (NICE.find(each => each * power >= ms) ?? 10) * power;
}

function drawScale(span: number): HTMLElement[] {
  const wanted = span / TICKS;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = ([1, 2, 5, 10].find(each => each * power >= wanted) ?? 10) * power;
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => {
    const mark = make('span', 'tick', duration(index * step).replace('.0 s', ' s'));
    mark.style.insetInlineStart = `${(100 * index * step) / span}%`;
    return mark;
  });
}

const hasBegun = (step: Step): boolean =>
  step.start !== undefined || Boolean(step.past?.length) || (step.state === 'skipped' && step.end !== undefined);
const beginOf = (step: Step): number => step.past?.[0]?.[1] ?? step.start ?? step.end ?? 0;

/** Nothing is drawn before it is opened, and then only what changed: a run may have 500 steps. */
export const drawTimeline: MakePanel = (view, { host, sinceBegin }) => {
  const note = make('span', 'panel-note');
  const ticks = make('div', 'ticks');
  const scale = make('div', 'scale', ticks);
  set(scale, { 'aria-hidden': true });
  const list = make('ol', 'bars');
  set(list, { role: 'list' });
  const more = make('p', 'note');
  const chart = scrolling(make('div', 'chart', scale, list, more), 'Timeline of the steps');
  const box = make('details', 'timeline', make('summary', '', 'Timeline ', note), chart);
  const rows = new Map<string, Row>();
  let current: View = view;
  let span = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  const isUnderWay = (): boolean => Boolean(host) && isGoingOn(current.state);
  function until(): number {
    let last = 0;
    for (const { start = 0, end = start, past = [] } of current.steps) {
      last = Math.max(last, end, ...past.map(each => each[2] ?? each[1]));
    }
    return isUnderWay() ? Math.max(last, sinceBegin() ?? 0) : last;
  }

  /** Draw these steps; all of them where the scale no longer holds them. */
  function show(steps: Step[]): void {
    const now = until();
    const wanted = isUnderWay() ? roundSpan(now) : Math.max(now, 1);
    if (wanted !== span) {
      span = wanted;
      ticks.replaceChildren(...drawScale(span));
      steps = current.steps;
    }
    for (const step of steps.filter(hasBegun).sort((a, b) => beginOf(a) - beginOf(b))) {
      let row = rows.get(step.path);
      if (!row && rows.size < MAX_ROWS) {
        row = drawRow(step);
        rows.set(step.path, row);
        list.append(row.item);
      }
      row?.show(step, now, span);
    }
    const left = current.steps.filter(hasBegun).length - rows.size;
    more.hidden = left <= 0;
    say(more, left > 0 ? `and ${counted(left, 'more step')}` : '');
  }

  function lasting(): Step[] {
    return current.steps.filter(step => step.state === 'running' || step.past?.some(each => each[2] === null));
  }

  function keepTicking(): void {
    if (box.open && isUnderWay()) {
      timer ??= setInterval(() => show(lasting()), TICK_MS);
    } else {
      clearInterval(timer);
      timer = undefined;
    }
  }

  function showHead(): void {
    box.hidden = current.kind === 'plan' || !current.steps.some(hasBegun);
    say(note, isUnderWay() || box.hidden ? '' : duration(until()));
  }

  box.addEventListener('toggle', () => {
    if (box.open) {
      show(current.steps);
    }
    keepTicking();
  });
  showHead();

  return {
    element: box,
    update(now, delta) {
      current = now;
      if (delta.head || box.hidden) {
        showHead();
        keepTicking();
      }
      if (box.open && (delta.steps || delta.head)) {
        const changed = new Set(Object.keys(delta.steps ?? {}));
        show(current.steps.filter(step => changed.has(step.path)));
      }
    },
    destroy: () => clearInterval(timer)
  };
};
