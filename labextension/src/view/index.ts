/** The widget's module: what anywidget loads in the browser, built into `static/run_view.js`. */
import type { Drawn } from './draw_run';
import { drawWholeRun } from './panels';
import { make } from './elements';
import type { Delta } from './shapes';
import { isGoingOn } from './states';
import { listen, type Message, type Model } from './wire';

const ENDED =
  'The kernel of this run was restarted. What was done is kept. Run the cells that build the plan, then:';

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
  /** After a restart nothing more is told of a run that is shown as under way: say that it ended. */
  function showEnded(): void {
    if (drawn && isGoingOn(drawn.view.state)) {
      const { view } = drawn;
      const next = `${ENDED} %portia resume ${view.id}`;
      drawn.destroy();
      drawn = drawWholeRun(el, { ...view, questions: [], next });
    }
  }
  // Jupyter's widget manager says so once a model is there: where the kernel was restarted.
  model.on('comm_live_update', showEnded);
  const close = listen(model, (message: Told) => {
    if (message.type === 'full' && message.view) {
      drawn?.destroy();
      drawn = drawWholeRun(el, message.view, host);
    } else if (message.type === 'delta') {
      drawn?.update(message);
    }
  });
  return () => {
    model.off('comm_live_update', showEnded);
    close();
    drawn?.destroy();
  };
}

export { drawWholeRun as drawRun };
export default { render };
