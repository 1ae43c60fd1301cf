"""The picture of a plan or a run, as views carry it."""

from __future__ import annotations

import base64
import zlib

from portia_nb.drawing.condense import collapse_finished, group_alike
from portia_nb.drawing.plan_picture import plan_picture, shown_states
from portia_nb.drawing.svg import draw_svg
from portia_nb.model.plan import Plan
from portia_nb.model.run import Run

from .plan_rows import Order


def draw_picture(
    plan: Plan, run: Run | None = None, *, order: Order | None = None, live: bool = False
) -> str:
    """Return the picture of a plan, or of a run as it stands, as SVG.

    Args:
        plan: what is drawn.
        run: colours the steps by its states; None: all wait.
        order: as in `plan_view`.
        live: keep every step's own card and the looks of all states, so that a view can go on
            changing them; else finished levels of a picture with over 150 cards are folded.
    """
    states = shown_states(run) if run is not None else None
    picture = group_alike(plan_picture(plan, states, order=order))
    return draw_svg(picture if live else collapse_finished(picture), live=live)


def packed(svg: str) -> dict[str, str]:
    """Return a picture as views carry it: deflated, in base64; a 500-step picture is 20 kB so.

    >>> list(packed("<svg/>"))
    ['deflated']
    """
    return {"deflated": base64.b64encode(zlib.compress(svg.encode(), 9)).decode()}
