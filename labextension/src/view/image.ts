/** A picture that a step put out, shown as an image of a kind that holds no script. */
import { make } from './elements';
import type { Image } from './shapes';

// Never SVG: it is a document, with links and scripts of its own.
const KINDS = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Return the image, null where it is none that may be shown. */
export function drawImage({ mime, data, about }: Image): HTMLElement | null {
  if (!KINDS.includes(mime) || !BASE64.test(data)) {
    return null;
  }
  const image = make('img', 'image');
  image.alt = about;
  image.src = `data:${mime};base64,${data}`;
  return image;
}
