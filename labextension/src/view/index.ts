/** The widget's module: what anywidget loads in the browser, built into `static/run_view.js`. */
import type { Drawn } from './draw_run';
import { drawWholeRun } from './panels';
import { make } from './elements';
import type { Delta } from './shapes';
import { listen, type Message, type Model } from './wire';

interface Told extends Message, Delta {
  view?: object;
}

/**
 * Wire an anywidget model to `drawRun`: Python sends `{type: "full", view}` when asked by
 * `{type: "ready"}`, then `{type: "delta", …}`.
 */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  let drawn: Drawn | null = null;
  const host = { send: (message: unknown) => model.send(message) };
  el.replaceChildren(make('p', 'note', 'Waiting for the kernel to send this run…'));
  const close = listen(model, (message: Told) => {
    if (message.type === 'full' && message.view) {
      drawn?.destroy();
      drawn = drawWholeRun(el, message.view, host);
    } else if (message.type === 'delta') {
      drawn?.update(message);
    }
  });
  return () => {
    close();
    drawn?.destroy();
  };
}

export { drawWholeRun as drawRun };
export default { render };
