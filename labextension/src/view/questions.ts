/** The open questions of a view: a form each, from the moment it is asked until it is answered. */
import { isTyping, make } from './elements';
import { drawQuestion, type QuestionForm } from './question';
import type { Host, Question } from './shapes';

const ANNOUNCED_CHARS = 200;

export interface Questions {
  box: HTMLElement;
  show(questions: Question[]): void;
  refuse(id: string, message: string): void;
}

/**
 * Make the place for questions.
 *
 * @param root the whole view, which takes the focus when a form that had it goes
 * @param uid a prefix for ids
 */
export function drawQuestions(
  root: HTMLElement,
  uid: string,
  host: Host | undefined,
  announce: (text: string, isUrgent?: boolean) => void
): Questions {
  const box = make('div', 'questions');
  const forms = new Map<string, QuestionForm>();
  let drawn = 0;

  function remove(id: string, { form }: QuestionForm): void {
    // Focus must not fall back to the page's beginning.
    const hadFocus = form.contains(document.activeElement);
    form.remove();
    forms.delete(id);
    const next = hadFocus ? [...forms.values()][0] : undefined;
    if (next) {
      next.focus();
    } else if (hadFocus) {
      root.tabIndex = -1;
      root.focus({ preventScroll: true });
    }
  }

  function add(question: Question): void {
    const isBusy = [...forms.values()].some(({ form }) => form.contains(document.activeElement));
    const form = drawQuestion(question, `${uid}-question${drawn++}`, host);
    forms.set(question.id, form);
    box.append(form.form);
    announce(`Question: ${question.text.slice(0, ANNOUNCED_CHARS)}`, true);
    if (host && root.isConnected && !isBusy && !isTyping(document.activeElement, root)) {
      form.focus();
    }
  }

  return {
    box,
    show(questions) {
      const wanted = new Set(questions.map(question => question.id));
      for (const [id, form] of forms) {
        if (!wanted.has(id)) {
          remove(id, form);
        }
      }
      questions.filter(question => !forms.has(question.id)).forEach(add);
    },
    refuse(id, message) {
      forms.get(id)?.refuse(message);
    }
  };
}
