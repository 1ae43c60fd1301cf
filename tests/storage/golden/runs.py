"""The runs that each golden store holds: tools and plans that stay as they are.

Changing them changes nothing in the stores that exist; it may break their resuming.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from portia_nb import Config, Plan, PlanBuilderV2, Portia, StepOutput, tool


class City(BaseModel):
    """A place."""

    name: str
    founded: dt.date


@tool(side_effect=False)
def look() -> Any:
    """Return a value of each kind that has a codec."""
    return {
        "none": None,
        "big": 10**30,
        "price": Decimal("1.10"),
        "raw": b"\0\xff",
        "when": dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
        "pair": (1, 2.5),
        "set": frozenset({1, 2}),
        "odd": [float("inf"), "\ud800", "\0", "e\u0301 🧭"],
        (1, 2): City(name="Ur", founded=dt.date(1, 1, 1)),
    }


@tool(side_effect=False)
def write_long(words: int) -> str:
    """Return a long text."""
    return "wide " * words


@tool(side_effect=False)
def join(left: str, right: str = "") -> str:
    """Join two texts."""
    return f"{left[:20]}+{right[:20]}"


def nameless(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let tracebacks name this file without its folder: stores are test data for everyone."""
    function.__code__ = function.__code__.replace(co_filename="runs.py")
    return function


@tool(side_effect=False)
@nameless
def fail() -> str:
    """Fail, always."""
    raise ValueError("no such city")


@tool
def die() -> str:
    """Kill this process where the maker of golden stores asks for that.

    It isn't declared free of side effects, so what came before is on disk when it is called.
    """
    if os.environ.get("GOLDEN_DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def complete() -> Plan:
    return (
        PlanBuilderV2("Describe a city")
        .invoke_tool_step(tool="look", step_name="look")
        .invoke_tool_step(tool="write_long", args={"words": 2_000}, step_name="long")
        .invoke_tool_step(
            tool="join", args={"left": StepOutput("long"), "right": "end"}, step_name="join"
        )
        .build()
    )


def failed() -> Plan:
    return (
        PlanBuilderV2("Find a city")
        .invoke_tool_step(tool="join", args={"left": "a"}, step_name="first")
        .invoke_tool_step(tool="fail", step_name="fail")
        .build()
    )


def waiting() -> Plan:
    return (
        PlanBuilderV2("Ask for a city")
        .user_input(message="Which city?", options=["Ur", "Uruk"], step_name="city")
        .invoke_tool_step(tool="join", args={"left": StepOutput("city")}, step_name="join")
        .build()
    )


def killed() -> Plan:
    return (
        PlanBuilderV2("Outlive a kernel")
        .invoke_tool_step(tool="join", args={"left": "before"}, step_name="before")
        .invoke_tool_step(tool="die", step_name="die")
        .invoke_tool_step(
            tool="join",
            args={"left": StepOutput("before"), "right": StepOutput("die")},
            step_name="after",
        )
        .build()
    )


def portia(folder: Path) -> Portia:
    tools = [look(), write_long(), join(), fail(), die()]
    return Portia(Config(store=str(folder)), tools=tools)
