/** What screen readers are told of a run: politely, and not each change by itself. */
import { make, say, set } from './elements';

/** Changes within this time are told together. */
const TOGETHER_MS = 600;
/** After it has spoken of steps, it is silent for so long: a run may have hundreds. */
const QUIET_MS = 5000;
const AT_ONCE = 3;

export interface Announcer {
  status: HTMLElement;
  /** @param isUrgent told at once: what a person must do, and how the run ended */
  announce(text: string, isUrgent?: boolean): void;
  destroy(): void;
}

export function makeAnnouncer(): Announcer {
  const status = make('div', 'hidden');
  set(status, { role: 'status', 'aria-live': 'polite' });
  const urgent: string[] = [];
  let news: string[] = [];
  let spoke = -QUIET_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;

  function tell(): void {
    timer = undefined;
    due = Infinity;
    const left = news.length - AT_ONCE;
    const before = left > 0 ? [`${left} more ${left === 1 ? 'change' : 'changes'}`] : [];
    say(status, [...before, ...news.slice(-AT_ONCE), ...urgent].join('. '));
    news = [];
    urgent.length = 0;
    spoke = performance.now();
  }

  return {
    status,
    announce(text, isUrgent = false) {
      const now = performance.now();
      (isUrgent ? urgent : news).push(text);
      const wanted = isUrgent ? now + TOGETHER_MS : Math.max(now + TOGETHER_MS, spoke + QUIET_MS);
      if (timer === undefined || wanted < due - TOGETHER_MS) {
        clearTimeout(timer);
        due = wanted;
        timer = setTimeout(tell, wanted - now);
      }
    },
    destroy() {
      clearTimeout(timer);
    }
  };
}
