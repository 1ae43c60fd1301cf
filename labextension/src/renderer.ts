/** Draws one stored plan or run in an output area. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import type { Actions } from './view/commands';
import { drawWholeRun } from './view/panels';

/** One output area that shows one plan or one run. */
export class RunRenderer extends Widget implements IRenderMime.IRenderer {
  private cleanUp: (() => void) | undefined;

  constructor(
    private readonly mimeType: string,
    private readonly actionsFor: (node: HTMLElement) => Actions | undefined
  ) {
    super();
    this.addClass('portia-stored');
  }

  /** Draw what `model` holds now; called again whenever the output is updated. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.clear();
    const view = model.data[this.mimeType];
    if (typeof view !== 'object' || view === null || Array.isArray(view)) {
      this.explain(`expected a JSON object, found ${describe(view)}`);
      return;
    }
    try {
      // Nobody listens: a stored run can't be stopped or answered.
      this.cleanUp = drawWholeRun(this.node, view, undefined, this.actionsFor(this.node));
    } catch (error) {
      // Anyone may have written this file: a part of a picture is worse than a sentence.
      this.clear();
      this.explain(error instanceof Error ? error.message : String(error));
    }
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.clear();
    }
    super.dispose();
  }

  private clear(): void {
    this.cleanUp?.();
    this.cleanUp = undefined;
    this.node.replaceChildren();
  }

  private explain(reason: string): void {
    const sentence = document.createElement('p');
    sentence.setAttribute('role', 'alert');
    sentence.textContent = `This output of portia_nb can't be shown (${this.mimeType}): ${reason}.`;
    this.node.append(sentence);
  }
}

function describe(value: unknown): string {
  if (value === undefined || value === null) {
    return 'nothing';
  }
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
