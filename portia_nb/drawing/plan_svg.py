"""The whole way from a plan to its static picture, in one call."""

from __future__ import annotations

from collections.abc import Mapping

from portia_nb.model.order import Waits
from portia_nb.model.plan import Plan

from .condense import readable
from .picture import ShownState
from .plan_picture import plan_picture
from .svg import draw_svg


def plan_to_svg(
    plan: Plan,
    states: Mapping[str, ShownState] | None = None,
    *,
    order: Mapping[str, Waits] | None = None,
) -> str:
    """Return a plan's picture as SVG, large ones condensed, for `svg.data_uri` or a file.

    Args:
        plan: any plan, also one that no check has passed.
        states: how steps stand, by name, from `plan_picture.shown_states`; others are waiting.
        order: what each step waits for, as in `plan_picture`.

    >>> plan_to_svg(Plan(steps=[{"task": "Say hello", "output": "$hello"}]))[:40]
    '<svg xmlns="http://www.w3.org/2000/svg" '
    """
    return draw_svg(readable(plan_picture(plan, states, order=order)))
