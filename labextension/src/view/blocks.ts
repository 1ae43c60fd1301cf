/** A long list in blocks of neighbours, so that those that are finished fold into one line each. */
import { make, makeButton, say, set } from './elements';

const BLOCK = 25;

export interface Blocks {
  /** Put the next step into its block. */
  add(item: HTMLElement, name: string): void;
  /** Note that a step has come to its end (1), or is open again (-1). */
  count(item: HTMLElement, change: number): void;
  /** Unfold the block of a step. */
  reveal(item: HTMLElement): void;
}

interface Block {
  steps: HTMLElement;
  names: string[];
  finished: number;
  unfold(open: boolean): void;
  show(): void;
}

/**
 * Make blocks in `list`.
 *
 * @param total how many steps there will be; the last block never folds by itself
 * @param uid a prefix for ids
 */
export function makeBlocks(list: HTMLElement, total: number, uid: string): Blocks {
  const blocks: Block[] = [];
  const blockOf = new Map<HTMLElement, Block>();
  let added = 0;

  function addBlock(): Block {
    const first = added + 1;
    const isLast = first + BLOCK > total;
    const label = make('span', '');
    const line = makeButton('row blockline', label, make('span', 'fill'), make('span', 'chevron'));
    const steps = make('ol', 'blocksteps');
    steps.id = `${uid}-block${blocks.length}`;
    set(steps, { role: 'list' });
    set(line, { 'aria-controls': steps.id });
    const item = make('li', 'block', line, steps);
    let isChosen = false;
    const block: Block = {
      steps,
      names: [],
      finished: 0,
      unfold(open) {
        steps.hidden = !open;
        set(line, { 'aria-expanded': open });
        item.classList.toggle('portia-open', open);
      },
      show() {
        const { names, finished } = block;
        const isOver = finished === names.length;
        const range = `Steps ${first} to ${first + names.length - 1}`;
        const what = isOver ? 'done' : `${finished} of ${names.length} done`;
        say(label, `${range}: ${what} · ${names[0]} … ${names[names.length - 1]}`);
        if (!isChosen && steps.hidden !== (isOver && !isLast)) {
          block.unfold(steps.hidden);
        }
      }
    };
    line.addEventListener('click', () => {
      isChosen = true;
      block.unfold(steps.hidden);
    });
    block.unfold(true);
    list.append(item);
    blocks.push(block);
    return block;
  }

  return {
    add(item, name) {
      const block = (added % BLOCK === 0 ? undefined : blocks[blocks.length - 1]) ?? addBlock();
      added++;
      block.names.push(name);
      block.steps.append(item);
      blockOf.set(item, block);
      if (block.names.length === BLOCK || added === total) {
        block.show();
      }
    },
    count(item, change) {
      const block = blockOf.get(item);
      if (block) {
        block.finished += change;
        block.show();
      }
    },
    reveal(item) {
      blockOf.get(item)?.unfold(true);
    }
  };
}
