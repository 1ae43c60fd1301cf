/** The inspector's module: what anywidget loads in the browser, built into `static/plan_editor.js`. */
import { drawEditor, type Editor } from './editor';
import type { EditorState } from './editor_shapes';
import { make } from './elements';
import { listen, unpacked, type Message, type Model } from './wire';

interface Told extends Message {
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
  const record = model.get('record');
  el.replaceChildren(make('pre', 'editor-record', typeof record === 'string' ? record : ''));
  const close = listen(model, async (message: Told, buffers) => {
    if (message.type === 'state' && message.state) {
      editor ??= drawEditor(el, each => model.send(each));
      editor.show(message.state);
    } else if (message.type === 'refused') {
      editor?.refuse(message.id ?? 0, String(message.message));
    } else if (message.type === 'said' || message.type === 'busy') {
      editor?.say(String(message.message));
    } else if (message.type === 'run') {
      editor?.run(await unpacked(message.message as Message, buffers));
    }
  });
  return () => {
    close();
    editor?.destroy();
  };
}

export { drawEditor };
export default { render };
