/**
 * What `portia_nb/notebook/static/run_view.js` offers to its hosts.
 *
 * The build compiles against this declaration. The check (`scripts/labextension.py --check`) leaves
 * it out and compiles against the module itself, so that the two can't drift apart.
 */
declare module '*/run_view.js' {
  /** What a view may tell the one who shows it; absent where nobody listens. */
  export interface Host {
    send(message: unknown): void;
  }

  /** Draw a plan or a run into `el`; returns the function that removes it again. */
  export function drawRun(el: HTMLElement, view: object, host?: Host): () => void;
}

declare module '*.css';
