/**
 * Shows stored plans and runs in JupyterLab and Notebook 7, with no kernel.
 *
 * The drawing is the live widget's own (`view/`); this extension hands it the JSON that the notebook
 * file holds, and puts the commands behind its buttons into cells. Nothing is fetched.
 */
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import '../../portia_nb/notebook/static/run_view.css';
import { cellsBelow } from './cells';
import { RunRenderer } from './renderer';

const MIME_TYPES = ['application/vnd.portia.plan+json', 'application/vnd.portia.run+json'];
/** Before text/html (50), which says the same to those who don't have this extension. */
const RANK = 0;

const plugin = {
  id: 'portia-nb:views',
  description: 'Shows plans and runs of portia_nb.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [INotebookTracker],
  activate(_app: unknown, registry: IRenderMimeRegistry, tracker: INotebookTracker | null): void {
    registry.addFactory(
      {
        // Everything that a tool, a model or a user said enters the page as text, never as HTML,
        // so that an untrusted notebook may be shown too.
        safe: true,
        mimeTypes: MIME_TYPES,
        createRenderer: options =>
          new RunRenderer(options.mimeType, node => (tracker ? cellsBelow(tracker, node) : undefined))
      },
      RANK
    );
  }
};

export default plugin;
