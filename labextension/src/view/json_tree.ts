/** JSON as a tree: each list and object folds; arrow keys move and fold as in a file list. */
import { foreign, make } from './elements';
import { counted } from './words';

const OPEN_DEPTH = 2;
const OPEN_ENTRIES = 12;

/** Return the tree, null where `text` is no JSON, or a single value that needs no tree. */
export function drawJson(text: string): HTMLElement | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) {
    return null;
  }
  const tree = make('div', 'json', drawEntry('', value, 0));
  tree.addEventListener('keydown', event => moveInTree(tree, event));
  return tree;
}

function drawEntry(key: string, value: unknown, depth: number): HTMLElement {
  const name = key === '' ? null : make('span', 'key', foreign('span', '', key), ': ');
  if (typeof value !== 'object' || value === null) {
    const kind = value === null ? 'null' : typeof value;
    const shown = foreign('span', `value value-${kind}`, JSON.stringify(value));
    return make('div', 'leaf', name, shown);
  }
  const entries = Object.entries(value);
  const isList = Array.isArray(value);
  const size = make('span', 'dim', isList ? `[ ${counted(entries.length, 'item')} ]` : `{ ${counted(entries.length, 'key')} }`);
  const branch = make('details', 'branch', make('summary', '', name, size));
  branch.open = depth < OPEN_DEPTH && entries.length <= OPEN_ENTRIES;
  branch.append(make('div', 'entries', ...entries.map(([inner, its]) => drawEntry(inner, its, depth + 1))));
  return branch;
}

/** Up and down go to the next line that folds; right unfolds; left folds, or goes to what is around. */
function moveInTree(tree: HTMLElement, event: KeyboardEvent): void {
  const at = (event.target as Element).closest('summary');
  const branch = at?.parentElement as HTMLDetailsElement | null | undefined;
  if (!at || !branch || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const lines = [...tree.querySelectorAll('summary')].filter(line => line.checkVisibility());
  const place = lines.indexOf(at);
  switch (event.key) {
    case 'ArrowDown':
      lines[place + 1]?.focus();
      break;
    case 'ArrowUp':
      lines[place - 1]?.focus();
      break;
    case 'ArrowRight':
      branch.open = true;
      break;
    case 'ArrowLeft':
      if (branch.open) {
        branch.open = false;
      } else {
        branch.parentElement?.closest('details')?.querySelector('summary')?.focus();
      }
      break;
    default:
      return;
  }
  event.preventDefault();
}
