"""``%portia doctor``: what works in this kernel, what doesn't, and what to do about it.

What there is without a notebook, `Portia.doctor` looks at; here it is how people can be asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from portia_nb.session.examining import Finding, Report

from .asking import stdin_allowed

if TYPE_CHECKING:
    from portia_nb.session.portia import Portia

    from .face import Face

_CLICKS = {
    "kernel": "yes: the kernel delivers clicks while a cell awaits",
    "detour": "yes: portia_nb lets clicks through this kernel's queue while a cell awaits",
    "none": "no: this kernel delivers no click while a cell runs; input() is asked instead",
}


async def examine(face: Face) -> Report:
    """Look at everything and return what was found; takes about half a second."""
    portia = face.portia()
    return Report((*_asking(face, portia), *(await portia.adoctor()).findings))


def _asking(face: Face, portia: Portia) -> Iterable[Finding]:
    topic = "Asking you"
    if portia.config.no_ask or not face.settings.ask:
        yield Finding(
            topic, "rung that holds", "declared answers only: asking is turned off", False
        )
        return
    delivery, typed = face.detour.delivery(), stdin_allowed(face.shell)
    yield Finding(topic, "a form in the cell", _CLICKS[delivery], delivery != "none")
    says = "yes" if typed else "no: this front end allows no stdin (nbclient, papermill)"
    yield Finding(topic, "input()", says, typed or None)
    if delivery != "none":
        rung = "the form, if the page draws it within 3 s; then "
        rung += "input()" if typed else "the question's default, else the run stops"
    else:
        rung = "input()" if typed else "declared answers (--answer), else the question's default"
    yield Finding(topic, "rung that holds", rung)
