/** Puts commands into new cells below the one that shows a run, for a person or at once to run. */
import { INotebookTracker, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

import { isToBeEdited, lineOf, type Actions, type Command } from './view/commands';

/**
 * Return what puts commands below the cell that holds `node`.
 *
 * A cell of a notebook that nobody has trusted is only filled in: its buttons say what its author
 * likes, and a click on them must not run anything.
 */
export function cellsBelow(tracker: INotebookTracker, node: HTMLElement): Actions {
  return {
    take(command) {
      const text = lineOf(command);
      const panel = tracker.find(each => each.content.node.contains(node));
      if (text === null || panel === undefined) {
        return false;
      }
      void insert(panel, node, text, command);
      return true;
    }
  };
}

async function insert(
  panel: NotebookPanel,
  node: HTMLElement,
  text: string,
  command: Command
): Promise<void> {
  const notebook = panel.content;
  const index = notebook.widgets.findIndex(cell => cell.node.contains(node));
  const isTrusted = notebook.widgets[index]?.model.trusted === true;
  notebook.activeCellIndex = index;
  NotebookActions.insertBelow(notebook);
  // What is inserted is of the kind that the notebook inserted last.
  NotebookActions.changeCellType(notebook, 'code');
  const cell = notebook.activeCell;
  const line = isToBeEdited(command) ? `${text} ` : text;
  cell?.model.sharedModel.setSource(line);
  if (isTrusted && !isToBeEdited(command)) {
    await NotebookActions.run(notebook, panel.sessionContext);
    return;
  }
  notebook.mode = 'edit';
  // A new cell has no editor before it is drawn.
  await cell?.ready;
  cell?.editor?.focus();
  cell?.editor?.setCursorPosition({ line: 0, column: line.length });
}
