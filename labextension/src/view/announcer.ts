/** What screen readers are told of a run: politely, and not each change by itself. */
import { make, say, set } from './elements';

const ANNOUNCE_MS = 600;
const AT_ONCE = 4;

export interface Announcer {
  status: HTMLElement;
  announce(text: string): void;
  destroy(): void;
}

export function makeAnnouncer(): Announcer {
  const status = make('div', 'hidden');
  set(status, { role: 'status', 'aria-live': 'polite' });
  const news: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    status,
    announce(text) {
      news.push(text);
      timer ??= setTimeout(() => {
        timer = undefined;
        say(status, news.slice(-AT_ONCE).join('. '));
        news.length = 0;
      }, ANNOUNCE_MS);
    },
    destroy() {
      clearTimeout(timer);
    }
  };
}
