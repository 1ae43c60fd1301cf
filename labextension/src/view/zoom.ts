/** Pan and zoom: buttons, Ctrl and the wheel, keys, and dragging; nothing moves by itself. */
import { make, makeButton, set } from './elements';

const STEP = 1.25;
const LARGEST = 4;
const SMALLEST = 0.05;
const DRAG_PX = 4;

/**
 * Let `picture` be zoomed inside `box`, which scrolls.
 *
 * @returns the buttons
 */
export function addZoom(box: HTMLElement, picture: SVGSVGElement): HTMLElement {
  const full = { width: Number(picture.getAttribute('width')), height: Number(picture.getAttribute('height')) };
  const scale = (): number => picture.getBoundingClientRect().width / full.width || 1;

  /** Show the picture at `wanted` times its size; what is at (x, y) of the page stays there. */
  function zoomTo(wanted: number, x?: number, y?: number): void {
    const to = Math.min(LARGEST, Math.max(SMALLEST, wanted));
    const frame = box.getBoundingClientRect();
    const before = picture.getBoundingClientRect();
    const atX = x ?? frame.left + frame.width / 2;
    const atY = y ?? frame.top + frame.height / 2;
    const partX = (atX - before.left) / before.width;
    const partY = (atY - before.top) / before.height;
    picture.style.width = `${full.width * to}px`;
    const after = picture.getBoundingClientRect();
    box.scrollLeft += after.left + partX * after.width - atX;
    box.scrollTop += after.top + partY * after.height - atY;
  }
  function fit(): void {
    const style = getComputedStyle(box);
    const width = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = box.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    zoomTo(Math.min(1, width / full.width, height / full.height));
    box.scrollTo(0, 0);
  }

  const keys: { [key: string]: () => void } = {
    '+': () => zoomTo(scale() * STEP),
    '=': () => zoomTo(scale() * STEP),
    '-': () => zoomTo(scale() / STEP),
    '0': fit
  };
  box.addEventListener('keydown', event => {
    const act = keys[event.key];
    if (act && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      act();
    }
  });
  box.addEventListener(
    'wheel',
    event => {
      // Without Ctrl the wheel is the page's.
      if (event.ctrlKey) {
        event.preventDefault();
        zoomTo(scale() * Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
      }
    },
    { passive: false }
  );
  letDrag(box);

  const button = (label: string, sign: string, act: () => void): HTMLElement => {
    const made = makeButton('zoom', sign);
    set(made, { 'aria-label': label, title: label });
    made.addEventListener('click', act);
    return made;
  };
  const tools = make(
    'div',
    'zooms',
    button('Zoom out', '−', () => zoomTo(scale() / STEP)),
    button('Zoom in', '+', () => zoomTo(scale() * STEP)),
    button('Fit the picture', 'Fit', fit)
  );
  set(tools, { role: 'group', 'aria-label': 'Size of the picture' });
  return tools;
}

/** Drag what scrolls, with the mouse; a touch screen and a trackpad do that by themselves. */
function letDrag(box: HTMLElement): void {
  let from: { x: number; y: number; left: number; top: number } | null = null;
  let moved = false;
  box.addEventListener('pointerdown', event => {
    moved = false;
    if (event.pointerType === 'mouse' && event.button === 0) {
      from = { x: event.clientX, y: event.clientY, left: box.scrollLeft, top: box.scrollTop };
    }
  });
  box.addEventListener('pointermove', event => {
    if (!from || !(event.buttons & 1)) {
      from = null;
      return;
    }
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    if (!moved && Math.hypot(x, y) < DRAG_PX) {
      return;
    }
    if (!moved) {
      moved = true;
      box.setPointerCapture(event.pointerId);
      box.classList.add('portia-dragged');
    }
    box.scrollTo(from.left - x, from.top - y);
  });
  const end = (): void => {
    from = null;
    box.classList.remove('portia-dragged');
  };
  box.addEventListener('pointerup', end);
  box.addEventListener('pointercancel', end);
  // A drag that ends on a card is no click on it.
  box.addEventListener(
    'click',
    event => {
      if (moved) {
        moved = false;
        event.stopPropagation();
      }
    },
    { capture: true }
  );
}
