/** What a step put out, or why it didn't: drawn as what it is, and in one line. */
import { foreign, make, scrolling, set } from './elements';
import { drawImage } from './image';
import { drawJson } from './json_tree';
import type { Attempt, Failure, Output, Table } from './shapes';
import { counted } from './words';

const PREVIEW_CHARS = 300;

export function drawOutput(output: Output): HTMLElement {
  const box = make('div', 'output');
  if (output.summary) {
    box.append(foreign('p', 'summary', output.summary));
  }
  const drawn = drawValue(output);
  if (drawn) {
    box.append(drawn);
  }
  if (output.cut) {
    box.append(make('p', 'note', `… ${output.cut}`));
  }
  return box;
}

function drawValue(output: Output): HTMLElement | null {
  if (output.image) {
    return drawImage(output.image) ?? make('p', 'note', 'An image of a kind that is not shown.');
  }
  if (output.table) {
    return scrolling(make('div', 'table', drawTable(output.table)), 'Output as a table');
  }
  if (output.json !== undefined) {
    const tree = drawJson(output.json) ?? make('pre', 'json', output.json);
    return scrolling(tree, 'Output as JSON');
  }
  return output.text === undefined ? null : scrolling(foreign('pre', 'text', output.text), 'Output');
}

function drawTable({ columns, rows, count = rows.length }: Table): HTMLTableElement {
  const head = make('tr', '', ...columns.map(name => foreign('th', '', name)));
  head.querySelectorAll('th').forEach(cell => set(cell, { scope: 'col' }));
  const lines = rows.map(row => make('tr', '', ...row.map(cell => foreign('td', '', cell))));
  const said = `${counted(count, 'row')}, ${counted(columns.length, 'column')}`;
  return make('table', '', make('caption', '', said), make('thead', '', head), make('tbody', '', ...lines));
}

/** One line that tells what a step put out. */
export function preview(output: Output): string {
  if (output.summary) {
    return output.summary;
  }
  if (output.image) {
    return output.image.about;
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

/** The attempts that failed before, each with its error. */
export function drawAttempts(attempts: Attempt[]): HTMLElement {
  const items = attempts.map(({ error }) =>
    make('li', '', make('span', 'failed', 'failed'), foreign('span', 'message', `${error.type}: ${error.message}`))
  );
  const list = make('ol', 'attempts', ...items);
  set(list, { 'aria-label': 'Earlier attempts' });
  return list;
}
