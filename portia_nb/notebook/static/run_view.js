// @ts-check
/**
 * Draws one plan or one run: the list of steps, its picture, questions as forms, results.
 *
 * The view is a function of its JSON (`portia_nb/notebook/view_state.py` says what is in it). All
 * text enters by `textContent`; nothing is loaded from anywhere. Hosts: the widget below, and the
 * JupyterLab extension, which shows stored runs and has nobody to answer to.
 *
 * @typedef {{columns: string[], rows: string[][], count?: number}} Table
 * @typedef {{text?: string, json?: string, table?: Table, cut?: string, summary?: string}} Output
 * @typedef {{type: string, message: string, step?: string, traceback?: string}} Failure
 * @typedef {{
 *   path: string, name?: string, el?: string, tool?: string, task?: string, why?: string,
 *   changes?: boolean, condition?: string, state?: string, attempt?: number, start?: number,
 *   end?: number, output?: Output, error?: Failure, reason?: string, calls?: string,
 *   model?: string, text?: string,
 * }} Step
 * @typedef {{name: string, text: string, cut?: string}} Detail
 * @typedef {{
 *   id: string, kind: string, text: string, step?: string, source?: string, argument?: string,
 *   options?: string[], url?: string, tool?: string, details?: Detail[], default?: string,
 * }} Question
 * @typedef {{
 *   format?: number, kind: 'plan' | 'run', id: string, title: string, scripted?: boolean,
 *   state?: string, began?: number | null, now?: number, end?: number, error?: Failure,
 *   next?: string, final?: Output, steps: Step[], questions?: Question[],
 *   picture?: {deflated: string},
 * }} View
 * @typedef {{[key: string]: unknown}} Changes
 * @typedef {{
 *   head?: Changes, steps?: {[path: string]: Changes}, questions?: Question[],
 *   refused?: {id: string, message: string},
 * }} Delta
 * @typedef {{send(message: unknown): void}} Host
 * @typedef {{(): void, update(delta: Delta): void, destroy(): void}} Drawn
 * @typedef {{
 *   send(message: unknown): void,
 *   on(event: string, handler: (message: any, buffers?: any) => void): void,
 *   off(event: string, handler: (message: any, buffers?: any) => void): void,
 * }} Model
 */

const SVG = 'http://www.w3.org/2000/svg';
const LONG_LIST = 40;
const MANY_CARDS = 80;
const OFFSCREEN = 400;
const NEXT_FRAME_MS = 20;
const TICK_MS = 200;
const ANNOUNCE_MS = 600;
const FOLLOW_MS = 400;

/** Each state: its word, and its icon's paths in a box of 22 around (0, 0). `m` marks are cut out. */
const STATES = /** @type {{[state: string]: {word: string, icon: [string, string][]}}} */ ({
  waiting: { word: 'waiting', icon: [['dash', 'M0-8a8 8 0 1 1 0 16a8 8 0 1 1 0-16Z']] },
  running: {
    word: 'running',
    icon: [['ring', 'M0-8.6a8.6 8.6 0 1 1 0 17.2a8.6 8.6 0 1 1 0-17.2Z'], ['fill', 'M-2.6-4.4L4.6 0L-2.6 4.4Z']]
  },
  done: {
    word: 'done',
    icon: [['fill', 'M0-9.6a9.6 9.6 0 1 1 0 19.2a9.6 9.6 0 1 1 0-19.2Z'], ['mark', 'M-4.4.3L-1.3 3.4L4.5-3']]
  },
  failed: {
    word: 'failed',
    icon: [['fill', 'M-4-9.6H4L9.6-4V4L4 9.6H-4L-9.6 4V-4Z'], ['mark', 'M-3.3-3.3L3.3 3.3M3.3-3.3L-3.3 3.3']]
  },
  asking: {
    word: 'needs you',
    icon: [
      ['fill', 'M-7-9.5H7a2.5 2.5 0 0 1 2.5 2.5V3a2.5 2.5 0 0 1-2.5 2.5H0L-5 10V5.5H-7a2.5 2.5 0 0 1-2.5-2.5V-7a2.5 2.5 0 0 1 2.5-2.5Z'],
      ['mark', 'M-2.5-4.6a2.6 2.6 0 1 1 3.7 2.4Q0-1.6 0-.6M0 2.4V2.5']
    ]
  },
  skipped: { word: 'skipped', icon: [['line', 'M-6.5-5.5L-1 0L-6.5 5.5M1-5.5L6.5 0L1 5.5']] },
  stopped: {
    word: 'stopped',
    icon: [['fill', 'M-6-8.5H6a2.5 2.5 0 0 1 2.5 2.5V6a2.5 2.5 0 0 1-2.5 2.5H-6a2.5 2.5 0 0 1-2.5-2.5V-6a2.5 2.5 0 0 1 2.5-2.5Z'], ['mark', 'M-3-3H3V3H-3Z']]
  },
  uncertain: {
    word: 'uncertain',
    icon: [['fill', 'M0-9.5L10 8.5H-10Z'], ['mark', 'M0-3V2.6M0 6V6.1']]
  }
});

/** A run's state by the step state that looks like it, and its own word where that differs. */
const RUN_STATES = /** @type {{[state: string]: [string, string]}} */ ({
  PLANNED: ['waiting', 'plan'],
  NOT_STARTED: ['waiting', 'not started'],
  IN_PROGRESS: ['running', 'running'],
  NEED_CLARIFICATION: ['asking', 'needs you'],
  READY_TO_RESUME: ['stopped', 'stopped'],
  COMPLETE: ['done', 'done'],
  FAILED: ['failed', 'failed']
});
const UNDER_WAY = ['IN_PROGRESS', 'NEED_CLARIFICATION'];

let views = 0;

// -- small things --------------------------------------------------------------------------------

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className without its prefix; `''` for none
 * @param {...(string | Node | null | undefined)} children strings become text
 * @returns {HTMLElementTagNameMap[K]}
 */
function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) {
    made.className = className.replace(/\S+/g, 'portia-$&');
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== '') {
      made.append(child);
    }
  }
  return made;
}

/** Text that others wrote: its own direction must not turn what stands beside it.
 * @param {'span' | 'p' | 'div' | 'pre' | 'td' | 'th'} tag
 * @param {string} className
 * @param {string} text */
function foreign(tag, className, text) {
  const made = make(tag, className, text);
  made.dir = 'auto';
  return made;
}

/** @param {Element} element @param {{[name: string]: string | number | boolean}} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
}

/** @param {string} state */
function icon(state) {
  const drawn = document.createElementNS(SVG, 'svg');
  set(drawn, { viewBox: '-11 -11 22 22', class: 'portia-icon', 'aria-hidden': 'true' });
  for (const [kind, d] of STATES[state]?.icon ?? []) {
    const path = document.createElementNS(SVG, 'path');
    set(path, { d, class: `portia-icon-${kind}` });
    drawn.append(path);
  }
  return drawn;
}

/** @param {number} ms */
function duration(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60);
  const pad = (/** @type {number} */ n) => String(n).padStart(2, '0');
  return minutes < 60
    ? `${minutes} min ${pad(whole % 60)} s`
    : `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** @param {Element} element @param {string} text */
function say(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** @param {Step} step */
const nameOf = step => step.name ?? step.path;

/** @param {BlobPart} bytes what zlib wrote */
function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).text();
}

// -- outputs -------------------------------------------------------------------------------------

/** @param {Output} output */
function drawOutput(output) {
  const box = make('div', 'output');
  if (output.summary) {
    box.append(foreign('p', 'summary', output.summary));
  }
  if (output.table) {
    const head = make('tr', '', ...output.table.columns.map(name => foreign('th', '', name)));
    const rows = output.table.rows.map(row =>
      make('tr', '', ...row.map(cell => foreign('td', '', cell)))
    );
    head.querySelectorAll('th').forEach(cell => set(cell, { scope: 'col' }));
    const table = make('table', '', make('thead', '', head), make('tbody', '', ...rows));
    box.append(scrolling(make('div', 'table', table), 'Output as a table'));
  } else if (output.json !== undefined) {
    box.append(scrolling(make('pre', 'json', output.json), 'Output as JSON'));
  } else if (output.text !== undefined) {
    box.append(scrolling(foreign('pre', 'text', output.text), 'Output'));
  }
  if (output.cut) {
    box.append(make('p', 'note', `… ${output.cut}`));
  }
  return box;
}

/** What may scroll must be reachable by keyboard.
 * @template {HTMLElement} E
 * @param {E} element @param {string} label @returns {E} */
function scrolling(element, label) {
  set(element, { tabindex: 0, role: 'group', 'aria-label': label });
  return element;
}

/** One line that tells what a step put out.
 * @param {Output} output */
function preview(output) {
  if (output.summary) {
    return output.summary;
  }
  if (output.table) {
    const { rows, columns, count = rows.length } = output.table;
    return `${count.toLocaleString('en')} ${count === 1 ? 'row' : 'rows'}: ${columns.join(', ')}`;
  }
  return (output.text ?? output.json ?? output.cut ?? '').slice(0, 300).replace(/\s+/g, ' ').trim();
}

/** @param {Failure} failure */
function drawFailure(failure) {
  const box = make(
    'div',
    'failure',
    make('strong', '', failure.type),
    foreign('div', 'message', failure.message)
  );
  if (failure.traceback) {
    box.append(scrolling(make('pre', 'text', failure.traceback), 'Traceback'));
  }
  return box;
}

// -- the picture ---------------------------------------------------------------------------------

const SVG_ELEMENTS = new Set('svg defs g marker path rect circle use text tspan title'.split(' '));
const SVG_ATTRIBUTES = new Set(
  ('xmlns id class role aria-label href transform d fill fill-opacity stroke stroke-width ' +
    'stroke-dasharray stroke-linecap stroke-linejoin viewBox marker-end font-family font-size ' +
    'font-weight text-anchor textLength lengthAdjust orient markerUnits markerWidth markerHeight ' +
    'refX refY x y width height r rx cx cy').split(' ')
);
/** The picture's fixed colours outside of states, and the theme's in their place. */
const INKS = /** @type {{[colour: string]: string}} */ ({
  '#1f2328': 'ink',
  '#57606a': 'dim',
  '#7d8793': 'line',
  '#9aa4b0': 'line',
  '#f6f8fa': 'waiting-tint',
  '#fbfcfd': 'soft',
  '#eef1f5': 'soft'
});

/** Parse our own SVG, and take nothing in it that we never draw.
 * @param {string} text @param {string} prefix makes its ids this view's own */
function readPicture(text, prefix) {
  const root = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  for (const element of [root, ...root.querySelectorAll('*')]) {
    if (element.namespaceURI !== SVG || !SVG_ELEMENTS.has(element.localName)) {
      throw new Error(`the picture holds an element that is never drawn: ${element.localName}`);
    }
    for (const { name, value } of [...element.attributes]) {
      const local = name === 'href' ? value.startsWith('#') : !/url\((?!#)/i.test(value);
      if (!SVG_ATTRIBUTES.has(name) || !local) {
        throw new Error(`the picture holds an attribute that is never drawn: ${name}`);
      }
    }
  }
  for (const element of root.querySelectorAll('[id]')) {
    element.id = prefix + element.id;
  }
  for (const element of root.querySelectorAll('[href]')) {
    element.setAttribute('href', `#${prefix}${(element.getAttribute('href') ?? '').slice(1)}`);
  }
  for (const element of root.querySelectorAll('[marker-end]')) {
    const end = element.getAttribute('marker-end') ?? '';
    element.setAttribute('marker-end', end.replace('#', `#${prefix}`));
  }
  return /** @type {SVGSVGElement} */ (/** @type {Element} */ (document.importNode(root, true)));
}

/** Put the theme's colours in the place of the fixed ones; the picture stays readable without.
 * @param {SVGSVGElement} picture */
function followTheme(picture) {
  for (const look of picture.querySelectorAll('defs > g[id]')) {
    const state = /-([a-z]+)$/.exec(look.id)?.[1] ?? '';
    const ink = look.querySelector(':scope > text')?.getAttribute('fill');
    const tint = look.querySelector(':scope > rect')?.getAttribute('fill');
    if (!(state in STATES)) {
      continue;
    }
    for (const part of look.querySelectorAll('*')) {
      for (const paint of ['fill', 'stroke']) {
        const colour = part.getAttribute(paint);
        const name =
          colour === ink ? state : colour === tint ? `${state}-tint` : colour === '#fff' ? 'mark' : '';
        if (colour && name) {
          /** @type {SVGElement} */ (part).style.setProperty(paint, `var(--portia-${name})`);
        }
      }
    }
  }
  for (const part of [picture, ...picture.querySelectorAll('[fill], [stroke]')]) {
    for (const paint of ['fill', 'stroke']) {
      const name = INKS[part.getAttribute(paint) ?? ''];
      if (name) {
        /** @type {SVGElement} */ (part).style.setProperty(paint, `var(--portia-${name})`);
      }
    }
  }
}

/** Paint no card that is out of sight: every change repaints all that isn't hidden.
 * @param {HTMLElement} box what scrolls @param {SVGSVGElement} picture @param {number} width
 * @param {{group: SVGElement, x: number, y: number}[]} cards */
function hideOffscreen(box, picture, width, cards) {
  let frame = 0;
  const hide = () => {
    frame = 0;
    const seen = box.getBoundingClientRect();
    const whole = picture.getBoundingClientRect();
    const scale = whole.width / width || 1;
    const left = (seen.left - whole.left) / scale - OFFSCREEN;
    const top = (seen.top - whole.top) / scale - OFFSCREEN;
    const right = (seen.right - whole.left) / scale + OFFSCREEN;
    const bottom = (seen.bottom - whole.top) / scale + OFFSCREEN;
    for (const { group, x, y } of cards) {
      group.style.display = x < left || x > right || y < top || y > bottom ? 'none' : '';
    }
  };
  const later = () => {
    frame ||= requestAnimationFrame(hide);
  };
  box.addEventListener('scroll', later, { passive: true });
  new ResizeObserver(later).observe(box);
}

/** @param {string} text @param {(el: string) => void} choose called with the id of a clicked card */
function drawPicture(text, choose) {
  const prefix = `portia${++views}-`;
  const picture = readPicture(text, prefix);
  followTheme(picture);
  // A card's id in the file is the prefix "p" and the id that steps name in `el`.
  const start = `${prefix}p`;
  /** @type {Map<string, {group: SVGElement, use: Element | null, x: number, y: number}>} */
  const cards = new Map();
  for (const group of /** @type {NodeListOf<SVGElement>} */ (picture.querySelectorAll(':scope > g[id]'))) {
    const [x = NaN, y = NaN] = (group.getAttribute('transform')?.match(/-?[\d.]+/g) ?? []).map(Number);
    cards.set(group.id.slice(start.length), { group, use: group.querySelector('use'), x, y });
  }
  const width = Number(picture.getAttribute('width'));
  picture.style.setProperty('--portia-width', `${width}px`);
  // The list beside it says the same in words.
  picture.addEventListener('click', event => {
    const group = /** @type {Element} */ (event.target).closest('svg > g[id]');
    if (group) {
      choose(group.id.slice(start.length));
    }
  });
  const box = scrolling(make('div', 'picture'), 'Picture of the plan');
  box.append(picture);
  if (cards.size > MANY_CARDS) {
    hideOffscreen(box, picture, width, [...cards.values()]);
  }
  /** @type {Map<string, string>} */
  const waiting = new Map();
  const showAll = () => {
    for (const [el, state] of waiting) {
      const card = cards.get(el);
      if (card && card.group.getAttribute('class') !== state) {
        card.group.setAttribute('class', state);
        const href = card.use?.getAttribute('href') ?? '';
        card.use?.setAttribute('href', href.replace(/[a-z]+$/, state));
      }
    }
    waiting.clear();
  };
  return {
    box,
    /** @param {string} el @param {string} state */
    show(el, state) {
      if (!waiting.size) {
        // A large picture follows the list one frame later, so that neither frame is a long one.
        setTimeout(showAll, cards.size > MANY_CARDS ? NEXT_FRAME_MS : 0);
      }
      waiting.set(el, state);
    }
  };
}

// -- steps ---------------------------------------------------------------------------------------

/** @param {Step} step @param {number} number @param {string} id of the part that unfolds */
function drawStep(step, number, id) {
  const shape = make('span', 'shape');
  const name = make('span', 'name', foreign('span', '', nameOf(step)));
  const tool = foreign('span', 'tool', step.tool ?? '');
  const attempt = make('span', 'attempt');
  const word = make('span', 'word');
  const time = make('span', 'time');
  const row = make(
    'button', 'row',
    make('span', 'number', number ? String(number) : ''), shape, name, tool,
    step.changes ? make('span', 'changes', 'changes something') : null,
    make('span', 'fill'), attempt, word, time, make('span', 'chevron')
  );
  row.type = 'button';
  set(row, { 'aria-expanded': false, 'aria-controls': id });
  const line = foreign('div', 'line', '');
  const why = make('div', 'why');
  const stream = make('div', 'stream');
  const more = make('div', 'more');
  more.id = id;
  more.hidden = true;
  const item = make('li', 'step', row, line, why, stream, more);
  let current = step;
  let shownState = 'undrawn';

  function drawMore() {
    const parts = [];
    if (current.task) {
      parts.push(foreign('p', 'task', current.task));
    }
    if (current.condition) {
      parts.push(foreign('p', 'note', `only if: ${current.condition}`));
    }
    if (current.why && !why.textContent) {
      parts.push(make('p', 'note', current.why));
    }
    if (current.model) {
      parts.push(make('p', 'note', `model: ${current.model}`));
    }
    if (current.error) {
      parts.push(drawFailure(current.error));
    }
    if (current.reason) {
      parts.push(foreign('p', 'note', current.reason));
    }
    if (current.text) {
      parts.push(scrolling(foreign('pre', 'text', current.text), 'Text that the model is writing'));
    }
    if (current.output) {
      parts.push(drawOutput(current.output));
    }
    if (!parts.length) {
      parts.push(make('p', 'note', 'Nothing more to show yet.'));
    }
    more.replaceChildren(...parts);
  }

  /** @param {boolean} open */
  function unfold(open) {
    more.hidden = !open;
    row.setAttribute('aria-expanded', String(open));
    item.classList.toggle('portia-open', open);
    if (open) {
      drawMore();
    }
  }
  row.addEventListener('click', () => unfold(more.hidden));

  return {
    item,
    unfold,
    row,
    get step() {
      return current;
    },
    /** @param {Step} next @param {string} state `''`: a step of a plan that doesn't run */
    show(next, state) {
      current = next;
      if (state !== shownState) {
        shownState = state;
        item.dataset['state'] = state || 'waiting';
        shape.replaceChildren(icon(state || 'waiting'));
        say(word, STATES[state]?.word ?? '');
      }
      say(why, state === '' || state === 'waiting' ? next.why ?? '' : '');
      say(attempt, (next.attempt ?? 1) > 1 ? `attempt ${next.attempt}` : '');
      const said =
        state === 'failed' || next.error
          // A bare `'b'` says nothing: a KeyError's message is the key.
          ? next.error ? `${next.error.type}: ${next.error.message}` : ''
          : next.output ? preview(next.output)
          : next.reason ?? (next.calls ? `calls ${next.calls}` : next.task ?? '');
      line.classList.toggle('portia-result', Boolean(next.output));
      say(line, said.slice(0, 300));
      // While it is folded, the end of what a model writes is seen below the row.
      say(stream, next.text ? next.text.slice(-400) : '');
      if (next.text) {
        stream.scrollTop = stream.scrollHeight;
      }
      if (!more.hidden) {
        drawMore();
      }
    },
    /** @param {number | null} nowMs milliseconds after the run began; null: nothing ticks */
    tick(nowMs) {
      const { start, end, state } = current;
      const until = end ?? (state === 'running' ? nowMs : null);
      const known = start !== undefined && until !== null && until !== undefined;
      say(time, known ? duration(until - start) : '');
    }
  };
}

// -- questions -----------------------------------------------------------------------------------

const YES_NO = /** @type {{[kind: string]: [string, string]}} */ ({
  confirm: ['Yes, use this value', 'No'],
  verify: ['Yes, go on', 'No, stop'],
  approve: ['Approve', 'Refuse']
});

/** @param {Question} question @param {string} id @param {Host | undefined} host */
function drawQuestion(question, id, host) {
  const form = make('form', 'question');
  form.noValidate = true;
  form.tabIndex = -1;
  const problem = make('p', 'problem');
  set(problem, { id: `${id}-problem`, role: 'alert' });
  const approved = question.tool ? `Approve a call of ${question.tool}` : 'Approve this plan';
  const who = question.kind === 'approve' ? approved : 'Needs you';
  const asker = question.step ?? question.source;
  const legend = make('legend', '', icon('asking'), make('span', '', asker ? `${who} · ${asker}` : who));
  const fields = make('fieldset', '', legend, foreign('p', 'guidance', question.text));
  form.append(fields);
  if (question.details?.length) {
    const list = make('dl', 'details');
    for (const { name, text, cut } of question.details) {
      const value = scrolling(make('pre', 'text', text), `Value of ${name}`);
      list.append(make('dt', '', name), make('dd', '', value, cut ? make('p', 'note', cut) : null));
    }
    fields.append(list);
  }
  /** @type {{value: unknown}[]} */
  const sent = [];
  /** @type {() => unknown} undefined: not answered yet */
  let read = () => true;
  /** @type {HTMLElement} */
  let first = form;
  const buttons = make('div', 'buttons');

  /** @param {string} label @param {string} className */
  const button = (label, className) => {
    const made = make('button', `button ${className}`, label);
    made.type = 'submit';
    buttons.append(made);
    return made;
  };

  if (question.kind === 'choice') {
    const options = (question.options ?? []).map((label, index) => {
      const radio = make('input', '');
      set(radio, { type: 'radio', name: id, value: index, 'aria-describedby': problem.id });
      return make('label', 'option', radio, foreign('span', '', label));
    });
    fields.append(make('div', 'options', ...options));
    const radios = /** @type {HTMLInputElement[]} */ ([...fields.querySelectorAll('input')]);
    first = radios[0] ?? form;
    read = () => {
      const index = radios.findIndex(radio => radio.checked);
      return index < 0 ? undefined : { option: index };
    };
    button('Answer', 'primary');
  } else if (question.kind in YES_NO) {
    const [yes, no] = YES_NO[question.kind] ?? ['Yes', 'No'];
    const agree = button(yes, 'primary');
    const refuse = button(no, '');
    agree.value = 'yes';
    refuse.value = 'no';
    // Enter on a fresh form must not approve a call that nobody has read.
    first = question.kind === 'approve' ? form : agree;
  } else if (question.kind === 'action') {
    fields.append(link(question.url ?? ''));
    first = button('Done', 'primary');
  } else {
    const input = make('input', 'input');
    input.type = 'text';
    input.autocomplete = 'off';
    set(input, { 'aria-describedby': problem.id });
    const label = make('label', 'field', make('span', '', question.argument ?? 'Your answer'), input);
    fields.append(label);
    read = () => (input.value === '' && question.default === undefined ? undefined : input.value);
    first = input;
    button('Answer', 'primary');
  }
  if (question.default !== undefined) {
    const use = question.kind === 'input' ? 'Leave it empty for' : 'Where nobody can be asked, the answer is';
    fields.append(foreign('p', 'note', `${use} ${question.default}.`));
  }
  fields.append(problem);
  if (host) {
    fields.append(buttons);
  }

  /** @param {boolean} busy */
  function wait(busy) {
    form.classList.toggle('portia-sent', busy);
    form.setAttribute('aria-busy', String(busy));
    for (const each of buttons.querySelectorAll('button')) {
      each.setAttribute('aria-disabled', String(busy));
    }
  }
  form.addEventListener('submit', event => {
    event.preventDefault();
    if (sent.length || !host) {
      return;
    }
    const pressed = /** @type {HTMLButtonElement | null} */ (event.submitter);
    const value = question.kind in YES_NO ? pressed?.value === 'yes' : read();
    if (value === undefined) {
      refuse(question.kind === 'choice' ? 'Choose one of the options.' : 'Write an answer first.');
      return;
    }
    sent.push({ value });
    say(problem, '');
    first.removeAttribute('aria-invalid');
    wait(true);
    host.send({ type: 'answer', id: question.id, value });
  });

  /** @param {string} message */
  function refuse(message) {
    sent.length = 0;
    wait(false);
    say(problem, message);
    if (first instanceof HTMLInputElement) {
      first.setAttribute('aria-invalid', 'true');
    }
    first.focus();
  }
  return { form, refuse, focus: () => first.focus() };
}

/** The whole address is shown; it is a link only if it leads where links may.
 * @param {string} address */
function link(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    url = null;
  }
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return foreign('p', 'address', address);
  }
  // `href` of a URL is ASCII: a look-alike host name is seen for what it is.
  const made = make('a', 'address', url.href);
  set(made, { href: url.href, target: '_blank', rel: 'noopener noreferrer' });
  return made;
}

/** True while a person writes somewhere, where focus must stay.
 * @param {Element | null} active @param {Element} view */
function isTyping(active, view) {
  return Boolean(
    active && !view.contains(active) &&
      (active.matches('input, textarea, select') || active.closest('[contenteditable="true"], .cm-editor'))
  );
}

// -- the whole -----------------------------------------------------------------------------------

/**
 * Draw a plan or a run into `el`.
 *
 * @param {HTMLElement} el emptied first
 * @param {object} given the view's JSON
 * @param {Host} [host] who hears `{type: "answer", id, value}` and `{type: "stop"}`
 * @returns {Drawn} call it, or its `destroy`, to remove the view; `update` applies a delta
 */
export function drawRun(el, given, host) {
  const view = /** @type {View} */ (structuredClone(given));
  if (!Array.isArray(view.steps)) {
    throw new Error('the view has no list of steps');
  }
  const uid = `portia${++views}`;
  const skew = (view.now ?? Date.now() / 1000) * 1000 - Date.now();
  let destroyed = false;

  const badge = make('span', 'state');
  const title = foreign('div', 'title', view.title);
  set(title, { role: 'heading', 'aria-level': 3 });
  const count = make('span', 'count');
  const elapsed = make('span', 'time');
  const scripted = make('span', 'scripted', 'scripted model');
  const stop = make('button', 'button stop', 'Stop');
  stop.type = 'button';
  const bar = make('div', 'bar', make('div', ''));
  const facts = make('div', 'facts', count, elapsed, scripted, stop);
  const head = make('div', 'head', badge, title, facts);
  const status = make('div', 'hidden');
  set(status, { role: 'status', 'aria-live': 'polite' });
  const questionBox = make('div', 'questions');
  const outcome = make('div', 'outcome');
  const list = make('ol', 'steps');
  set(list, { role: 'list', 'aria-label': 'Steps' });
  const body = make('div', 'body', list);
  const root = make('section', 'view', head, bar, status, questionBox, outcome, body);
  // A key typed here is no shortcut of the notebook's; Lumino asks for this attribute.
  root.dataset['lmSuppressShortcuts'] = 'true';
  for (const type of ['keydown', 'keypress', 'keyup']) {
    root.addEventListener(type, event => event.stopPropagation());
  }

  /** @type {Map<string, ReturnType<typeof drawStep>>} */
  const rows = new Map();
  /** @type {Map<string, ReturnType<typeof drawQuestion>>} */
  const questions = new Map();
  /** @type {Map<string, string>} */
  const states = new Map();
  /** @type {Set<ReturnType<typeof drawStep>>} */
  const ticking = new Set();
  /** @type {ReturnType<typeof drawPicture> | null} */
  let picture = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  /** @type {string[]} */
  const news = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let announcer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let follower;
  /** @type {ReturnType<typeof drawStep> | undefined} */
  let latest;
  let finished = 0;
  let shownOutcome = '';

  /** @param {string} text */
  function announce(text) {
    news.push(text);
    announcer ??= setTimeout(() => {
      announcer = undefined;
      say(status, news.slice(-4).join('. '));
      news.length = 0;
    }, ANNOUNCE_MS);
  }

  const sinceBegin = () => (view.began ? Date.now() + skew - view.began * 1000 : null);
  const isUnderWay = () => Boolean(host) && UNDER_WAY.includes(view.state ?? '');

  function tick() {
    const now = isUnderWay() ? sinceBegin() : null;
    for (const row of ticking) {
      row.tick(now);
    }
    const until = isUnderWay() ? now : view.end ?? null;
    say(elapsed, until === null ? '' : duration(until));
  }

  function keepTicking() {
    if (isUnderWay() && timer === undefined) {
      timer = setInterval(tick, TICK_MS);
    } else if (!isUnderWay() && timer !== undefined) {
      clearInterval(timer);
      timer = undefined;
    }
    tick();
  }

  /** @param {Step} step */
  const stateOf = step => step.state ?? (view.kind === 'run' ? 'waiting' : '');

  /**
   * Where one run of a step inside another stands: below that step's row and what is below it already.
   * @param {string} path
   */
  function lastInside(path) {
    const isInside = (/** @type {string} */ inner, /** @type {string} */ outer) =>
      inner.startsWith(outer) && /^[[/]/.test(inner.slice(outer.length));
    const known = [...rows.keys()].filter(each => each !== path);
    const outer = known.filter(each => isInside(path, each)).reduce((a, b) => (b.length > a.length ? b : a), '');
    let last = rows.get(outer)?.item;
    for (const each of known) {
      const item = rows.get(each)?.item;
      if (last && item && isInside(each, outer) && last.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING) {
        last = item;
      }
    }
    return last;
  }

  /** @param {Step} step */
  function showStep(step) {
    let row = rows.get(step.path);
    if (!row) {
      const isTop = step.el !== undefined;
      row = drawStep(step, isTop ? rows.size + 1 : 0, `${uid}-more${rows.size}`);
      rows.set(step.path, row);
      const after = isTop ? undefined : lastInside(step.path);
      row.item.classList.toggle('portia-inner', !isTop);
      if (after) {
        after.after(row.item);
      } else {
        list.append(row.item);
      }
    }
    const before = states.get(step.path) ?? '';
    const state = stateOf(step);
    row.show(step, state);
    if (state !== before) {
      states.set(step.path, state);
      finished += Number(isOver(state)) - Number(isOver(before));
      if (step.el) {
        picture?.show(step.el, state || 'waiting');
      }
      if (state === 'running') {
        ticking.add(row);
      } else {
        ticking.delete(row);
      }
    }
    row.tick(isUnderWay() ? sinceBegin() : null);
    return row;
  }

  function showHead() {
    const [looks, word] = RUN_STATES[view.kind === 'plan' && !view.state ? 'PLANNED' : view.state ?? ''] ??
      ['waiting', view.state ?? ''];
    root.dataset['kind'] = view.kind;
    root.setAttribute('aria-label', view.kind === 'run' ? 'Agent run' : 'Plan');
    if (badge.dataset['state'] !== looks || badge.textContent !== word) {
      badge.dataset['state'] = looks;
      badge.replaceChildren(make('span', 'shape', icon(looks)), make('span', '', word));
    }
    stop.hidden = !isUnderWay();
    scripted.hidden = !view.scripted;
    const ended = JSON.stringify([view.error, view.final, view.next, isUnderWay()]);
    if (ended !== shownOutcome) {
      shownOutcome = ended;
      const parts = [];
      if (view.error) {
        parts.push(drawFailure(view.error));
      }
      if (view.final) {
        parts.push(make('div', 'result', make('strong', '', 'Result'), drawOutput(view.final)));
      }
      // Under way, the form itself is what goes on.
      if (view.next && !isUnderWay()) {
        parts.push(make('p', 'next', view.next));
      }
      outcome.replaceChildren(...parts);
    }
  }

  function showCount() {
    const total = rows.size;
    const plain = `${total} ${total === 1 ? 'step' : 'steps'}`;
    say(count, view.kind === 'plan' && !view.state ? plain : `${finished} of ${plain}`);
    const done = total ? finished / total : 0;
    /** @type {HTMLElement} */ (bar.firstElementChild).style.transform = `scaleX(${done})`;
  }

  function showQuestions() {
    const wanted = new Map((view.questions ?? []).map(question => [question.id, question]));
    for (const [id, drawn] of questions) {
      if (!wanted.has(id)) {
        // Focus must not fall back to the page's beginning.
        const hadFocus = drawn.form.contains(document.activeElement);
        drawn.form.remove();
        questions.delete(id);
        if (hadFocus) {
          root.tabIndex = -1;
          root.focus({ preventScroll: true });
        }
      }
    }
    for (const [id, question] of wanted) {
      if (!questions.has(id)) {
        const drawn = drawQuestion(question, `${uid}-question${questions.size}-${id}`, host);
        questions.set(id, drawn);
        questionBox.append(drawn.form);
        announce(`Question: ${question.text.slice(0, 200)}`);
        const busy = [...questions.values()].some(q => q !== drawn && q.form.contains(document.activeElement));
        if (host && el.isConnected && !busy && !isTyping(document.activeElement, root)) {
          drawn.focus();
        }
      }
    }
  }

  /** Keep the step that began last in sight, unless somebody reads elsewhere in the list.
   * @param {ReturnType<typeof drawStep> | undefined} row */
  function follow(row) {
    if (!row || rows.size <= LONG_LIST) {
      return;
    }
    latest = row;
    follower ??= setTimeout(() => {
      follower = undefined;
      if (latest && !list.matches(':hover, :focus-within')) {
        list.scrollTop = latest.item.offsetTop - list.clientHeight / 2;
      }
    }, FOLLOW_MS);
  }

  /** @param {string} el */
  function choose(el) {
    const row = [...rows.values()].find(each => each.step.el === el);
    row?.unfold(true);
    row?.row.focus();
  }

  stop.addEventListener('click', () => {
    if (stop.getAttribute('aria-disabled') !== 'true') {
      stop.setAttribute('aria-disabled', 'true');
      say(stop, 'Stopping…');
      host?.send({ type: 'stop' });
    }
  });

  for (const step of view.steps) {
    showStep(step);
  }
  list.classList.toggle('portia-long', view.steps.length > LONG_LIST);
  if (view.steps.length > LONG_LIST) {
    scrolling(list, 'Steps').setAttribute('role', 'list');
  }
  showHead();
  showCount();
  keepTicking();
  el.replaceChildren(root);
  showQuestions();
  if (view.picture) {
    // The list stands already; a picture that can't be had is no reason to show less.
    const bytes = Uint8Array.from(atob(view.picture.deflated), char => char.charCodeAt(0));
    inflated(bytes).then(text => {
      if (destroyed) {
        return;
      }
      picture = drawPicture(text, choose);
      for (const { step } of rows.values()) {
        if (step.el && step.state) {
          picture.show(step.el, step.state);
        }
      }
      body.append(picture.box);
      root.classList.add('portia-with-picture');
    }).catch(error => console.warn('portia_nb: no picture:', error));
  }

  /** @param {Delta} delta */
  function update(delta) {
    if (destroyed) {
      return;
    }
    if (delta.head) {
      const { state: before, kind } = view;
      merge(view, delta.head);
      if (view.kind !== kind) {
        // A plan's steps have no state; a run's wait.
        [...rows.values()].forEach(row => showStep(row.step));
      }
      if (view.state !== before) {
        announce(`Run ${RUN_STATES[view.state ?? '']?.[1] ?? ''}`);
        set(stop, { 'aria-disabled': false });
        say(stop, 'Stop');
      }
    }
    /** @type {ReturnType<typeof drawStep> | undefined} */
    let begun;
    for (const [path, changed] of Object.entries(delta.steps ?? {})) {
      let step = rows.get(path)?.step;
      if (!step) {
        step = { path };
        view.steps.push(step);
      }
      const before = step.state;
      merge(step, changed);
      const row = showStep(step);
      if (step.state !== before) {
        begun = step.state === 'running' ? row : begun;
        announce(`${nameOf(step)} ${STATES[step.state ?? '']?.word ?? ''}`);
      }
    }
    if (delta.questions) {
      view.questions = delta.questions;
    }
    if (delta.head || delta.steps) {
      showHead();
      showCount();
      keepTicking();
      follow(begun);
    }
    if (delta.questions) {
      showQuestions();
    }
    if (delta.refused) {
      questions.get(delta.refused.id)?.refuse(delta.refused.message);
    }
  }

  function destroy() {
    destroyed = true;
    clearInterval(timer);
    clearTimeout(announcer);
    clearTimeout(follower);
    root.remove();
  }
  return Object.assign(destroy, { update, destroy });
}

/** @param {string} state */
const isOver = state => state === 'done' || state === 'skipped';

/** Null takes a key away; `more_text` goes to the end of `text`.
 * @param {{[key: string]: any}} target @param {Changes} changed */
function merge(target, changed) {
  for (const [key, value] of Object.entries(changed)) {
    if (key === 'more_text') {
      target['text'] = (target['text'] ?? '') + String(value);
    } else if (value === null) {
      delete target[key];
    } else {
      target[key] = value;
    }
  }
}

// -- the widget ----------------------------------------------------------------------------------

/**
 * Wire an anywidget model to `drawRun`: Python sends `{type: "full", view}` when asked by
 * `{type: "ready"}`, then `{type: "delta", …}`; long ones come deflated, as `{type: "packed"}`.
 *
 * @param {{model: Model, el: HTMLElement}} context
 */
function render({ model, el }) {
  /** @type {Drawn | null} */
  let drawn = null;
  let closed = false;
  // Messages are inflated one after the other: a later delta must not overtake.
  let queue = Promise.resolve();
  const host = { send: (/** @type {unknown} */ message) => model.send(message) };
  const loading = make('p', 'note', 'Waiting for the kernel to send this run…');
  el.replaceChildren(loading);

  /** @param {any} message @param {any} buffers */
  async function take(message, buffers) {
    const whole = message.type === 'packed' ? JSON.parse(await inflated(buffers[0])) : message;
    if (closed) {
      return;
    }
    if (whole.type === 'full') {
      drawn?.destroy();
      drawn = drawRun(el, whole.view, host);
    } else if (whole.type === 'delta') {
      drawn?.update(whole);
    }
  }
  /** @param {any} message @param {any} buffers */
  const receive = (message, buffers) => {
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

export default { render };
