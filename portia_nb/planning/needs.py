"""What a run of a plan will need: tools, inputs, and at least how many model calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from portia_nb.model.composite import (
    AnyStep,
    Composite,
    Condition,
    ConditionalStep,
    LoopStep,
    SubPlanStep,
    bodies,
    each_step,
)
from portia_nb.model.plan import LLM_TOOL_ID, Plan
from portia_nb.model.reference import Value
from portia_nb.model.steps import ExitStep, LLMStep, ReActAgentStep, SingleToolAgentStep


@dataclass(frozen=True, slots=True)
class PlanNeeds:
    """What a run of a plan will need, as far as the plan itself says it."""

    model_calls: int
    """At least so many calls of models, where the run goes through and no output is reused."""
    tools: tuple[str, ...]
    """Ids of the tools that steps name, each once."""
    inputs: tuple[str, ...]
    """Names of the inputs that must be given: those without a default."""
    changes: tuple[str, ...] = ()
    """Places of the steps that change something outside."""

    def sentences(self) -> tuple[str, ...]:
        """Return it as short sentences for people.

        >>> PlanNeeds(2, ("search_tool",), ("city",), ("pay",)).sentences()
        ('Needs at least 2 model calls.', 'Tools: search_tool.', 'Inputs to give: city.',
        'Changes something outside: pay.')
        """
        calls = f"{self.model_calls} model call{'' if self.model_calls == 1 else 's'}"
        said = [f"Needs at least {calls}." if self.model_calls else "May need no model call."]
        for title, names in (
            ("Tools", self.tools),
            ("Inputs to give", self.inputs),
            ("Changes something outside", self.changes),
        ):
            if names:
                more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
                said.append(f"{title}: {', '.join(names[:_LISTED])}{more}.")
        return tuple(said)


_LISTED = 20


def needs_of(plan: Plan, effects: Mapping[str, bool | None] | None = None) -> PlanNeeds:
    """Return what a run of `plan` will need.

    Args:
        plan: any plan.
        effects: by place, whether a step changes the world; None: as the steps themselves say.
    """
    found: dict[str, None] = {}
    for step in each_step(plan.steps):
        if not step.disabled:
            several = getattr(step, "tool_ids", None) or ()
            own = (step.tool_id,) if step.tool_id not in (None, LLM_TOOL_ID) else ()
            found.update(dict.fromkeys((*own, *several)))
    known = dict(effects or {}) or {
        place.step.name: place.step.side_effect for place in plan.names.places
    }
    return PlanNeeds(
        model_calls=_at_least(plan.steps)[0] + int(plan.summarize),
        tools=tuple(str(tool) for tool in found),
        inputs=tuple(i.name.removeprefix("$") for i in plan.plan_inputs if i.value is None),
        changes=tuple(changing_places(known)),
    )


def changing_places(effects: Mapping[str, bool | None]) -> list[str]:
    """Return the places of steps that change the world themselves, not only by those they hold.

    >>> changing_places({"look": False, "each": True, "each/pay": True})
    ['each/pay']
    """
    found = [place for place, effect in effects.items() if effect is True]
    return [place for place in found if not any(p.startswith(f"{place}/") for p in found)]


def _at_least(steps: Sequence[AnyStep]) -> tuple[int, bool]:
    """Return how many model calls steps make at least, and whether they may end the run early."""
    total = 0
    for step in steps:
        calls, may_end = _of_step(step)
        total += calls
        if may_end:
            return total, True
    return total, False


def _of_step(step: AnyStep) -> tuple[int, bool]:
    if step.disabled:
        return 0, False
    may_end = any(isinstance(held, ExitStep) for held in _with_held(step))
    if step.condition is not None:  # a model judges it, and the step may be skipped
        return 1, may_end
    if step.cache:
        return 0, may_end
    match step:
        case LLMStep() | ReActAgentStep():
            return 1, False
        case SingleToolAgentStep():
            return int(_leaves_a_choice(step)), False
        case ConditionalStep():
            return _of_branches(step), may_end
        case LoopStep():
            return _of_loop(step), may_end
        case SubPlanStep():
            return _at_least(step.steps)[0] + int(step.summarize), may_end
        case _:
            return int(step.tool_id == LLM_TOOL_ID), may_end


def _with_held(step: AnyStep) -> list[AnyStep]:
    if not isinstance(step, Composite):
        return [step]
    return [step, *(held for body in bodies(step) for held in each_step(body))]


def _leaves_a_choice(step: SingleToolAgentStep) -> bool:
    tool = step.bound_tool
    wanted = None if tool is None else set(tool.args_schema.model_fields)
    return not step.args if wanted is None else not wanted <= set(step.args)


def _asks(condition: Condition | None) -> int:
    return int(condition is not None and condition.sentence is not None)


def _of_branches(step: ConditionalStep) -> int:
    """Return the calls of the branch that takes fewest, with those that judge on the way to it."""
    judged, found = 0, list[int]()
    for branch in step.branches:
        judged += _asks(branch.condition)
        found.append(judged + _at_least(branch.steps)[0])
    if step.branches[-1].condition is not None:
        found.append(judged)  # none is taken
    return min(found)


def _of_loop(step: LoopStep) -> int:
    a_round = _at_least(step.steps)[0]
    if step.over is not None:
        items = step.over.value if isinstance(step.over, Value) else ()
        return a_round * (len(items) if isinstance(items, Sequence) else 0)
    if step.while_ is not None:
        return _asks(step.while_)
    return a_round + _asks(step.do_while_)
