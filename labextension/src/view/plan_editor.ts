/** The inspector's module: what anywidget loads in the browser, built into `static/plan_editor.js`. */
import { inflated } from './changes';
import { drawEditor, type Editor } from './editor';
import type { EditorState } from './editor_shapes';
import { make } from './elements';
import type { Delta } from './shapes';

/** What anywidget hands over: the browser's end of the channel to Python. */
interface Model {
  get(name: string): unknown;
  send(message: unknown): void;
  on(event: string, handler: (...heard: never[]) => void): void;
  off(event: string, handler: (...heard: never[]) => void): void;
}

interface Message {
  type: string;
  id?: number;
  message?: unknown;
  state?: EditorState;
}

/**
 * Wire an anywidget model to `drawEditor`. What the notebook file holds is shown first, as text: a
 * page without a kernel shows that and nothing to press.
 */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  let editor: Editor | null = null;
  let closed = false;
  let queue = Promise.resolve();
  const record = model.get('record');
  el.replaceChildren(make('pre', 'editor-record', typeof record === 'string' ? record : ''));

  async function unpacked(message: Message, buffers?: BlobPart[]): Promise<Message> {
    const [packed] = buffers ?? [];
    return message.type === 'packed' && packed ? JSON.parse(await inflated(packed)) : message;
  }

  async function take(heard: Message, buffers?: BlobPart[]): Promise<void> {
    const message = await unpacked(heard, buffers);
    if (closed) {
      return;
    }
    if (message.type === 'state' && message.state) {
      editor ??= drawEditor(el, each => model.send(each));
      editor.show(message.state);
    } else if (message.type === 'refused') {
      editor?.refuse(message.id ?? 0, String(message.message));
    } else if (message.type === 'said' || message.type === 'busy') {
      editor?.say(String(message.message));
    } else if (message.type === 'run') {
      const inner = (await unpacked(message.message as Message, buffers)) as Delta & { type: string };
      editor?.run(inner);
    }
  }
  const receive = (message: Message, buffers?: BlobPart[]): void => {
    queue = queue
      .then(() => take(message, buffers))
      .catch(error => console.error('portia_nb: a message could not be shown:', error));
  };
  model.on('msg:custom', receive);
  model.send({ type: 'ready' });
  return () => {
    closed = true;
    model.off('msg:custom', receive);
    editor?.destroy();
  };
}

export { drawEditor };
export default { render };
