"""Turn a query into a plan, with one model call where the first reply is sound."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from portia_nb.errors import ModelReplyInvalid, PlanError, PlanNotFeasibleError
from portia_nb.model.callables import SchemaRef
from portia_nb.model.json_schema import schema_violations
from portia_nb.model.language import (
    SCRIPTED,
    DataAnswer,
    LanguageModel,
    Message,
    ModelReply,
    ModelRequest,
    billed_before,
)
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    InvokeToolStep,
    LLMStep,
    Plan,
    PlanContext,
    SingleToolAgentStep,
)
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import ToolRegistry

from .check import find_problems
from .inputs import read_plan_inputs
from .prompts.planner import (
    VERSION,
    OfferedTool,
    PlanningTask,
    compact_json,
    mending_messages,
    planning_messages,
)
from .proposal import read_steps, write_bound
from .reply_schema import ReplySchema, reply_schema

MAX_REPLIES = 3
"""Replies of the model, the first one included, before planning fails."""
MAX_PROBLEMS = 10
"""Problems of one reply that are sent back; the rest mostly follow from them."""


async def make_plan(
    query: str,
    tools: ToolRegistry | Iterable[Any],
    *,
    model: LanguageModel,
    example_plans: Sequence[Plan] = (),
    plan_inputs: Any = (),
    schema: Any = None,
    on_reply: Callable[[ModelReply], None] | None = None,
) -> Plan:
    """Plan how to answer `query` with `tools`.

    The model is asked once; a reply that can't run goes back with what is wrong, three replies at
    most. Arguments that are known now are bound in the plan, so that their steps need no model when
    they run. Values of plan inputs are never shown to the model.

    Args:
        query: what is wanted.
        tools: what may be used; ``llm_tool`` is always there.
        model: who plans.
        example_plans: plans to take after.
        plan_inputs: inputs that the plan will be given, as `read_plan_inputs` reads them.
        schema: the shape that the final output must have: a type or a JSON schema.
        on_reply: called with each reply, before it is looked at.

    Raises:
        PlanNotFeasibleError: the model says that it can't be done; `reason` holds its words.
        PlanError: the query is empty, no reply of three can run (`problems` holds what is wrong
            with the last), or the model's reply was cut off or refused (the cause).
        ModelError: the model can't be asked.
    """
    asked = Asked(query, tools, example_plans, plan_inputs, schema)
    return await ask_for_plan(asked, model, on_reply)


async def ask_for_plan(
    asked: Asked,
    model: LanguageModel,
    on_reply: Callable[[ModelReply], None] | None = None,
    *,
    most: int = MAX_REPLIES,
) -> Plan:
    """Return the plan that `model` gives; a reply that can't run goes back with what is wrong.

    Args:
        asked: what is wanted, and how replies to it are read.
        model: who is asked.
        on_reply: called with each reply, before it is looked at.
        most: replies at most, the first one included.

    Raises:
        PlanNotFeasibleError: as `make_plan`.
        PlanError: as `make_plan`.
        ModelError: the model can't be asked.
    """
    said_something = bool(asked.wanted.strip())
    messages, problems = asked.messages(), [f"the {asked.noun} is empty"]
    for count in range(most if said_something else 0):
        try:
            reply = await model.reply(asked.request(messages, count))
        except ModelReplyInvalid as error:
            usage = billed_before(error)
            if on_reply is not None and usage.calls:
                on_reply(ModelReply(model=model.name, usage=usage))  # refused, and billed
            if not error.facts.get("problem"):
                # Cut off, filtered or refused: asking again changes nothing.
                raise PlanError(
                    f"no plan for {asked.wanted!r:.200}: {error}",
                    query=asked.wanted,
                    reason=str(error),
                ) from error
            said, problems = str(error.facts.get("text", "")), [str(error.facts["problem"])]
        else:
            if on_reply is not None:
                on_reply(reply)
            plan, problems = asked.read(reply)
            if plan is not None:
                return plan
            said = compact_json(reply.data)
        messages = asked.messages() + mending_messages(said, problems[:MAX_PROBLEMS])
    where = advice = ""
    if said_something:
        where = f" after {most} replies of {model.name}"
        advice = ". Say it in other words, or set another planning_model"
    raise PlanError(
        f"no plan for {asked.wanted!r:.200}{where}: " + "; ".join(problems[:MAX_PROBLEMS]) + advice,
        query=asked.wanted,
        problems=tuple(problems),
        reason="; ".join(problems[:MAX_PROBLEMS]),
    )


class Asked:
    """One query, its tools, and how replies to it are read."""

    noun = "query"

    def __init__(
        self,
        query: str,
        tools: ToolRegistry | Iterable[Any],
        examples: Sequence[Plan],
        inputs: Any,
        schema: Any,
    ) -> None:
        registry = tools if isinstance(tools, ToolRegistry) else ToolRegistry(tools)
        offered = [t for t in registry.match_tools(query) if t.id != LLM_TOOL_ID]
        self.query = query
        self.tools: dict[str, Tool[Any]] = {tool.id: tool for tool in offered}
        self.registry = ToolRegistry(offered)
        self.examples = examples
        self.inputs = read_plan_inputs(inputs)
        self.output = None if schema is None else SchemaRef.of(schema)
        self.schema: ReplySchema = reply_schema(offered, has_inputs=bool(self.inputs))

    @property
    def wanted(self) -> str:
        """What is wanted, in a person's words."""
        return self.query

    def messages(self) -> tuple[Message, ...]:
        """Return what the model is told first."""
        return planning_messages(self.task())

    def task(self) -> PlanningTask:
        """Return what the plan is wanted for."""
        untyped = self.schema.untyped
        return PlanningTask(
            query=self.query,
            tools=[
                OfferedTool(t.id, t.description, t.json_schema() if t.id in untyped else None)
                for t in self.tools.values()
            ],
            examples=[example_of(plan) for plan in self.examples],
            inputs={i.name: i.description or "" for i in self.inputs},
            output_schema=None if self.output is None else self.output.json_schema,
        )

    def key(self) -> list[str]:
        """Return what a record's answer to this is found by."""
        key = ["planner", VERSION, self.query, *sorted(self.tools)]
        if more := self._beside_the_query():
            key.append(f"with {hashlib.sha256(compact_json(more).encode()).hexdigest()[:16]}")
        return key

    def request(self, messages: tuple[Message, ...], count: int) -> ModelRequest:
        """Return the request, of the first reply or of its `count`-th mending."""
        key = self.key()
        if count:
            key.append(f"mending {count}")
        return ModelRequest(
            messages=messages,
            answer=DataAnswer("plan", self.schema.schema),
            purpose="planning",
            record_key=tuple(key),
            repairs=0,  # the replies are counted here
        )

    def _beside_the_query(self) -> list[Any]:
        """Return what else makes this another question: nothing for most queries."""
        shape = None if self.output is None else self.output.json_schema
        given = [[i.name, i.description] for i in self.inputs]
        examples = [example_of(plan) for plan in self.examples]
        return [shape, given, examples] if shape or given or examples else []

    def refused(self, reply: ModelReply) -> list[str]:
        """Return where `reply` is not of the shape that was asked for.

        Raises:
            PlanNotFeasibleError: the reply says that it can't be done.
        """
        violations = schema_violations(reply.data, self.schema.schema)
        reason = "" if violations else (reply.data.get("error") or "").strip()
        if reason:
            raise PlanNotFeasibleError(
                f"{reply.model or 'the planner'} says that {self.wanted!r:.200} can't be done with "
                f"these tools ({', '.join(self.tools) or 'none'}): {reason}",
                reason=reason,
                query=self.wanted,
            )
        return violations

    def read(self, reply: ModelReply) -> tuple[Plan | None, list[str]]:
        """Return the plan in `reply`, or what is wrong with it.

        Raises:
            PlanNotFeasibleError: the reply says that it can't be done.
        """
        if violations := self.refused(reply):
            return None, violations
        steps, problems = read_steps(reply.data.get("steps") or (), self.tools, self.schema.untyped)
        plan = Plan(
            plan_context=PlanContext(query=self.query, tool_ids=tuple(self.tools)),
            steps=tuple(steps),
            plan_inputs=self.inputs,
            structured_output_schema=self.output,
            scripted=reply.model == SCRIPTED,
        )
        if not steps and not problems:
            return None, ["the plan has no steps, and its error doesn't say why"]
        # Steps that can't be read are missing from the plan, and the check would ask after them.
        problems = problems or find_problems(plan, self.registry)
        return (None, problems) if problems else (plan, [])


def example_of(plan: Plan) -> dict[str, Any]:
    """Return `plan` in the shape of a reply, with its query; other kinds of step are left out."""
    steps: list[dict[str, Any]] = []
    for step in plan.steps:
        if not isinstance(step, LLMStep | InvokeToolStep | SingleToolAgentStep):
            continue
        shown: dict[str, Any] = {
            "task": step.task,
            "inputs": [{"name": v.name, "description": v.description} for v in step.inputs],
            "tool_id": step.tool_id or LLM_TOOL_ID,
            "output": step.output,
        }
        if not isinstance(step, LLMStep) and step.args:
            shown["args"] = {name: write_bound(value) for name, value in step.args.items()}
        if step.condition:
            shown["condition"] = step.condition
        steps.append(shown)
    return {"query": plan.plan_context.query, "steps": steps}
