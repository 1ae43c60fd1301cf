/** The picture as it comes from Python: read with suspicion, and painted in the theme's colours. */
import { SVG } from './elements';
import { STATES } from './states';

const ELEMENTS = new Set('svg defs g marker path rect circle use text tspan title'.split(' '));
const ATTRIBUTES = new Set(
  (
    'xmlns id class role aria-label href transform d fill fill-opacity stroke stroke-width ' +
    'stroke-dasharray stroke-linecap stroke-linejoin viewBox marker-end font-family font-size ' +
    'font-weight text-anchor textLength lengthAdjust orient markerUnits markerWidth markerHeight ' +
    'refX refY x y width height r rx cx cy'
  ).split(' ')
);
/** The picture's fixed colours outside of states, and the theme's in their place. */
const INKS: { [colour: string]: string } = {
  '#1f2328': 'ink',
  '#57606a': 'dim',
  '#7d8793': 'line',
  '#9aa4b0': 'line',
  '#f6f8fa': 'waiting-tint',
  '#fbfcfd': 'soft',
  '#eef1f5': 'soft'
};
const PAINTS = ['fill', 'stroke'];

/**
 * Parse our own SVG, and take nothing in it that we never draw.
 *
 * @param prefix makes its ids this view's own
 */
export function readPicture(text: string, prefix: string): SVGSVGElement {
  const root = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  for (const element of [root, ...root.querySelectorAll('*')]) {
    if (element.namespaceURI !== SVG || !ELEMENTS.has(element.localName)) {
      throw new Error(`the picture holds an element that is never drawn: ${element.localName}`);
    }
    for (const { name, value } of [...element.attributes]) {
      const local = name === 'href' ? value.startsWith('#') : !/url\((?!#)/i.test(value);
      if (!ATTRIBUTES.has(name) || !local) {
        throw new Error(`the picture holds an attribute that is never drawn: ${name}`);
      }
    }
  }
  for (const element of root.querySelectorAll('[id]')) {
    element.id = prefix + element.id;
  }
  for (const element of root.querySelectorAll('[href]')) {
    element.setAttribute('href', `#${prefix}${(element.getAttribute('href') ?? '').slice(1)}`);
  }
  for (const element of root.querySelectorAll('[marker-end]')) {
    const end = element.getAttribute('marker-end') ?? '';
    element.setAttribute('marker-end', end.replace('#', `#${prefix}`));
  }
  return document.importNode(root, true) as Element as SVGSVGElement;
}

/** Put the theme's colours in the place of the fixed ones; the picture stays readable without. */
export function followTheme(picture: SVGSVGElement): void {
  for (const look of picture.querySelectorAll('defs > g[id]')) {
    const state = /-([a-z]+)$/.exec(look.id)?.[1] ?? '';
    if (state in STATES) {
      paintLook(look, state);
    }
  }
  for (const part of [picture, ...picture.querySelectorAll<SVGElement>('[fill], [stroke]')]) {
    for (const paint of PAINTS) {
      const name = INKS[part.getAttribute(paint) ?? ''];
      if (name) {
        part.style.setProperty(paint, `var(--portia-${name})`);
      }
    }
  }
}

function paintLook(look: Element, state: string): void {
  const ink = look.querySelector(':scope > text')?.getAttribute('fill');
  const tint = look.querySelector(':scope > rect')?.getAttribute('fill');
  for (const part of look.querySelectorAll<SVGElement>('*')) {
    for (const paint of PAINTS) {
      const colour = part.getAttribute(paint);
      const name = colour === ink ? state : colour === tint ? `${state}-tint` : colour === '#fff' ? 'mark' : '';
      if (colour && name) {
        part.style.setProperty(paint, `var(--portia-${name})`);
      }
    }
  }
}
