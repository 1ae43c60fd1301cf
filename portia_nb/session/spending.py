"""What each step of a plan spends on models, row by row, in reading order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portia_nb.config import Config, Purpose
from portia_nb.errors import ToolNotFoundError
from portia_nb.llm.choice import Models
from portia_nb.model.estimate import StepCostEstimate
from portia_nb.model.language import LanguageModel
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    AnyStep,
    Branch,
    ConditionalStep,
    InvokeToolStep,
    LLMStep,
    LoopStep,
    Plan,
    SingleToolAgentStep,
    SubPlanStep,
)
from portia_nb.model.prices import Price, price_of
from portia_nb.model.reference import StepOutput
from portia_nb.running.prompts import choose_arguments, judge, llm_step, summary
from portia_nb.tools.registry import ToolRegistry

from .sizes import (
    AGENT_CALLS,
    ARGUMENT_TOKENS,
    DATA_TOKENS,
    INPUT_TOKENS,
    JUDGEMENT_TOKENS,
    SUMMARY_TOKENS,
    TEXT_TOKENS,
    TOOL_OUTPUT_TOKENS,
    TOOL_SPEC_TOKENS,
    judged_tokens,
    rounds_of,
    sent_tokens,
    size_of,
    sizes_of_inputs,
    tokens,
)

_ASKS_A_MODEL = frozenset({LLM_TOOL_ID, "image_understanding_tool"})


class Known:
    """What is known without asking anybody: which models are asked, their prices, the tools."""

    def __init__(
        self,
        config: Config,
        tools: ToolRegistry | Sequence[Any] | None,
        prices: Mapping[str, Price],
    ) -> None:
        """Take what `CostEstimator` was given."""
        self._models = Models(config)
        self._tools = tools
        self._prices = prices

    def model_name(self, purpose: Purpose, override: str | LanguageModel | None = None) -> str:
        """Return who is asked for `purpose`, as ``provider/name``."""
        if override is not None:
            return self._models.named(override, purpose).name
        return self._models.for_purpose(purpose).name

    def price(self, model: str) -> Price | None:
        """Return the price of a model, None where it isn't known."""
        return price_of(model, self._prices)

    def tool_tokens(self, tool_id: str | None, bound: Any = None) -> int:
        """Return how long a tool's description is, as a model sees it."""
        tool = bound
        if tool is None:
            try:
                tool = self._registry().get_tool(tool_id or "")
            except ToolNotFoundError:
                return TOOL_SPEC_TOKENS
        spec = tool.to_spec()
        return tokens(spec.description) + tokens(json.dumps(spec.parameters))

    def open_arguments(self, step: SingleToolAgentStep) -> bool:
        """Tell whether a model has arguments left to choose."""
        try:
            tool = step.bound_tool or self._registry().get_tool(step.tool_id or "")
        except ToolNotFoundError:
            return True
        return not set(step.args) >= set(tool.args_schema.model_fields)

    def _registry(self) -> ToolRegistry:
        if not isinstance(self._tools, ToolRegistry):
            from portia_nb.tools.examples import open_source_tools

            given = open_source_tools() if self._tools is None else self._tools
            self._tools = ToolRegistry(given)
        return self._tools


@dataclass(slots=True)
class _Spent:
    """What one step spends, as it adds up."""

    model: str | None = None
    calls: int = 0
    sent: int = 0
    back: int = 0
    judged: int = 0
    judge_sent: int = 0
    notes: list[str] = field(default_factory=list[str])

    def call(self, model: str, sent: int, back: int, times: int = 1) -> None:
        self.model = model
        self.calls += times
        self.sent += sent * times
        self.back += back * times

    def judge(self, sent: int, times: int = 1) -> None:
        self.judged += times
        self.judge_sent += sent * times


class Rows:
    """The rows of one estimate, made in reading order."""

    def __init__(self, by: Known) -> None:
        self.made: list[StepCostEstimate] = []
        self.judges: set[str] = set()
        self._by = by

    def steps(self, steps: Sequence[AnyStep], path: str, times: int, sizes: dict[str, int]) -> None:
        """Add a row for each step, made `times` times, and note how much it puts out."""
        for step in steps:
            spent, size = self._own(step, sizes, times)
            sizes[step.name] = sizes[step.output.removeprefix("$")] = size
            self._add(f"{path}{step.name}", type(step).__name__, spent, step.condition is not None)
            self._inside(step, f"{path}{step.name}/", times, sizes)

    def ending(self, plan: Plan) -> None:
        """Add a row for what a model does with the final output."""
        spent = _Spent()
        schema = plan.structured_output_schema
        last = plan.steps[-1] if plan.steps else None
        if schema is not None and (last is None or last.output_schema != schema):
            shape = tokens(json.dumps(schema.json_schema))
            model = self._by.model_name("execution")
            spent.call(model, shape + TEXT_TOKENS, DATA_TOKENS)
            spent.notes.append("the last output is brought into the plan's shape")
            self._add("final output", "final_output", spent, False)
        if plan.summarize:
            self._summary("final output", plan.plan_context.query, len(plan.steps))

    def _summary(self, name: str, query: str, outputs: int) -> None:
        spent = _Spent(notes=["a model sums the outputs up"])
        sent = sent_tokens(summary.summary_messages(query, {})) + outputs * TEXT_TOKENS
        spent.call(self._by.model_name("summary"), sent, SUMMARY_TOKENS)
        self._add(name, "summary", spent, False)

    def _own(self, step: AnyStep, sizes: dict[str, int], times: int) -> tuple[_Spent, int]:
        """Return what a step spends itself, in all its rounds, and the size of its output."""
        spent, size = _Spent(), TOOL_OUTPUT_TOKENS
        given = sum(
            size_of(v.value or StepOutput(v.name.removeprefix("$")), sizes) for v in step.inputs
        )
        if step.condition is not None:
            spent.judge(sent_tokens(judge.judge_messages(step.condition, {})) + given, times)
            spent.notes.append("a model judges its condition")
        if step.output_schema is not None:
            given += tokens(json.dumps(step.output_schema.json_schema))
        match step:
            case LLMStep():
                size = self._llm(step, spent, given, times)
            case SingleToolAgentStep():
                self._agent(step, spent, given, times)
            case InvokeToolStep() if step.tool_id in _ASKS_A_MODEL:
                size = TEXT_TOKENS
                sent = 50 + sum(size_of(argument, sizes) for argument in step.args.values())
                spent.call(self._by.model_name("execution"), sent, size, times)
                spent.notes.append("the tool asks a model once")
            case ConditionalStep():
                self._judge_branches(step.branches, spent, sizes, times)
            case LoopStep():
                self._judge_rounds(step, spent, sizes, times)
            case _:
                if str(step.kind) == "react":
                    size = self._react(step, spent, given, times)
        return spent, size

    def _llm(self, step: LLMStep, spent: _Spent, given: int, times: int) -> int:
        size = TEXT_TOKENS if step.output_schema is None else DATA_TOKENS
        messages = llm_step.llm_step_messages(step.task, {}, step.system_prompt)
        model = self._by.model_name("execution", step.bound_model)
        spent.call(model, sent_tokens(messages) + given, size, times)
        spent.notes.append("one call")
        return size

    def _agent(self, step: SingleToolAgentStep, spent: _Spent, given: int, times: int) -> None:
        if not self._by.open_arguments(step):
            return
        messages = choose_arguments.choose_arguments_messages(
            step.task, {}, settled=dict.fromkeys(step.args, ""), may_ask=True
        )
        about = self._by.tool_tokens(step.tool_id, step.bound_tool)
        model = self._by.model_name("execution", step.bound_model)
        spent.call(model, sent_tokens(messages) + given + about, ARGUMENT_TOKENS, times)
        spent.notes.append("one call that chooses the tool's arguments")

    def _react(self, step: Any, spent: _Spent, given: int, times: int) -> int:
        """Count an agent's calls: each sees the task, its tools, and all that came before."""
        rounds = min(step.tool_call_limit, AGENT_CALLS)
        ids = step.tool_ids or ()
        bound = {tool.id: tool for tool in step.bound_tools}
        about = sum(self._by.tool_tokens(tool_id, bound.get(tool_id)) for tool_id in ids)
        start = tokens(step.task) + given + (about or 5 * TOOL_SPEC_TOKENS) + 100
        model = self._by.model_name("execution", step.bound_model)
        for number in range(rounds):
            sent = start + number * (ARGUMENT_TOKENS + TOOL_OUTPUT_TOKENS)
            spent.call(model, sent, ARGUMENT_TOKENS, times)
        spent.call(model, start + rounds * TOOL_OUTPUT_TOKENS, TEXT_TOKENS, times)
        spent.notes.append(
            f"{rounds} tool calls assumed, {step.tool_call_limit} allowed; each sees the earlier"
        )
        return TEXT_TOKENS

    def _judge_branches(
        self, branches: Sequence[Branch], spent: _Spent, sizes: dict[str, int], times: int
    ) -> None:
        judged = 0
        for branch in branches:
            if branch.condition is not None and branch.condition.sentence is not None:
                spent.judge(judged_tokens(branch.condition, sizes), times)
                judged += 1
        if judged:
            spent.notes.append("a model judges its conditions, all of them at most")

    def _judge_rounds(
        self, step: LoopStep, spent: _Spent, sizes: dict[str, int], times: int
    ) -> None:
        rounds, is_known = rounds_of(step)
        spent.notes.append(f"{rounds} rounds" + ("" if is_known else " assumed"))
        condition = step.condition_of_rounds
        if condition is not None and condition.sentence is not None:
            # A while loop is judged once more than it runs.
            count = rounds + (1 if step.while_ is not None else 0)
            spent.judge(judged_tokens(condition, sizes), times * count)

    def _inside(self, step: AnyStep, path: str, times: int, sizes: dict[str, int]) -> None:
        match step:
            case ConditionalStep():
                self._dearest(step.branches, path, times, sizes)
            case LoopStep():
                sizes[step.name] = INPUT_TOKENS
                self.steps(step.steps, path, times * rounds_of(step)[0], sizes)
            case SubPlanStep():
                inner = sizes_of_inputs(step.plan_inputs)
                inner |= {name: size_of(given, sizes) for name, given in step.args.items()}
                self.steps(step.steps, path, times, inner)
                if step.summarize:
                    self._summary(f"{path}summary", step.task, len(step.steps))
            case _:
                pass

    def _dearest(
        self, branches: Sequence[Branch], path: str, times: int, sizes: dict[str, int]
    ) -> None:
        """Add the rows of the branch that costs most, by tokens."""
        tried: list[tuple[int, list[StepCostEstimate], dict[str, int]]] = []
        for branch in branches:
            alone = Rows(self._by)
            inner = dict(sizes)
            alone.steps(branch.steps, path, times, inner)
            self.judges |= alone.judges
            weight = sum(
                row.estimated_input_tokens + 5 * row.estimated_output_tokens for row in alone.made
            )
            tried.append((weight, alone.made, inner))
        _, rows, inner = max(tried, key=lambda one: one[0])
        self.made += rows
        sizes |= inner

    def _add(self, name: str, kind: str, spent: _Spent, has_condition: bool) -> None:
        judged_back = spent.judged * JUDGEMENT_TOKENS
        costs: dict[str, float | None] = {}
        if spent.model is not None:
            purpose = "summary" if kind == "summary" else "execution"
            costs[purpose] = self._cost(spent.model, spent.sent, spent.back)
        asked = spent.model
        if spent.judged:
            judge_name = self._by.model_name("introspection")
            self.judges.add(judge_name)
            asked = asked or judge_name
            costs["introspection"] = self._cost(judge_name, spent.judge_sent, judged_back)
        known = {what: cost for what, cost in costs.items() if cost is not None}
        self.made.append(
            StepCostEstimate(
                step_name=name,
                step_type=kind,
                model=asked,
                model_calls=spent.calls + spent.judged,
                estimated_input_tokens=spent.sent + spent.judge_sent,
                estimated_output_tokens=spent.back + judged_back,
                estimated_cost=None if len(known) < len(costs) else sum(known.values()),
                cost_breakdown=known,
                explanation="; ".join(spent.notes) or "no model is asked",
                has_condition=has_condition,
                introspection_cost=costs.get("introspection", 0.0),
            )
        )

    def _cost(self, model: str, sent: int, back: int) -> float | None:
        price = self._by.price(model)
        return None if price is None else price.cost(sent, back)
