"""The last look at a finished SVG: only elements, attributes and values of ours may be there."""

from __future__ import annotations

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"

_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"
_COLOUR = re.compile(r"#[0-9a-f]{3}|#[0-9a-f]{6}|none")
_LENGTH = re.compile(_NUMBER)
_NUMBERS = re.compile(rf"{_NUMBER}(?: {_NUMBER})*")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_WORD = re.compile(r"[A-Za-z0-9-]+")
_ANY = re.compile(r"[^\x00]*", re.DOTALL)

_VALUES: dict[str, re.Pattern[str]] = {
    "id": _ID,
    "class": _ID,
    "role": re.compile("img"),
    "aria-label": _ANY,
    "href": re.compile(r"#[A-Za-z][A-Za-z0-9-]*"),
    "transform": re.compile(rf"translate\({_NUMBER} {_NUMBER}\)"),
    "d": re.compile(r"M[MLHVCQAZacvhlm0-9 .,-]*"),
    "fill": _COLOUR,
    "stroke": _COLOUR,
    "stroke-dasharray": _NUMBERS,
    "viewBox": _NUMBERS,
    "marker-end": re.compile(r"url\(#[A-Za-z][A-Za-z0-9-]*\)"),
    "font-family": re.compile(r"[A-Za-z ',-]+"),
    **dict.fromkeys(
        (
            "text-anchor",
            "lengthAdjust",
            "stroke-linecap",
            "stroke-linejoin",
            "orient",
            "markerUnits",
        ),
        _WORD,
    ),
    **dict.fromkeys(
        ("x", "y", "width", "height", "r", "rx", "cx", "cy", "refX", "refY", "markerWidth"), _LENGTH
    ),
    **dict.fromkeys(
        ("markerHeight", "font-size", "font-weight", "stroke-width", "fill-opacity", "textLength"),
        _LENGTH,
    ),
}
_ELEMENTS = frozenset(
    ["svg", "defs", "g", "marker", "path", "rect", "circle", "use", "text", "title"]
)
_WITH_TEXT = frozenset(("text", "title"))


class UnsafeSvg(ValueError):
    """An SVG holds something that we never draw: a fault in the drawing code, not in the plan."""


def check_svg(svg: str) -> None:
    """Accept a finished picture if each element, attribute and value is on the list of ours.

    Raises:
        UnsafeSvg: the text is not well-formed XML, declares a document type, or holds anything
            else; the message names it.

    >>> check_svg('<svg xmlns="http://www.w3.org/2000/svg"><a href="#x"/></svg>')
    Traceback (most recent call last):
        ...
    portia_nb.drawing.svg_check.UnsafeSvg: an SVG of ours never holds the element 'a'
    """
    if "<!" in svg or "<?" in svg:
        raise UnsafeSvg("an SVG of ours never holds a declaration, comment or instruction")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise UnsafeSvg(f"not well-formed XML: {error}") from error
    for element in root.iter():
        tag = element.tag.removeprefix(SVG)
        if tag not in _ELEMENTS or not element.tag.startswith(SVG):
            raise UnsafeSvg(f"an SVG of ours never holds the element {tag!r}")
        for name, value in element.attrib.items():
            allowed = _VALUES.get(name)
            if allowed is None or not allowed.fullmatch(value):
                raise UnsafeSvg(f"an SVG of ours never holds {name}={value!r:.80} (in <{tag}>)")
        if tag not in _WITH_TEXT and (
            (element.text or "").strip() or (len(element) == 0 and element.text)
        ):
            raise UnsafeSvg(f"an SVG of ours never holds text inside <{tag}>")
        if (element.tail or "").strip():
            raise UnsafeSvg(f"an SVG of ours never holds text after <{tag}>")
