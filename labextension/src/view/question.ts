/** One question as a form: its fields, its buttons, and what is told to the host. */
import { foreign, isTyping, make, say, scrolling, set } from './elements';
import { choice, hintOf, line, typedFields, type Fields, type Parts } from './fields';
import type { Host, Question } from './shapes';
import { icon } from './states';

const YES_NO: { [kind: string]: [yes: string, no: string] } = {
  confirm: ['Yes, use this value', 'No'],
  verify: ['Yes, go on', 'No, stop'],
  approve: ['Approve', 'Refuse']
};

export interface QuestionForm {
  form: HTMLElement;
  /** Say at the field why an answer won't do; it may be answered again. */
  refuse(message: string): void;
  focus(): void;
}

export function drawQuestion(question: Question, id: string, host: Host | undefined): QuestionForm {
  const form = make('form', 'question');
  form.noValidate = true;
  form.tabIndex = -1;
  const problem = make('p', 'problem');
  set(problem, { id: `${id}-problem`, role: 'alert' });
  const legend = make('legend', '', icon('asking'), make('span', '', heading(question)));
  const guidance = foreign('p', 'guidance', question.text);
  guidance.id = `${id}-guidance`;
  const fields = make('fieldset', '', legend, guidance);
  form.append(fields);
  if (question.details?.length) {
    fields.append(drawDetails(question.details));
  }
  const buttons = make('div', 'buttons');
  const button = (label: string, className: string): HTMLButtonElement => {
    const made = make('button', `button ${className}`, label);
    made.type = 'submit';
    buttons.append(made);
    return made;
  };
  const hint = make('p', 'note', hintOf(question.field));
  hint.id = `${id}-hint`;
  const described = [guidance, ...(hint.textContent ? [hint] : []), problem].map(each => each.id).join(' ');
  const { first, marked = first, read, missing } = fieldsOf(question, { form, fields, id, described, button });
  if (hint.textContent) {
    fields.append(hint);
  }
  if (question.more) {
    fields.append(make('p', 'note', `${question.more}.`));
  }
  if (question.default !== undefined) {
    const use = question.kind === 'input' ? 'Leave it empty for' : 'Where nobody can be asked, the answer is';
    fields.append(foreign('p', 'note', `${use} ${question.default}.`));
  }
  fields.append(problem);
  if (host) {
    fields.append(buttons);
  }
  let isSent = false;

  function wait(busy: boolean): void {
    isSent = busy;
    form.classList.toggle('portia-sent', busy);
    form.setAttribute('aria-busy', String(busy));
    for (const each of buttons.querySelectorAll('button')) {
      each.setAttribute('aria-disabled', String(busy));
    }
  }
  function refuse(message: string): void {
    wait(false);
    say(problem, message);
    marked.setAttribute('aria-invalid', 'true');
    if (!isTyping(document.activeElement, form)) {
      first.focus();
    }
  }
  form.addEventListener('keydown', event => {
    // A key that is held down must not go on into the next question.
    if (event.key === 'Enter' && event.repeat) {
      event.preventDefault();
    }
  });
  form.addEventListener('submit', event => {
    event.preventDefault();
    if (isSent || !host) {
      return;
    }
    const value = read(event.submitter as HTMLButtonElement | null);
    if (value === undefined) {
      refuse(missing?.() ?? '');
      return;
    }
    say(problem, '');
    marked.removeAttribute('aria-invalid');
    wait(true);
    host.send({ type: 'answer', id: question.id, value });
  });
  return { form, refuse, focus: () => first.focus() };
}

function heading({ kind, tool, step, source }: Question): string {
  const approved = tool ? `Approve a call of ${tool}` : 'Approve this plan';
  const who = kind === 'approve' ? approved : 'Needs you';
  const asker = step ?? source;
  return asker ? `${who} · ${asker}` : who;
}

function drawDetails(details: NonNullable<Question['details']>): HTMLElement {
  const list = make('dl', 'details');
  for (const { name, text, cut } of details) {
    const value = scrolling(make('pre', 'text', text), `Value of ${name}`);
    list.append(make('dt', '', name), make('dd', '', value, cut ? make('p', 'note', cut) : null));
  }
  return list;
}

function fieldsOf(question: Question, parts: Parts): Fields {
  const yesNo = YES_NO[question.kind];
  if (yesNo) {
    return yesOrNo(yesNo, question.kind, parts);
  }
  switch (question.kind) {
    case 'choice':
      return choice(question.options ?? [], question, parts, option => ({ option }));
    case 'action':
      parts.fields.append(link(question.url ?? ''));
      return { first: parts.button('Done', 'primary'), read: () => true };
    default:
      return question.field
        ? typedFields(question, question.field, parts)
        : line(question, { kind: 'text' }, parts);
  }
}

function yesOrNo([yes, no]: [string, string], kind: string, { form, button }: Parts): Fields {
  const agree = button(yes, 'primary');
  const refuse = button(no, '');
  agree.value = 'yes';
  refuse.value = 'no';
  // Enter on a fresh form must not approve a call that nobody has read.
  return { first: kind === 'approve' ? form : agree, read: pressed => pressed?.value === 'yes' };
}

/** The whole address is shown; it is a link only if it leads where links may. */
function link(address: string): HTMLElement {
  let url: URL | null;
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
