"""What tells one row of a map from another: everything that its outcome can depend on, by content.

A key holds the plan, with the source of its functions and what these see beside their arguments;
the tools with their source and settings; which models are asked; the settings that change what
models are told; for whom it runs; and the value of each input, not its place in the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from portia_nb.model import codecs
from portia_nb.model.composite import each_step, functions_of
from portia_nb.model.plan import InvokeToolStep, Plan, ReActAgentStep, SingleToolAgentStep
from portia_nb.running.cached import tool_identity
from portia_nb.running.seen import seen_by
from portia_nb.tools.registry import ToolRegistry

from .launch import tool_of, tools_of

if TYPE_CHECKING:
    from .parts import Parts

_FORMAT = "1"
"""Changes with what a key is made of."""


def plan_key(parts: Parts, plan: Plan, registry: ToolRegistry, end_user: Any) -> str:
    """Return what the outcome of every row depends on, as a hash.

    Args:
        parts: the parts of a `Portia`.
        plan: what is run for each row.
        registry: the tools that it runs with.
        end_user: for whom it runs.
    """
    from .budgets import models_of_plan

    config = parts.config
    tools: dict[str, Any] = {}
    seen: list[Any] = []
    for step in each_step(plan.steps):
        if isinstance(step, InvokeToolStep | SingleToolAgentStep):
            tool = tool_of(step, registry)
            tools[tool.id] = tool_identity(tool)
        elif isinstance(step, ReActAgentStep):
            tools |= {tool.id: tool_identity(tool) for tool in tools_of(step, registry)}
        calls = [function.call for function in functions_of(step)]
        seen += [seen_by(call) for call in calls if call is not None]
    told = [
        _FORMAT,
        plan.content_hash(),
        sorted(tools.items()),
        seen,
        sorted(models_of_plan(parts, plan)) if config.replay is None else "replay",
        [config.argument_clarifications_enabled, config.large_output_threshold_tokens],
        str(config.file_root),
        end_user.model_dump(mode="json"),
    ]
    return _hash(told)


def row_key(of_plan: str, inputs: Mapping[str, Any]) -> str | None:
    """Return what tells a row, as a hash; None: an input of it can't be told by its content."""
    told = codecs.encode_or_describe({name: inputs[name] for name in sorted(inputs)})
    return None if codecs.is_unkept(told) else _hash([of_plan, told])


def map_key(of_plan: str, keys: list[str | None]) -> str | None:
    """Return what tells a whole map; None: a row of it can't be told."""
    return None if None in keys else _hash([of_plan, "map", keys])


def begun_key(key: str) -> str:
    """Return under which key the run of a row is found that was begun, whatever became of it."""
    return _hash([key, "begun"])


def _hash(told: Any) -> str:
    return hashlib.sha256(codecs.dumps(told).encode()).hexdigest()
