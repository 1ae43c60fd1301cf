/** The module of a map's view: what anywidget loads in the browser, built into `static/map_view.js`. */
import { makeAnnouncer } from './announcer';
import { foreign, make, makeButton, say, set } from './elements';

/** What anywidget hands over: the browser's end of the channel to Python. */
interface Model {
  send(message: unknown): void;
  on(event: 'msg:custom', handler: (message: Message) => void): void;
  off(event: 'msg:custom', handler: (message: Message) => void): void;
}

/** How far a map has got, as `portia_nb/notebook/map_view.py` makes it. */
export interface MapState {
  title: string;
  /** Counts, time and cost, in one line. */
  said: string;
  ended: number;
  total: number;
  /** What went wrong, a line for each of the first few rows. */
  troubles: string[];
  isOver: boolean;
}

interface Message {
  type: string;
  state?: MapState;
}

export interface DrawnMap {
  show(state: MapState): void;
  destroy(): void;
}

/**
 * Draw a map that is under way.
 *
 * @param send hears `{type: "stop"}`
 */
export function drawMap(el: HTMLElement, send: (message: unknown) => void): DrawnMap {
  const title = foreign('div', 'title', '');
  set(title, { role: 'heading', 'aria-level': 3 });
  const stop = makeButton('button stop', 'Stop');
  const said = foreign('span', 'count', '');
  const progress = make('progress', 'progress');
  set(progress, { 'aria-label': 'rows' });
  const troubles = make('ul', 'troubles');
  const announcer = makeAnnouncer();
  const root = make(
    'section',
    'view map',
    make('div', 'head', title, make('div', 'facts', said, stop)),
    progress,
    troubles,
    announcer.status
  );
  set(root, { 'aria-label': 'A plan over a table' });
  el.replaceChildren(root);

  stop.addEventListener('click', () => {
    if (stop.getAttribute('aria-disabled') !== 'true') {
      set(stop, { 'aria-disabled': true });
      say(stop, 'Stopping…');
      send({ type: 'stop' });
    }
  });
  let told = '';
  return {
    show(state) {
      say(title, state.title);
      say(said, state.said);
      progress.max = Math.max(state.total, 1);
      progress.value = state.ended;
      stop.hidden = state.isOver;
      const lines = state.troubles.join('\n');
      if (lines !== told) {
        told = lines;
        troubles.replaceChildren(...state.troubles.map(line => make('li', '', line)));
      }
      troubles.hidden = !state.troubles.length;
      announcer.announce(`${state.ended} of ${state.total} rows`, state.isOver);
    },
    destroy: () => announcer.destroy()
  };
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const drawn = drawMap(el, message => model.send(message));
  const receive = (message: Message): void => {
    if (message.type === 'state' && message.state) {
      drawn.show(message.state);
    }
  };
  model.on('msg:custom', receive);
  model.send({ type: 'ready' });
  return () => {
    model.off('msg:custom', receive);
    drawn.destroy();
  };
}

export default { render };
