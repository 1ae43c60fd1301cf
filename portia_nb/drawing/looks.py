"""How each state looks: a shape, a word and colours, so that no one of them has to be seen.

Colours are fixed, since a picture inside `<img>` sees no theme. Words and icons reach a contrast of
4.5 on their card, borders 3 on it (WCAG 2.2, 1.4.3 and 1.4.11); the test measures it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .picture import ShownState


@dataclass(frozen=True, slots=True)
class Look:
    """How one state looks."""

    word: str
    symbol: str
    """One character for terminals."""
    fill: str
    """The card's ground."""
    ink: str
    """The card's border, the icon and the word."""
    icon: str
    """SVG around (0, 0), about 20 pixels wide; `{ink}` stands for the ink."""
    dashes: str = ""
    """The border's dash pattern; empty for a full line."""


NAME_INK = "#1f2328"
NOTE_INK = "#57606a"
LINE_INK = "#7d8793"
"""Seen on white and on black pages alike (3.6 and 5.8)."""

_MARK = 'fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'

LOOKS: Mapping[ShownState, Look] = MappingProxyType(
    {
        "waiting": Look(
            word="waiting",
            symbol="○",
            fill="#f6f8fa",
            ink="#656e7a",
            icon='<circle r="8" fill="#fff" stroke="{ink}" stroke-width="1.8"'
            ' stroke-dasharray="3.4 2.9"/>',
        ),
        "running": Look(
            word="running",
            symbol="▶",
            fill="#e9f3ff",
            ink="#0a5cc4",
            icon='<circle r="8.6" fill="#fff" stroke="{ink}" stroke-width="2"/>'
            '<path d="M-2.6 -4.4L4.6 0L-2.6 4.4Z" fill="{ink}"/>',
        ),
        "done": Look(
            word="done",
            symbol="✓",
            fill="#ecf9ef",
            ink="#19753a",
            icon=f'<circle r="9.6" fill="{{ink}}"/><path d="M-4.4 .3L-1.3 3.4L4.5 -3" {_MARK}/>',
        ),
        "failed": Look(
            word="failed",
            symbol="✗",
            fill="#ffeeec",
            ink="#b3172a",
            icon='<path d="M-4 -9.6H4L9.6 -4V4L4 9.6H-4L-9.6 4V-4Z" fill="{ink}"/>'
            f'<path d="M-3.3 -3.3L3.3 3.3M3.3 -3.3L-3.3 3.3" {_MARK}/>',
        ),
        "asking": Look(
            word="needs you",
            symbol="?",
            fill="#fff6d9",
            ink="#875300",
            icon='<path d="M-7 -9.5H7a2.5 2.5 0 0 1 2.5 2.5V3a2.5 2.5 0 0 1 -2.5 2.5H0L-5 10V5.5H-7'
            'a2.5 2.5 0 0 1 -2.5 -2.5V-7a2.5 2.5 0 0 1 2.5 -2.5Z" fill="{ink}"/>'
            f'<path d="M-2.5 -4.6a2.6 2.6 0 1 1 3.7 2.4Q0 -1.6 0 -.6M0 2.4V2.5" {_MARK}/>',
        ),
        "skipped": Look(
            word="skipped",
            symbol="»",
            fill="#f1f2f4",
            ink="#4a525e",
            icon='<path d="M-6.5 -5.5L-1 0L-6.5 5.5M1 -5.5L6.5 0L1 5.5" fill="none" stroke="{ink}"'
            ' stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>',
            dashes="5 4",
        ),
        "stopped": Look(
            word="stopped",
            symbol="■",
            fill="#e9e9ef",
            ink="#2e2c39",
            icon='<rect x="-8.5" y="-8.5" width="17" height="17" rx="3" fill="{ink}"/>'
            '<rect x="-3.4" y="-3.4" width="6.8" height="6.8" fill="#fff"/>',
        ),
        "uncertain": Look(
            word="uncertain",
            symbol="!",
            fill="#f8efff",
            ink="#7a35a8",
            icon='<path d="M0 -9.5L10 8.5H-10Z" fill="{ink}" stroke="{ink}" stroke-width="1.6"'
            ' stroke-linejoin="round"/>'
            f'<path d="M0 -3V2.6M0 6V6.1" {_MARK}/>',
        ),
    }
)


REUSED: Mapping[str, str] = MappingProxyType(
    {"fork": "reused", "given": "given by hand", "cache": "from cache"}
)
"""Words for an output of a step that wasn't executed, by `StepDone.reused`."""
