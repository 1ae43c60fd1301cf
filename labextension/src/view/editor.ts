/**
 * The plan inspector: a plan as a form. It decides nothing: each change goes to Python, which checks
 * it and sends the plan anew, or says at the field why it can't be.
 */
import { inflatedBase64 } from './changes';
import { drawRun, type Drawn } from './draw_run';
import { foreign, make, newPrefix, say, set } from './elements';
import { actionButton, drawEditorSteps, drawInsert, drawLine } from './editor_steps';
import type { Act, EditorState } from './editor_shapes';
import { drawPicture } from './picture';
import type { Delta } from './shapes';

export interface Editor {
  show(state: EditorState): void;
  refuse(id: number, message: string): void;
  say(message: string): void;
  run(message: Delta & { type: string; view?: object }): void;
  destroy(): void;
}

/** Draw an inspector into `el`; `send` carries what a person does to Python. */
export function drawEditor(el: HTMLElement, send: (message: unknown) => void): Editor {
  const uid = newPrefix();
  const root = make('section', 'view editor');
  set(root, { 'aria-label': 'Plan inspector' });
  const status = make('p', 'editor-status');
  set(status, { role: 'status' });
  const content = make('div', '');
  const runBox = make('div', 'editor-run');
  root.append(status, content, runBox);
  root.dataset['lmSuppressShortcuts'] = 'true';
  for (const type of ['keydown', 'keypress', 'keyup']) {
    root.addEventListener(type, event => event.stopPropagation());
  }
  el.replaceChildren(root);

  const open = new Set<string>();
  const asked = new Map<number, { key: string; index: number }>();
  let state: EditorState | null = null;
  let run: Drawn | null = null;
  let count = 0;

  const act: Act = (what, key, more = {}) => {
    const index = state?.steps.findIndex(step => step.place === more.place) ?? -1;
    asked.set(++count, { key, index });
    clearProblem(key);
    send({ type: 'do', what, id: count, hash: state?.hash ?? '', ...more });
  };

  function find(key: string): HTMLElement | undefined {
    return [...content.querySelectorAll<HTMLElement>('[data-key]')].find(each => each.dataset['key'] === key);
  }

  function problemOf(element: HTMLElement | undefined): HTMLElement | null {
    return element ? document.getElementById(`${element.id}-problem`) : null;
  }

  function clearProblem(key: string): void {
    const field = find(key);
    const problem = problemOf(field);
    field?.removeAttribute('aria-invalid');
    if (problem) {
      problem.hidden = true;
    }
  }

  function draw(now: EditorState): void {
    const { version } = now;
    const where = now.variables.length ? ` Held by ${now.variables.join(', ')};` : '';
    const runs = now.name ? ` %portia run ${now.name} runs it.` : '';
    const toolbar = make(
      'div',
      'editor-toolbar',
      actionButton('Undo', 'undo', () => act('undo', 'undo'), version.number > 1),
      actionButton('Redo', 'redo', () => act('redo', 'redo'), version.number < version.of),
      actionButton(`Approve ${now.hash}`, 'approve', () => act('approve', 'approve'), !now.approved),
      actionButton('Run', 'run', () => act('run', 'run')),
      actionButton('Done', 'close', () => act('close', 'close'))
    );
    set(toolbar, { role: 'group', 'aria-label': 'Plan' });
    const changes = make('ul', 'editor-changes');
    for (const [sign, text] of now.changes) {
      changes.append(foreignLine(sign, text));
    }
    const title = foreign('div', 'title', now.title);
    set(title, { role: 'heading', 'aria-level': 3 });
    const picture = make('div', 'editor-picture');
    content.replaceChildren(
      make('div', 'head', title),
      make('p', 'editor-facts', `Version ${version.number} of ${version.of} · plan ${now.hash}.${where}${runs}`),
      make('p', 'editor-facts editor-approval', now.approved ?? 'Not approved yet.'),
      foreign('p', 'editor-facts', now.needs.join(' ')),
      toolbar,
      drawLine('Change in words', 'Change', 'words', `${uid}-words`, text => act('words', 'words', { text })),
      make('div', 'body', drawEditorSteps(now, open, uid, act), picture),
      drawInsert('Add a step at the end', '', `${uid}-insert`, act),
      make('div', 'editor-difference', make('strong', '', 'What changed'), now.changes.length ? changes : make('p', '', 'Nothing so far.'))
    );
    if (now.picture) {
      void addPicture(picture, now.picture.deflated);
    }
  }

  async function addPicture(box: HTMLElement, deflated: string): Promise<void> {
    try {
      const text = await inflatedBase64(deflated);
      const select = (card: string): void => void card;
      box.replaceChildren(drawPicture(text, select).element);
    } catch (error) {
      console.warn('portia_nb: no picture:', error);
    }
  }

  return {
    show(now) {
      const active = document.activeElement as HTMLElement | null;
      const key = active && content.contains(active) ? active.dataset['key'] : undefined;
      const typed = active as HTMLInputElement | null;
      const isTyped = key !== undefined && typed?.value !== undefined && typed.value !== typed.dataset['was'];
      const keep = isTyped && ![...asked.values()].some(each => each.key === key) ? typed?.value : undefined;
      const moved = [...asked.values()].pop();
      const before = moved ? state?.steps[moved.index]?.place : undefined;
      const after = moved ? now.steps[moved.index]?.place : undefined;
      if (before && after && !now.steps.some(step => step.place === before) && open.delete(before)) {
        open.add(after);
      }
      state = now;
      draw(now);
      asked.clear();
      if (key === undefined) {
        return;
      }
      const renamed = before && after ? key.replace(`${before}|`, `${after}|`) : key;
      const found = find(key) ?? find(renamed) ?? find(renamed.replace(/\|(on|off)$/, flip));
      const focused = found ?? find('undo');
      focused?.focus({ preventScroll: true });
      if (keep !== undefined && found) {
        (found as HTMLInputElement).value = keep;
      }
    },
    refuse(id, message) {
      const key = asked.get(id)?.key ?? '';
      asked.delete(id);
      const field = find(key);
      const problem = problemOf(field);
      if (field && problem) {
        say(problem, message);
        problem.hidden = false;
        set(field, { 'aria-invalid': true });
      }
      say(status, `Not done: ${message}`);
    },
    say(message) {
      say(status, message);
    },
    run(message) {
      if (message.type === 'full' && message.view) {
        run?.destroy();
        run = drawRun(runBox, message.view, { send: each => send({ type: 'run', message: each }) });
      } else if (message.type === 'delta') {
        run?.update(message);
      }
    },
    destroy() {
      run?.destroy();
      root.remove();
    }
  };
}

function flip(found: string): string {
  return found === '|on' ? '|off' : '|on';
}

function foreignLine(sign: string, text: string): HTMLElement {
  const line = make('li', sign ? '' : 'editor-detail');
  line.append(sign ? `${sign} ` : '', foreign('span', '', text));
  return line;
}
