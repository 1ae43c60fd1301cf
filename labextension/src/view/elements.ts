/** Elements of the page, made so that what others wrote enters as text and as nothing else. */

export const SVG = 'http://www.w3.org/2000/svg';

let views = 0;

/** A prefix for ids that no other view of this page has. */
export function newPrefix(): string {
  return `portia${++views}`;
}

/**
 * Make an element.
 *
 * @param className classes without their prefix; `''` for none
 * @param children strings become text; empty ones and null are left out
 */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (string | Node | null | undefined)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) {
    made.className = className.replace(/\S+/g, 'portia-$&');
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== '') {
      made.append(child);
    }
  }
  return made;
}

/** Text that others wrote: its own direction must not turn what stands beside it. */
export function foreign<K extends 'span' | 'p' | 'div' | 'pre' | 'td' | 'th'>(
  tag: K,
  className: string,
  text: string
): HTMLElementTagNameMap[K] {
  const made = make(tag, className, text);
  made.dir = 'auto';
  return made;
}

/** A button that submits nothing. */
export function makeButton(className: string, ...children: (string | Node | null)[]): HTMLButtonElement {
  const made = make('button', className, ...children);
  made.type = 'button';
  return made;
}

export function set(element: Element, attributes: { [name: string]: string | number | boolean }): void {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
}

/** Change an element's text only where it differs: each change is a repaint, and may be read out. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** What may scroll must be reachable by keyboard. */
export function scrolling<E extends HTMLElement>(element: E, label: string): E {
  set(element, { tabindex: 0, role: 'group', 'aria-label': label });
  return element;
}

/** True while a person writes somewhere outside of `view`, where focus must stay. */
export function isTyping(active: Element | null, view: Element): boolean {
  return Boolean(
    active &&
      !view.contains(active) &&
      (active.matches('input, textarea, select') || active.closest('[contenteditable="true"], .cm-editor'))
  );
}
