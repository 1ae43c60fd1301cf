/** What a step put out, or why it didn't: drawn, and in one line. */
import { foreign, make, scrolling, set } from './elements';
import type { Failure, Output, Table } from './shapes';
import { counted } from './words';

const PREVIEW_CHARS = 300;

export function drawOutput(output: Output): HTMLElement {
  const box = make('div', 'output');
  if (output.summary) {
    box.append(foreign('p', 'summary', output.summary));
  }
  if (output.table) {
    box.append(scrolling(make('div', 'table', drawTable(output.table)), 'Output as a table'));
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

function drawTable({ columns, rows }: Table): HTMLTableElement {
  const head = make('tr', '', ...columns.map(name => foreign('th', '', name)));
  head.querySelectorAll('th').forEach(cell => set(cell, { scope: 'col' }));
  const lines = rows.map(row => make('tr', '', ...row.map(cell => foreign('td', '', cell))));
  return make('table', '', make('thead', '', head), make('tbody', '', ...lines));
}

/** One line that tells what a step put out. */
export function preview(output: Output): string {
  if (output.summary) {
    return output.summary;
  }
  if (output.table) {
    const { rows, columns, count = rows.length } = output.table;
    return `${counted(count, 'row')}: ${columns.join(', ')}`;
  }
  const text = output.text ?? output.json ?? output.cut ?? '';
  return text.slice(0, PREVIEW_CHARS).replace(/\s+/g, ' ').trim();
}

export function drawFailure(failure: Failure): HTMLElement {
  const type = make('strong', '', failure.type);
  const box = make('div', 'failure', type, foreign('div', 'message', failure.message));
  if (failure.traceback) {
    box.append(scrolling(make('pre', 'text', failure.traceback), 'Traceback'));
  }
  return box;
}
