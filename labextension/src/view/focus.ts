/** Where the focus goes when the view that has it is taken away: never back to the page's beginning. */

/**
 * Watch the focus in a view.
 *
 * @returns what is called when the view goes: where it had the focus, the nearest part of the page
 * around it that can have it gets it, such as the notebook's cell, whose keys then work again
 */
export function watchFocus(root: HTMLElement): () => void {
  let around: HTMLElement | null = null;
  root.addEventListener('focusin', () => {
    around = root.parentElement?.closest<HTMLElement>('[tabindex]') ?? null;
  });
  root.addEventListener('focusout', () => {
    // An element that is removed loses the focus, too: then nothing else has it.
    setTimeout(() => {
      if (document.activeElement !== document.body && !root.contains(document.activeElement)) {
        around = null;
      }
    });
  });
  return () => {
    const active = document.activeElement;
    if (around?.isConnected && (active === null || active === document.body || root.contains(active))) {
      around.focus({ preventScroll: true });
    }
  };
}
