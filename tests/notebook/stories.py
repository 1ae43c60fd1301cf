"""Plans and runs that tests of views show."""

from collections.abc import Iterable
from typing import Any

from portia_nb.model.clarification import UserVerificationClarification
from portia_nb.model.events import AnyEvent, Recorded, RunCreated, RunStarted
from portia_nb.model.plan import Plan
from portia_nb.model.run import Run
from portia_nb.running.calls import APPROVAL

BEGAN = 1_700_000_000.0
RUN_ID = "prun-18d9aa91-0066-413f-af32-b979bce89821"

TWO_SEARCHES: dict[str, Any] = {
    "plan_context": {"query": "Which stock price grew faster, Amazon or Google?"},
    "steps": [
        {"task": "Search for Amazon.", "tool_id": "search_tool", "output": "$amazon"},
        {"task": "Search for Google.", "tool_id": "search_tool", "output": "$google"},
        {
            "task": "Compare both.",
            "inputs": [{"name": "$amazon"}, {"name": "$google"}],
            "output": "$faster",
        },
    ],
}


def two_searches() -> Plan:
    """Return the reference page's plan: two searches, then a comparison."""
    return Plan.model_validate(TWO_SEARCHES)


def chain(count: int, task: str = "Do one thing.") -> Plan:
    """Return a plan of `count` steps in a row."""
    return Plan.model_validate(
        {
            "plan_context": {"query": f"A chain of {count} steps"},
            "steps": [
                {
                    "task": task,
                    "tool_id": "some_tool",
                    "output": f"$step_{i}",
                    "inputs": [{"name": f"$step_{i - 1}"}] if i else [],
                }
                for i in range(count)
            ],
        }
    )


def approval(guidance: str, **call: Any) -> UserVerificationClarification:
    """Return what the engine asks before a call (`tool_id`, `arguments`) or before a plan."""
    path = call.pop("path", None)
    return UserVerificationClarification(
        user_guidance=guidance, source=APPROVAL, subject=call or None, path=path
    )


def told_at(plan: Plan, timed: Iterable[tuple[float, AnyEvent]]) -> Run:
    """Return a run of `plan` that has heard events, each so many seconds after it began."""
    run = Run(RUN_ID, plan)
    events = [(0.0, RunCreated(str(plan.id), {})), (0.0, RunStarted()), *timed]
    for seq, (at, event) in enumerate(events, 1):
        run.apply(Recorded(seq, BEGAN + at, run.id, event))
    return run


def told(plan: Plan, events: Iterable[AnyEvent], every_s: float = 0.5) -> Run:
    """Return a run of `plan` that has begun and heard `events`, each `every_s` after the last."""
    run = Run(RUN_ID, plan)
    for seq, event in enumerate([RunCreated(str(plan.id), {}), RunStarted(), *events], 1):
        run.apply(Recorded(seq, BEGAN + max(0, seq - 2) * every_s, run.id, event))
    return run
