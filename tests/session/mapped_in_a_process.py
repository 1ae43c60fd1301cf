"""A map of slow rows in a process of its own, for a test to kill: ``… FOLDER CALLS``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from portia_nb import Config, Input, Plan, PlanBuilderV2, Portia

CALLS = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("calls")
ROWS = [{"city": f"city {number}"} for number in range(30)]
PAUSE_S = 0.03
SENT: list[str] = []


def look(city: str) -> int:
    """Tell of the call, and take a while."""
    with CALLS.open("a") as file:
        file.write(f"{city}\n")
    time.sleep(PAUSE_S)
    return len(city)


def send(city: str) -> str:
    """Change something outside; where a test says so, die in the midst of it."""
    if "DIE_WHEN_SENDING" in os.environ:
        os._exit(9)
    SENT.append(city)
    return city


def sending() -> Plan:
    """Return a plan that changes something outside."""
    return (
        PlanBuilderV2("send to cities")
        .input(name="city")
        .function_step(
            function=send, args={"city": Input("city")}, step_name="send", side_effect=True
        )
        .build()
    )


def plan(effect: bool | None = None) -> Plan:
    """Return the plan that is mapped."""
    return (
        PlanBuilderV2("look at cities")
        .input(name="city")
        .function_step(
            function=look, args={"city": Input("city")}, step_name="look", side_effect=effect
        )
        .build()
    )


if __name__ == "__main__":
    Portia(Config(store=sys.argv[1]), tools=[]).map(plan(), ROWS, max_parallel=2)
