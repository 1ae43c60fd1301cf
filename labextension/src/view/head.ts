/** What stands above the steps: the run's state, title, count and time, Stop, and how it ended. */
import { commandsForFailed, drawActions } from './action_buttons';
import type { Actions } from './commands';
import { foreign, make, makeButton, say, set } from './elements';
import { drawFailure, drawOutput } from './output';
import type { Host, View } from './shapes';
import { icon, lookOf } from './states';
import { counted, duration } from './words';

export interface Head {
  /** In the order in which they stand. */
  head: HTMLElement;
  bar: HTMLElement;
  outcome: HTMLElement;
  show(view: View, isUnderWay: boolean): void;
  count(view: View, finished: number, total: number): void;
  /** @param ms since the run began, or how long it took; null: unknown */
  tick(ms: number | null): void;
  /** Make Stop a button again that can be pressed. */
  letStop(): void;
}

export function drawHead(view: View, host: Host | undefined, actions: Actions | undefined): Head {
  const badge = make('span', 'state');
  const title = foreign('div', 'title', view.title);
  set(title, { role: 'heading', 'aria-level': 3 });
  const count = make('span', 'count');
  const elapsed = make('span', 'time');
  const spent = make('span', 'spent');
  const scripted = make('span', 'scripted', 'scripted model');
  const approved = foreign('span', 'approved', '');
  const stop = makeButton('button stop', 'Stop');
  const filled = make('div', '');
  const facts = make('div', 'facts', count, elapsed, spent, scripted, approved, stop);
  const outcome = make('div', 'outcome');
  let shownOutcome = '';

  stop.addEventListener('click', () => {
    if (stop.getAttribute('aria-disabled') !== 'true') {
      stop.setAttribute('aria-disabled', 'true');
      say(stop, 'Stopping…');
      host?.send({ type: 'stop' });
    }
  });

  function showOutcome(now: View, isUnderWay: boolean): void {
    const { error, final, next } = now;
    const ended = JSON.stringify([error, final, next, isUnderWay]);
    if (ended === shownOutcome) {
      return;
    }
    shownOutcome = ended;
    const parts: HTMLElement[] = [];
    if (error) {
      const about = drawActions(isUnderWay ? [] : commandsForFailed(now), actions);
      parts.push(make('div', 'failed', drawFailure(error), about));
    }
    if (final) {
      parts.push(make('div', 'result', make('strong', '', 'Result'), drawOutput(final)));
    }
    // Under way, the form itself is what goes on.
    if (next && !isUnderWay) {
      parts.push(make('p', 'next', next));
    }
    outcome.replaceChildren(...parts);
  }

  return {
    head: make('div', 'head', badge, title, facts),
    bar: make('div', 'bar', filled),
    outcome,
    show(now, isUnderWay) {
      const [looks, its] = lookOf(now);
      // Where nobody listens, it ran when this was kept; what became of it isn't known here.
      const word = looks === 'running' && !host ? 'was running' : its;
      if (badge.dataset['state'] !== looks || badge.textContent !== word) {
        badge.dataset['state'] = looks;
        badge.replaceChildren(make('span', 'shape', icon(looks)), make('span', '', word));
      }
      if (!isUnderWay && document.activeElement === stop) {
        // Focus must not fall back to the page's beginning.
        const whole = stop.closest<HTMLElement>('.portia-view');
        whole?.setAttribute('tabindex', '-1');
        whole?.focus({ preventScroll: true });
      }
      stop.hidden = !isUnderWay;
      scripted.hidden = !now.scripted;
      say(spent, now.spent ?? '');
      approved.hidden = !now.approved;
      say(approved, now.approved ?? '');
      showOutcome(now, isUnderWay);
    },
    count(now, finished, total) {
      const steps = counted(total, 'step');
      say(count, now.kind === 'plan' && !now.state ? steps : `${finished} of ${steps}`);
      filled.style.transform = `scaleX(${total ? finished / total : 0})`;
    },
    tick(ms) {
      say(elapsed, ms === null ? '' : duration(ms));
    },
    letStop() {
      set(stop, { 'aria-disabled': false });
      say(stop, 'Stop');
    }
  };
}
