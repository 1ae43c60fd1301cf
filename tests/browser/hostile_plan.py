"""A plan in which every text tries to become markup, to be run in a real kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from portia_nb import PlanBuilderV2, StepOutput
from portia_nb.errors import PortiaBaseError
from portia_nb.model.language import ModelReply, ModelRequest, Usage
from portia_nb.model.plan import Plan
from tests.drawing.hostile import PAYLOADS

SHORT = [
    p
    for p in dict.fromkeys(PAYLOADS)
    if p.strip() and len(p) < 200 and not any(0xD800 <= ord(char) < 0xE000 for char in p)
]
"""Payloads without half characters and enormous sizes, which no plan takes as its own text."""
ALL = " ~ ".join(SHORT)
SIGN = "<img src=x onerror=alert(1)>"
"""One of them; where it can be read it was not obeyed."""


class Speaker:
    """A model that says every payload, a piece at a time."""

    name = "speaker"

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        for payload in SHORT:
            if on_text is not None:
                on_text(payload)
        return ModelReply(text=ALL, model=self.name, usage=Usage(calls=1))


def say(number: int) -> Any:
    """Return a payload as text, in a dict, in a table, or as the name of a file."""
    payload = PAYLOADS[number]
    shapes = (payload, {payload: payload}, [{payload: payload, "n": 1}], PurePosixPath(payload))
    return shapes[number % len(shapes)]


class Flaky:
    """Fails with every payload, once."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls == 1:
            raise OSError(2, ALL, "</script><img src=x onerror=alert(1)>.txt")
        return SIGN


def fail(before: Any) -> None:
    """Fail with every payload."""
    raise ValueError(ALL)


def name_of(number: int) -> str | None:
    """Return a step's name that holds a payload, None where no plan takes that for a name."""
    if PAYLOADS[number] not in SHORT:
        return None
    name = f"{number} {PAYLOADS[number]}"
    try:
        PlanBuilderV2("x").llm_step(task="x", step_name=name).build()
    except PortiaBaseError:
        return None
    return name


def hostile_plan(*, fails: bool = False) -> Plan:
    """Return a plan whose query, names, tasks, outputs, question and errors are payloads."""
    builder = PlanBuilderV2(ALL)
    for number in range(len(PAYLOADS)):
        builder.function_step(
            function=say, args={"number": number}, side_effect=False, step_name=name_of(number)
        )
    flaky = Flaky()

    def stumble() -> str:
        return flaky()

    stumble.__doc__ = ALL
    builder.function_step(function=stumble, retries=1, side_effect=False, step_name="stumble")
    builder.llm_step(task=ALL, step_name="spoken", model=Speaker())
    if not fails:
        builder.user_input(message=ALL, options=SHORT, default=SIGN, step_name="question")
        builder.user_verify(message=ALL, step_name="sure")
        builder.function_step(
            function=str, args={"object": StepOutput("question")}, step_name="last"
        )
    else:
        builder.function_step(
            function=fail, args={"before": StepOutput("spoken")}, step_name="last"
        )
    return builder.build()
