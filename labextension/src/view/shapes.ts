/**
 * The shapes of what a view is told: plans and runs as `portia_nb/notebook/view_state.py` says them.
 *
 * A module that shows more adds its keys here, optional, so that older notebooks are still drawn.
 */

export interface Table {
  columns: string[];
  rows: string[][];
  /** How many rows there are, where not all are here. */
  count?: number;
}

/** A picture that a tool put out; only kinds that can hold no script, see `image.ts`. */
export interface Image {
  mime: string;
  /** In base64. */
  data: string;
  /** What it is, in words. */
  about: string;
}

export interface Output {
  text?: string;
  /** Indented; whole JSON, or text where a reader of older notebooks finds it cut. */
  json?: string;
  table?: Table;
  image?: Image;
  /** What is left out, in words. */
  cut?: string;
  summary?: string;
}

export interface Failure {
  type: string;
  message: string;
  step?: string;
  traceback?: string;
}

/** `ran`, `asked` (waited for a person) or `paused` (before the next try); an end of null lasts. */
export type Stretch = [kind: string, start: number, end: number | null, state: string];

/** An attempt at a step that failed. */
export interface Attempt {
  error: Failure;
}

export interface Step {
  path: string;
  name?: string;
  /** The id of its card in the picture; steps that ran in a round of a loop have none. */
  el?: string;
  tool?: string;
  task?: string;
  why?: string;
  changes?: boolean;
  condition?: string;
  state?: string;
  attempt?: number;
  /** Attempts that failed before this one. */
  attempts?: Attempt[];
  /** Milliseconds after the run began, as is `end`. */
  start?: number;
  end?: number;
  /** Tries and waits before that. */
  past?: Stretch[];
  output?: Output;
  error?: Failure;
  reason?: string;
  calls?: string;
  model?: string;
  /** Model calls, tokens and money, in words. */
  spent?: string;
  text?: string;
}

export interface Detail {
  name: string;
  text: string;
  cut?: string;
}

/** What the answer must be, where it isn't any text. */
export interface Field {
  kind: string;
  /** In words, such as "a whole number, 1 to 9". */
  hint?: string;
  min?: number;
  max?: number;
  options?: string[];
}

export interface Question {
  id: string;
  kind: string;
  text: string;
  step?: string;
  source?: string;
  argument?: string;
  options?: string[];
  /** How many options are not listed, in words. */
  more?: string;
  field?: Field;
  url?: string;
  tool?: string;
  details?: Detail[];
  default?: string;
}

export interface View {
  format?: number;
  kind: 'plan' | 'run';
  id: string;
  title: string;
  scripted?: boolean;
  state?: string;
  /** Seconds since the epoch, as is `now`. */
  began?: number | null;
  now?: number;
  end?: number;
  /** What all steps have spent on models, in words. */
  spent?: string;
  error?: Failure;
  /** A person's no has ended the run: on purpose, and nothing has failed. */
  refused?: boolean;
  next?: string;
  /** Who approved the plan, when and how. */
  approved?: string;
  final?: Output;
  steps: Step[];
  questions?: Question[];
  picture?: { deflated: string };
}

/** New values by key; null takes a key away. */
export interface Changes {
  [key: string]: unknown;
}

export interface Delta {
  head?: Changes;
  steps?: { [path: string]: Changes };
  questions?: Question[];
  refused?: { id: string; message: string };
}

/** Who hears what a person does in a view; absent where nobody listens. */
export interface Host {
  send(message: unknown): void;
}
