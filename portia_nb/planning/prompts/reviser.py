"""Ask a model to change a plan as a person says it in words.

The words of `planner` come first and are the same, so that a provider has seen them before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from portia_nb.model.language import Message

from .planner import PlanningTask, compact_json, planning_messages

VERSION = "1"
"""Part of a record's key: raise it with each change of the words below."""

KEEP = "keep"
"""What stands for the tool of a step that a reply can't spell out and that stays as it is."""

REVISE = (
    "\nHere `plan` is there already, made for `query`, and `change` is what is wanted: return the "
    "whole plan again, changed as `change` says and in nothing else.\n"
    "- A step that stays keeps its output name and every word. One that `change` calls off is left "
    "out, and those that used it do without it.\n"
    f"- A step with tool_id {KEEP!r} can't be rewritten: repeat its output and tool_id to keep it, "
    "or leave it out.\n"
    "- error: only if these tools and this plan can't be changed like that: why, and no steps."
)


def revising_messages(
    task: PlanningTask, steps: Sequence[Mapping[str, Any]], change: str
) -> tuple[Message, ...]:
    """Return the messages that ask for a changed plan.

    Args:
        task: what the plan was made for, and with what.
        steps: the plan's steps, as a reply says them.
        change: what is wanted, in a person's words.
    """
    system, user = planning_messages(task)
    data = {**json.loads(user.content), "plan": list(steps), "change": change}
    return (Message("system", system.content + REVISE), Message("user", compact_json(data)))
