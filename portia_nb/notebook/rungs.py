"""Which rung of the ladder of `asking` holds in a kernel and its front end, and why; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .comms import Delivery

Rung = Literal["declared answers", "the form", "input()", "the question's default"]

AWAITED = "%%portia, or %portia at the top level of a cell"
BLOCKED = "%portia in the same cell as %load_ext, or called by other code"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a kernel and its front end are, and did."""

    asking_is_off: str = ""
    """What turned asking off, in words; empty: nothing did."""
    ipykernel: str = ""
    """Its version; empty: this is no kernel, but a terminal."""
    delivery: Delivery = "none"
    """Who brings a click to a cell that awaits."""
    has_subshells: bool = False
    """The kernel can read a page's messages on threads of their own."""
    uses_subshells: bool = False
    """The front end has asked for such a thread."""
    sends_back: bool = False
    """ipykernel 7.4 and later: a widget's messages come to the shell that made it, and wait there
    while a cell blocks it, whatever thread the page asked for."""
    has_stdin: bool = False
    """`input()` can ask here."""
    awaiting: bool | None = None
    """As in `hearing.Hearing`."""
    blocked: bool | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Which rung holds for a kind of cell."""

    rung: Rung
    why: str
    better: str = ""
    """What to do for a better rung; empty: there is none, or nothing to do."""


def standing(found: Abilities, *, awaits: bool) -> Standing:
    """Return the rung by which a question is answered that nobody has declared an answer for.

    >>> standing(Abilities(ipykernel="7.4.0", delivery="kernel", has_stdin=True), awaits=True).rung
    'the form'
    """
    if found.asking_is_off:
        return Standing(
            "declared answers", f"asking is turned off by {found.asking_is_off}", "turn it on again"
        )
    holds, why = _form(found, awaits=awaits)
    if holds:
        return Standing("the form", why)
    if found.has_stdin:
        return Standing("input()", why, _better(found, awaits=awaits))
    return Standing(
        "the question's default",
        f"{why}; nothing can be typed either: a program runs this notebook, or nobody is there",
        "declare answers: --answer NAME=VALUE, or PORTIA_ANSWERS in the environment",
    )


def _form(found: Abilities, *, awaits: bool) -> tuple[bool, str]:
    if not found.ipykernel:
        return False, "this is a terminal, which draws no forms"
    heard = found.awaiting if awaits else found.blocked
    if heard:
        return True, "a page's message has reached such a cell here while it ran"
    if heard is False:
        return False, "no page drew a form in such a cell here in time"
    if not found.has_stdin:
        return False, "no page is known to be there"
    return _awaiting(found) if awaits else _blocked(found)


def _awaiting(found: Abilities) -> tuple[bool, str]:
    kernel = f"ipykernel {found.ipykernel}"
    match found.delivery:
        case "kernel":
            return True, f"{kernel} hands clicks to a cell that awaits"
        case "detour":
            return True, f"{kernel} would keep clicks waiting; portia_nb lets them past the cell"
        case _:
            return False, f"{kernel} delivers no click while a cell runs"


def _blocked(found: Abilities) -> tuple[bool, str]:
    kernel = f"ipykernel {found.ipykernel}"
    if found.sends_back or not found.has_subshells:
        return False, f"{kernel} delivers no click to a cell that is blocked"
    if found.uses_subshells:
        return True, f"{kernel} hears this page on a thread of its own, a subshell"
    return False, f"this page has asked {kernel} for no subshell so far"


def _better(found: Abilities, *, awaits: bool) -> str:
    if not found.ipykernel:
        return "open the notebook in JupyterLab or Notebook 7"
    if not awaits:
        return "put %load_ext portia_nb in a cell of its own, and %portia at a cell's top level"
    if found.awaiting is False:
        return (
            "install anywidget and ipywidgets where JupyterLab itself runs, reload the page, and "
            "try %portia doctor --ask"
        )
    return "pip install --upgrade ipykernel, then restart the kernel"
