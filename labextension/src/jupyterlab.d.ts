/**
 * The few parts of JupyterLab that the extension uses, as far as it uses them.
 *
 * JupyterLab hands its own packages to extensions when it loads them; the packages themselves, over
 * 400 with what they need, would be installed for these types alone. Whether they are true is
 * tested in JupyterLab and Notebook 7 (`tests/browser/test_stored.py`, `test_actions.py`).
 */

declare module '@jupyterlab/rendermime' {
  import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
  import type { Token } from '@lumino/coreutils';

  export interface IRenderMimeRegistry {
    addFactory(factory: IRenderMime.IRendererFactory, rank?: number): void;
  }
  export const IRenderMimeRegistry: Token<IRenderMimeRegistry>;
}

declare module '@jupyterlab/notebook' {
  import type { Token } from '@lumino/coreutils';
  import type { Widget } from '@lumino/widgets';

  export interface Cell extends Widget {
    readonly model: { readonly trusted?: boolean; readonly sharedModel: { setSource(text: string): void } };
    readonly ready: Promise<void>;
    readonly editor: {
      focus(): void;
      setCursorPosition(position: { line: number; column: number }): void;
    } | null;
  }
  export interface Notebook extends Widget {
    readonly widgets: readonly Cell[];
    readonly activeCell: Cell | null;
    activeCellIndex: number;
    mode: 'command' | 'edit';
  }
  export interface NotebookPanel extends Widget {
    readonly content: Notebook;
    readonly sessionContext: object;
  }
  export interface INotebookTracker {
    find(isMeant: (panel: NotebookPanel) => boolean): NotebookPanel | undefined;
  }
  export const INotebookTracker: Token<INotebookTracker>;
  export const NotebookActions: {
    insertBelow(notebook: Notebook): void;
    changeCellType(notebook: Notebook, type: 'code'): void;
    run(notebook: Notebook, sessionContext?: object): Promise<boolean>;
  };
}
