/** The picture of a plan: a card for each step, which changes its looks but never its place. */
import { make, newPrefix, scrolling, set } from './elements';
import { followTheme, readPicture } from './picture_file';
import { addZoom } from './zoom';

const MANY_CARDS = 80;
const OFFSCREEN = 400;
const NEXT_FRAME_MS = 20;

interface Card {
  group: SVGElement;
  use: Element | null;
  x: number;
  y: number;
}

export interface Picture {
  element: HTMLElement;
  /** Give a card the looks of a state; many calls are one change of the page. */
  show(el: string, state: string): void;
}

/**
 * Draw a picture.
 *
 * @param text the SVG
 * @param choose called with the id of a clicked card
 */
export function drawPicture(text: string, choose: (el: string) => void): Picture {
  const prefix = `${newPrefix()}-`;
  const picture = readPicture(text, prefix);
  followTheme(picture);
  // A card's id in the file is the prefix "p" and the id that steps name in `el`.
  const start = `${prefix}p`;
  const cards = new Map<string, Card>();
  for (const group of picture.querySelectorAll<SVGElement>(':scope > g[id]')) {
    const [x = NaN, y = NaN] = (group.getAttribute('transform')?.match(/-?[\d.]+/g) ?? []).map(Number);
    cards.set(group.id.slice(start.length), { group, use: group.querySelector('use'), x, y });
  }
  const width = Number(picture.getAttribute('width'));
  picture.style.setProperty('--portia-width', `${width}px`);
  // How many steps are done goes on changing: the list, which is told of it, says so.
  set(picture, { 'aria-label': 'Picture of the plan; the list of steps says the same' });
  picture.addEventListener('click', event => {
    const group = (event.target as Element).closest('svg > g[id]');
    if (group) {
      choose(group.id.slice(start.length));
    }
  });
  const box = scrolling(make('div', 'picture'), 'Picture of the plan');
  box.append(picture);
  const element = make('div', 'pictureframe', addZoom(box, picture), box);
  if (cards.size > MANY_CARDS) {
    hideOffscreen(box, picture, width, [...cards.values()]);
  }
  const waiting = new Map<string, string>();
  const showAll = (): void => {
    for (const [el, state] of waiting) {
      const card = cards.get(el);
      if (card && card.group.getAttribute('class') !== state) {
        card.group.setAttribute('class', state);
        const href = card.use?.getAttribute('href') ?? '';
        card.use?.setAttribute('href', href.replace(/[a-z]+$/, state));
      }
    }
    waiting.clear();
  };
  return {
    element,
    show(el, state) {
      if (!waiting.size) {
        // A large picture follows the list one frame later, so that neither frame is a long one.
        setTimeout(showAll, cards.size > MANY_CARDS ? NEXT_FRAME_MS : 0);
      }
      waiting.set(el, state);
    }
  };
}

/** Paint no card that is out of sight: every change repaints all that isn't hidden. */
function hideOffscreen(box: HTMLElement, picture: SVGSVGElement, width: number, cards: Card[]): void {
  let frame = 0;
  const hide = (): void => {
    frame = 0;
    const seen = box.getBoundingClientRect();
    const whole = picture.getBoundingClientRect();
    const scale = whole.width / width || 1;
    const left = (seen.left - whole.left) / scale - OFFSCREEN;
    const top = (seen.top - whole.top) / scale - OFFSCREEN;
    const right = (seen.right - whole.left) / scale + OFFSCREEN;
    const bottom = (seen.bottom - whole.top) / scale + OFFSCREEN;
    for (const { group, x, y } of cards) {
      group.style.display = x < left || x > right || y < top || y > bottom ? 'none' : '';
    }
  };
  const later = (): void => {
    frame ||= requestAnimationFrame(hide);
  };
  box.addEventListener('scroll', later, { passive: true });
  const sizes = new ResizeObserver(later);
  sizes.observe(box);
  sizes.observe(picture);
}
