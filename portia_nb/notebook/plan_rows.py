"""The steps of a plan as rows of a view: what the plan itself says of each, run or not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portia_nb.drawing.plan_picture import kind_of, plain_waits, plan_picture
from portia_nb.model.composite import Composite, bodies
from portia_nb.model.order import Waits
from portia_nb.model.plan import AnyStep, Plan, UserInputStep, UserVerifyStep
from portia_nb.model.reference import show
from portia_nb.planning.switched_off import off_notes

from .visible_text import one_line

MAX_TASK_CHARS = 600
MAX_PATH_CHARS = 200

_ASKING = ("user_verify", "user_input")

View = dict[str, Any]
Order = Mapping[str, Waits]
SideEffects = Mapping[str, bool | None]


def path_key(path: str) -> str:
    """Return the path by which views tell steps apart.

    It is the path itself, without what no encoder takes; of a very long one the beginning and a
    hash, since each message and each saved record repeats it.
    """
    if len(path) > MAX_PATH_CHARS:
        mark = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        path = f"{path[:MAX_PATH_CHARS]}…{mark}"
    return path if path.isascii() else path.encode(errors="replace").decode()


def plan_rows(plan: Plan, order: Order | None, side_effects: SideEffects | None) -> list[View]:
    """Return one row a step, in plan order: what the plan itself says of it."""
    order = plain_waits(plan) if order is None else order
    ids = plan_picture(plan, order=order).ids or {}
    off = off_notes(plan)
    rows: list[View] = []
    for place, step in _placed(plan.steps):
        row: View = {
            "path": path_key(place),
            "el": ids[place],
            "tool": one_line(kind_of(step), 120),
            "task": one_line(_task(step), MAX_TASK_CHARS),
        }
        waits = order.get(place)
        why = why_it_waits(step, waits, plan, side_effects, place) if waits else ""
        if why := f"{off.get(place, '')} {why}".strip():
            row["why"] = why
        if step.side_effect is True or (side_effects or {}).get(place) is True:
            row["changes"] = True
        if step.condition:
            row["condition"] = one_line(step.condition, MAX_TASK_CHARS)
        if one_line(place, MAX_PATH_CHARS) != place:
            row["name"] = one_line(place, MAX_PATH_CHARS)
        rows.append(row)
    return rows


def why_it_waits(
    step: AnyStep,
    waits: Waits,
    plan: Plan,
    side_effects: SideEffects | None = None,
    place: str | None = None,
) -> str:
    """Say in plain words why `step` keeps its place, ``""`` if it only waits for what it reads."""
    if not waits.place:
        return ""
    own = step.name if place is None else place
    prefix = own[: own.rfind("/") + 1]

    def effect_of(other: str) -> bool | None:
        if side_effects is not None:
            return side_effects.get(other)
        step = plan.step(other)
        # What it holds isn't looked into: side effects that are known say it.
        return False if isinstance(step, Composite) else step.side_effect

    after = one_line(", ".join(waits.place), 200)
    if step.kind in _ASKING:
        return f"asks in its turn, after {after}"
    effect = effect_of(own)
    if effect is True:
        return f"keeps its place after {after}: it changes something"
    freed = "declare side_effect=False to free it"
    if side_effects is None:
        # A plan by itself doesn't know what its tools declare.
        if effect is None and _has_tools(step):
            return f"keeps its place after {after}, unless its tool only reads"
        if any(_is_tools_to_say(s) for s in plan.steps if s.name in waits.place):
            return f"waits for {after}, which keeps its place, unless its tool only reads"
    if effect is None:
        return f"keeps its place after {after}: it may change something; {freed}"
    others = [prefix + name for name in waits.place]
    if any(effect_of(o) is None and plan.step(o).kind not in _ASKING for o in others):
        return f"waits for {after}, which keeps its place: it may change something; {freed}"
    return f"waits for {after}, which keeps its place"


def _is_tools_to_say(step: AnyStep) -> bool:
    return step.side_effect is None and _has_tools(step)


def _has_tools(step: AnyStep) -> bool:
    return step.tool_id is not None or step.kind == "react"


def _placed(steps: Sequence[AnyStep], prefix: str = "") -> Iterator[tuple[str, AnyStep]]:
    """Yield each step with its place, those inside it after it."""
    for step in steps:
        yield prefix + step.name, step
        for body in bodies(step):
            yield from _placed(body, f"{prefix}{step.name}/")


def _task(step: AnyStep) -> str:
    if not step.task and isinstance(step, UserVerifyStep | UserInputStep):
        return show(step.message)
    return step.task
