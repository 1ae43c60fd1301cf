/** What comes over the wire: messages inflated, and changes put into what they change. */
import type { Changes } from './shapes';

/** Inflate what zlib wrote, as text. */
export function inflated(bytes: BlobPart): Promise<string> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).text();
}

/** Inflate what zlib wrote and base64 holds, as text. */
export function inflatedBase64(text: string): Promise<string> {
  return inflated(Uint8Array.from(atob(text), char => char.charCodeAt(0)));
}

/** Put `changed` into `target`: null takes a key away; `more_text` goes to the end of `text`. */
export function merge(target: object, changed: Changes): void {
  const into = target as Changes;
  for (const [key, value] of Object.entries(changed)) {
    if (key === 'more_text') {
      into['text'] = String(into['text'] ?? '') + String(value);
    } else if (value === null) {
      delete into[key];
    } else {
      into[key] = value;
    }
  }
}
