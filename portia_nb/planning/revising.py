"""Change a plan as a person says it in words: one model call, and what comes back is checked."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from portia_nb.model.ids import PlanUUID
from portia_nb.model.language import SCRIPTED, LanguageModel, Message, ModelReply
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    AnyStep,
    InvokeToolStep,
    LLMStep,
    Plan,
    SingleToolAgentStep,
)
from portia_nb.model.reference import Argument
from portia_nb.tools.registry import ToolRegistry

from .check import find_problems
from .planner import Asked, ask_for_plan, example_of
from .prompts.planner import compact_json
from .prompts.reviser import KEEP, VERSION, revising_messages
from .proposal import in_order, read_steps, write_bound

MAX_REPLIES = 2
"""Replies of the model: the first, and one that mends it."""


async def revise_plan(
    plan: Plan,
    change: str,
    tools: ToolRegistry | Iterable[Any],
    *,
    model: LanguageModel,
    on_reply: Callable[[ModelReply], None] | None = None,
) -> Plan:
    """Return `plan` changed as `change` says, checked with `tools`.

    The model is asked once; a reply that can't run goes back once with what is wrong. Steps that it
    leaves as they are stay with all that they carry (tools as objects, retries, models, …). Of what
    it says about its changes nothing is believed: `difference.plan_changes` tells what changed.

    Args:
        plan: the plan, which stays as it is.
        change: what is wanted, in a person's words.
        tools: what may be used, beside the tools that the plan was built with.
        model: who is asked.
        on_reply: called with each reply, before it is looked at.

    Raises:
        PlanNotFeasibleError: the model says that it can't be done; `reason` holds its words.
        PlanError: `change` is empty, or neither reply can run.
        ModelError: the model can't be asked.
    """
    return await ask_for_plan(_Change(plan, change, tools), model, on_reply, most=MAX_REPLIES)


class _Change(Asked):
    """One wish to change a plan."""

    noun = "change"

    def __init__(self, plan: Plan, change: str, tools: ToolRegistry | Iterable[Any]) -> None:
        registry = tools if isinstance(tools, ToolRegistry) else ToolRegistry(tools)
        own = [t for s in plan.steps if (t := getattr(s, "bound_tool", None)) is not None]
        known = {tool.id for tool in registry}
        registry = registry + [tool for tool in own if tool.id not in known]
        super().__init__(plan.plan_context.query, registry, (), plan.plan_inputs, None)
        self.output = plan.structured_output_schema
        self.plan = plan
        self.change = change
        if any(not _is_spelt(step) for step in plan.steps):
            self.schema = _with_keep(self.schema)

    @property
    def wanted(self) -> str:
        """What is wanted, in a person's words."""
        return self.change

    def shown(self) -> list[dict[str, Any]]:
        """Return the plan's steps as a reply says them; those that it can't, as to be kept."""
        spelt = iter(example_of(self.plan)["steps"])
        spelt = map(self._args_as_asked, spelt)
        # By the step's name, as inputs and references have it: a builder's outputs are numbered.
        return [
            {**(next(spelt) if _is_spelt(step) else _kept(step)), "output": f"${step.name}"}
            for step in self.plan.steps
        ]

    def _args_as_asked(self, step: dict[str, Any]) -> dict[str, Any]:
        is_text = step["tool_id"] in self.schema.untyped and "args" in step
        return {**step, "args": {"args_json": compact_json(step["args"])}} if is_text else step

    def messages(self) -> tuple[Message, ...]:
        """Return what the model is told first."""
        return revising_messages(self.task(), self.shown(), self.change)

    def key(self) -> list[str]:
        """Return what a record's answer to this is found by."""
        said = compact_json([self.query, self.shown()])
        digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]
        return ["reviser", VERSION, self.change, f"of {digest}", *sorted(self.tools)]

    def read(self, reply: ModelReply) -> tuple[Plan | None, list[str]]:
        """Return the changed plan in `reply`, or what is wrong with it.

        Raises:
            PlanNotFeasibleError: the reply says that it can't be done.
        """
        if violations := self.refused(reply):
            return None, violations
        before = {step.output.removeprefix("$"): step for step in self.plan.steps}
        before |= {step.name: step for step in self.plan.steps}
        steps: list[AnyStep] = []
        problems: list[str] = []
        for data in reply.data.get("steps") or ():
            name = str(data["output"]).strip().removeprefix("$")
            old = before.get(name)
            if data.get("tool_id") == KEEP or (old is not None and not _is_spelt(old)):
                if old is None:
                    problems.append(f"step {name!r}: there is no such step to keep")
                elif data.get("tool_id") != KEEP:
                    problems.append(f"step {name!r} can only be kept, or left out")
                else:
                    steps.append(old)
                continue
            found, wrong = read_steps([data], self.tools, self.schema.untyped)
            problems += wrong
            steps += [new if old is None else _taken_over(old, new) for new in found]
        if not steps and not problems:
            return None, ["the plan has no steps, and its error doesn't say why"]
        made = self.plan.model_copy(
            update={
                "id": PlanUUID.new(),
                "steps": tuple(in_order(steps)),
                "scripted": self.plan.scripted or reply.model == SCRIPTED,
            }
        )
        problems = problems or find_problems(made, self.registry)
        return (None, problems) if problems else (made, [])


def _is_spelt(step: AnyStep) -> bool:
    """Tell whether a reply can say all of `step` that a person would want to change."""
    return isinstance(step, LLMStep | InvokeToolStep | SingleToolAgentStep)


def _kept(step: AnyStep) -> dict[str, Any]:
    return {"task": step.task, "inputs": [], "tool_id": KEEP, "output": step.output}


def _with_keep(schema: Any) -> Any:
    found = copy.deepcopy(schema)
    step = found.schema["properties"]["steps"]["items"]["properties"]
    step["tool_id"]["enum"].append(KEEP)
    return found


def _taken_over(old: AnyStep, new: AnyStep) -> AnyStep:
    """Return `new` with all that `old` carries and a reply doesn't say."""
    names = {"task": new.task, "condition": new.condition, "tool_id": new.tool_id or LLM_TOOL_ID}
    update: dict[str, Any] = {k: v for k, v in names.items() if v != getattr(old, k)}
    if (old.tool_id or LLM_TOOL_ID) == names["tool_id"]:
        update.pop("tool_id", None)
    if [v.name for v in new.inputs] != [v.name for v in old.inputs]:
        was = {v.name: v for v in old.inputs}
        update["inputs"] = tuple(was.get(v.name, v) for v in new.inputs)
    if "task" in update and "task_parts" in type(old).model_fields:
        update["task_parts"] = None  # the new words are plain
    args = _args(getattr(old, "args", {}), getattr(new, "args", {}))
    if "tool_id" not in update and (args == getattr(old, "args", {})):
        return old.model_copy(update=update) if update else old
    if "tool_id" not in update:
        # A further argument may leave nothing open, or one less may leave something.
        update["args"] = args
        if type(new) is type(old):
            return old.model_copy(update=update)
    kept = {
        name: getattr(old, name)
        for name in ("name", "after", "retries", "timeout_s", "cache", "output_schema", "disabled")
    }
    made = new.model_copy(update={**kept, **update, "output": old.output})
    if "tool_id" not in update and getattr(old, "bound_tool", None) is not None:
        setattr(made, "_tool", getattr(old, "bound_tool"))  # noqa: B010, B009
    return made


def _args(old: Mapping[str, Argument], new: Mapping[str, Argument]) -> dict[str, Argument]:
    """Return the new arguments; one that a reply can't spell stays as it was, if it isn't given."""
    found: dict[str, Argument] = {}
    for name, was in old.items():
        said = write_bound(was)
        if name in new:
            found[name] = was if write_bound(new[name]) == said else new[name]
        elif said is None:
            found[name] = was
    return {**found, **{name: given for name, given in new.items() if name not in found}}
