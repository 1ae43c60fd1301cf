/**
 * Draws one plan or one run: the list of steps, its picture, questions as forms, results.
 *
 * The view is a function of its JSON (`shapes.ts`). All text enters by `textContent`; nothing is
 * loaded from anywhere. Hosts: the widget (`index.ts`), and the JupyterLab extension, which shows
 * stored runs and has nobody to answer to.
 */
import { commandsFor, drawActions } from './action_buttons';
import { makeAnnouncer } from './announcer';
import { inflatedBase64, merge } from './changes';
import type { Actions } from './commands';
import { make, newPrefix } from './elements';
import { watchFocus } from './focus';
import { drawHead } from './head';
import type { MakePanel, Panel } from './panels';
import { drawPicture, type Picture } from './picture';
import { drawQuestions } from './questions';
import type { Delta, Host, View } from './shapes';
import { STATES, isGoingOn, lookOf } from './states';
import { drawStepList } from './step_list';
import { nameOf } from './words';

const TICK_MS = 200;

/** A view that stands. Call it, or its `destroy`, to remove it. */
export interface Drawn {
  (): void;
  /** What is shown, as it stands by now. */
  readonly view: View;
  update(delta: Delta): void;
  destroy(): void;
}

/**
 * Draw a plan or a run into `el`.
 *
 * @param el emptied first
 * @param given the view's JSON
 * @param host who hears `{type: "answer", id, value}` and `{type: "stop"}`
 * @param actions who takes the commands behind Retry, Fork and Why
 * @param makers draw what stands below: `PANELS`, or nothing where room is short
 * @throws Error where `given` is no view
 */
export function drawRun(
  el: HTMLElement,
  given: object,
  host?: Host,
  actions?: Actions,
  makers: MakePanel[] = []
): Drawn {
  const view = structuredClone(given) as View;
  if (!Array.isArray(view.steps)) {
    throw new Error('the view has no list of steps');
  }
  const uid = newPrefix();
  const skew = (view.now ?? Date.now() / 1000) * 1000 - Date.now();
  const sinceBegin = (): number | null => (view.began ? Date.now() + skew - view.began * 1000 : null);
  const isUnderWay = (): boolean => Boolean(host) && isGoingOn(view.state);
  const now = (): number | null => (isUnderWay() ? sinceBegin() : null);

  const root = make('section', 'view');
  const announcer = makeAnnouncer();
  const head = drawHead(view, host, actions);
  const questions = drawQuestions(root, uid, host, announcer.announce);
  let picture: Picture | null = null;
  const steps = drawStepList({
    view,
    uid,
    now,
    actionsFor: step => drawActions(commandsFor(view, step), actions),
    onState: (card, state) => picture?.show(card, state)
  });
  const body = make('div', 'body', steps.element);
  const context = {
    uid,
    host,
    sinceBegin,
    announce: announcer.announce,
    choose: (path: string) => steps.choose(step => step.path === path)
  };
  const panels = makers.map(draw => draw(view, context)).filter((made): made is Panel => made !== null);
  root.append(head.head, head.bar, announcer.status, questions.box, head.outcome, body);
  root.append(...panels.map(panel => panel.element));
  keepKeys(root);
  const giveBackFocus = watchFocus(root);

  let destroyed = false;
  let timer: ReturnType<typeof setInterval> | undefined;

  function tick(): void {
    steps.tick(now());
    head.tick(isUnderWay() ? now() : view.end ?? null);
  }

  function showHead(): void {
    root.dataset['kind'] = view.kind;
    root.setAttribute('aria-label', view.kind === 'run' ? 'Agent run' : 'Plan');
    head.show(view, isUnderWay());
    head.count(view, steps.finished, steps.count);
    if (isUnderWay() && timer === undefined) {
      timer = setInterval(tick, TICK_MS);
    } else if (!isUnderWay()) {
      clearInterval(timer);
      timer = undefined;
    }
    tick();
  }

  async function addPicture({ deflated }: NonNullable<View['picture']>): Promise<void> {
    const text = await inflatedBase64(deflated);
    if (destroyed) {
      return;
    }
    picture = drawPicture(text, card => steps.choose(step => step.el === card));
    for (const step of steps.all()) {
      if (step.el && step.state) {
        picture.show(step.el, step.state);
      }
    }
    body.append(picture.element);
    root.classList.add('portia-with-picture');
  }

  function changeHead(changed: NonNullable<Delta['head']>): void {
    const { state: before, kind } = view;
    merge(view, changed);
    if (view.kind !== kind) {
      steps.all().forEach(steps.show);
    }
    if (view.state !== before) {
      announcer.announce(`Run ${lookOf(view)[1]}`, !isGoingOn(view.state));
      head.letStop();
      steps.refresh();
    }
  }

  /** Change steps; return the path of the one that began last. */
  function changeSteps(changed: NonNullable<Delta['steps']>): string | undefined {
    let begun: string | undefined;
    for (const [path, its] of Object.entries(changed)) {
      let step = steps.step(path);
      if (!step) {
        step = { path };
        view.steps.push(step);
      }
      const before = step.state;
      merge(step, its);
      steps.show(step);
      if (step.state !== before) {
        begun = step.state === 'running' ? path : begun;
        announcer.announce(`${nameOf(step)} ${STATES[step.state ?? '']?.word ?? ''}`);
      }
    }
    return begun;
  }

  function update(delta: Delta): void {
    if (destroyed) {
      return;
    }
    if (delta.head) {
      changeHead(delta.head);
    }
    const begun = changeSteps(delta.steps ?? {});
    if (delta.head || delta.steps) {
      showHead();
      if (begun !== undefined) {
        steps.follow(begun);
      }
    }
    if (delta.questions) {
      view.questions = delta.questions;
      questions.show(delta.questions);
    }
    if (delta.refused) {
      questions.refuse(delta.refused.id, delta.refused.message);
    }
    panels.forEach(panel => panel.update(view, delta));
  }

  function destroy(): void {
    destroyed = true;
    clearInterval(timer);
    announcer.destroy();
    steps.destroy();
    panels.forEach(panel => panel.destroy?.());
    giveBackFocus();
    root.remove();
  }

  showHead();
  el.replaceChildren(root);
  questions.show(view.questions ?? []);
  if (view.picture) {
    // The list stands already; a picture that can't be had is no reason to show less.
    addPicture(view.picture).catch(error => console.warn('portia_nb: no picture:', error));
  }
  return Object.assign(destroy, { view, update, destroy });
}

/** A key typed here is no shortcut of the notebook's; Lumino asks for the attribute. */
function keepKeys(root: HTMLElement): void {
  root.dataset['lmSuppressShortcuts'] = 'true';
  for (const type of ['keydown', 'keypress', 'keyup']) {
    root.addEventListener(type, event => event.stopPropagation());
  }
}
