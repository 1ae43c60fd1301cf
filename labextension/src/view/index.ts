/** The widget's module: what anywidget loads in the browser, built into `static/run_view.js`. */
import { inflated } from './changes';
import type { Drawn } from './draw_run';
import { drawWholeRun } from './panels';
import { make } from './elements';
import type { Delta } from './shapes';

/** What anywidget hands over: the browser's end of the channel to Python. */
interface Model {
  send(message: unknown): void;
  on(event: 'msg:custom', handler: Receive): void;
  off(event: 'msg:custom', handler: Receive): void;
}

type Receive = (message: Message, buffers?: BlobPart[]) => void;

interface Message extends Delta {
  type: string;
  view?: object;
}

/**
 * Wire an anywidget model to `drawRun`: Python sends `{type: "full", view}` when asked by
 * `{type: "ready"}`, then `{type: "delta", …}`; long ones come deflated, as `{type: "packed"}`.
 */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  let drawn: Drawn | null = null;
  let closed = false;
  // Messages are inflated one after the other: a later delta must not overtake.
  let queue = Promise.resolve();
  const host = { send: (message: unknown) => model.send(message) };
  el.replaceChildren(make('p', 'note', 'Waiting for the kernel to send this run…'));

  async function take(message: Message, buffers?: BlobPart[]): Promise<void> {
    const [packed] = buffers ?? [];
    const whole: Message =
      message.type === 'packed' && packed ? JSON.parse(await inflated(packed)) : message;
    if (closed) {
      return;
    }
    if (whole.type === 'full' && whole.view) {
      drawn?.destroy();
      drawn = drawWholeRun(el, whole.view, host);
    } else if (whole.type === 'delta') {
      drawn?.update(whole);
    }
  }
  const receive: Receive = (message, buffers) => {
    queue = queue
      .then(() => take(message, buffers))
      .catch(error => console.error('portia_nb: a message could not be shown:', error));
  };
  model.on('msg:custom', receive);
  model.send({ type: 'ready' });
  return () => {
    closed = true;
    model.off('msg:custom', receive);
    drawn?.destroy();
  };
}

export { drawWholeRun as drawRun };
export default { render };
