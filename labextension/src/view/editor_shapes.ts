/** The plan inspector's JSON, as `portia_nb/notebook/inspector_state.py` makes it. */

export interface EditorField {
  name: string;
  label: string;
  text: string;
  /** `tool`: one of the state's tools. */
  kind?: string;
  long?: boolean;
  /** Only to be changed in Python. */
  locked?: boolean;
  hint?: string;
  /** What an empty field means. */
  empty?: string;
}

export interface EditorStep {
  place: string;
  name: string;
  depth: number;
  what: string;
  task: string;
  first: boolean;
  last: boolean;
  off: boolean;
  changes: boolean;
  note?: string;
  fields: EditorField[];
}

export interface EditorState {
  kind: 'editor';
  name: string;
  title: string;
  variables: string[];
  hash: string;
  version: { number: number; of: number; change: string };
  needs: string[];
  approved: string | null;
  tools: string[];
  steps: EditorStep[];
  changes: [string, string][];
  picture?: { deflated: string };
}

/** Ask Python to do something; `key` names what has the focus and gets a refusal. */
export type Act = (what: string, key: string, more?: { place?: string; field?: string; text?: string }) => void;
