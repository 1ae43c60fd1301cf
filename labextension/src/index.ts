/**
 * Shows stored plans and runs in JupyterLab and Notebook 7, with no kernel.
 *
 * The drawing is the widget's own (`portia_nb/notebook/static/run_view.js`); this extension only
 * hands it the JSON that the notebook file holds. Nothing is fetched and nobody listens: a stored
 * run can't be stopped or answered.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { drawRun } from './view/draw_run';
import '../../portia_nb/notebook/static/run_view.css';

const PLAN_MIME_TYPE = 'application/vnd.portia.plan+json';
const RUN_MIME_TYPE = 'application/vnd.portia.run+json';

/** One output area that shows one plan or one run. */
class RunRenderer extends Widget implements IRenderMime.IRenderer {
  private cleanUp: (() => void) | undefined;

  constructor(private readonly mimeType: string) {
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
      this.cleanUp = drawRun(this.node, view);
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

function renderer(name: string, mimeType: string): IRenderMime.IExtension {
  return {
    id: `portia-nb:${name}`,
    description: `Shows ${mimeType}.`,
    rendererFactory: {
      // Everything that a tool, a model or a user said enters the page as text, never as HTML, so
      // that an untrusted notebook may be shown too.
      safe: true,
      mimeTypes: [mimeType],
      createRenderer: options => new RunRenderer(options.mimeType)
    },
    // Before text/html (50), which says the same to those who don't have this extension.
    rank: 0,
    dataType: 'json'
  };
}

const extensions: IRenderMime.IExtension[] = [
  renderer('plan', PLAN_MIME_TYPE),
  renderer('run', RUN_MIME_TYPE)
];

export default extensions;
