"""The older builder: steps as a planner writes them, a task each, with a tool and an output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import TypeAdapter

from portia_nb.model.callables import SchemaRef
from portia_nb.model.plan import AnyStep, Plan, PlanContext, PlanInput, Step, Variable
from portia_nb.model.reference import to_argument

from .bound import remember
from .check import find_problems, refuse

_STEP: TypeAdapter[AnyStep] = TypeAdapter(Step)


class PlanBuilder:
    """Build a plan from tasks, as a planner writes them; `PlanBuilderV2` can do more.

    A step names a tool, whose arguments a model chooses from the task and the inputs; without one
    a model does the task by itself. What is built is the same `Plan` as everywhere else.

    >>> plan = (
    ...     PlanBuilder("Is it warm in this city?")
    ...     .plan_input("$city", "where to look")
    ...     .step("Look up the weather", "weather_tool", "$sky")
    ...     .input("$city")
    ...     .step("Say whether that is warm", output="$answer")
    ...     .input("$sky", "what the weather tool said")
    ...     .condition("The weather could be looked up")
    ...     .build()
    ... )
    >>> [(step.name, step.tool_id, step.condition) for step in plan.steps]
    [('sky', 'weather_tool', None), ('answer', None, 'The weather could be looked up')]
    """

    def __init__(self, query: str | None = None, structured_output_schema: Any = None) -> None:
        """Start a plan.

        Args:
            query: what the plan is for.
            structured_output_schema: the shape of the final output: a pydantic model, another type,
                or a JSON schema.
        """
        self._query = query or ""
        self._schema = (
            None if structured_output_schema is None else SchemaRef.of(structured_output_schema)
        )
        self._steps: list[dict[str, Any]] = []
        self._inputs: list[PlanInput] = []

    def step(
        self,
        task: str,
        tool_id: str | None = None,
        output: str | None = None,
        inputs: Sequence[Variable] | None = None,
        condition: str | None = None,
    ) -> Self:
        """Add a step.

        Args:
            task: what it does.
            tool_id: the tool that it calls; None: a model does it without one.
            output: the name of what comes out, with or without ``$``; None: ``$output_<index>``.
            inputs: what it is given, each by the output or plan input that its name means.
            condition: a sentence; the step is skipped where a model judges it false.
        """
        name = output or f"output_{len(self._steps)}"
        self._steps.append(
            {
                "task": task,
                "inputs": tuple(inputs or ()),
                "tool_id": tool_id,
                "output": f"${name.removeprefix('$')}",
                "condition": condition,
            }
        )
        return self

    def input(
        self, name: str, description: str | None = None, step_index: int | None = None
    ) -> Self:
        """Give a step, the last one unless `step_index` says otherwise, an output or a plan input.

        Args:
            name: the output of an earlier step, or a plan input, with or without ``$``.
            description: what it holds, for the model that does the step.
            step_index: the step's index from 0.

        Raises:
            ValueError: there is no such step.
        """
        return self._give(Variable(name=_dollar(name), description=description or ""), step_index)

    def variable(
        self,
        name: str,
        value: Any = None,
        description: str | None = None,
        step_index: int | None = None,
    ) -> Self:
        """Give a step a value under a name of its own; without a `value`, as `input` does.

        Args:
            name: how the model that does the step sees it.
            value: a literal, or what holds references such as ``StepOutput("sky", path="temp")``.
            description: what it is, for the model.
            step_index: the step's index from 0; None: the last one.

        Raises:
            ValueError: there is no such step.
        """
        given = None if value is None else to_argument(value)
        made = Variable(name=_dollar(name), description=description or "", value=given)
        return self._give(made, step_index)

    def condition(self, condition: str, step_index: int | None = None) -> Self:
        """Let a step, the last one unless `step_index` says otherwise, hang on a sentence.

        It is skipped where a model judges the sentence false of the step's inputs.

        Raises:
            ValueError: there is no such step.
        """
        self._at(step_index)["condition"] = condition
        return self

    def plan_input(
        self, name: str, description: str | None = None, default_value: Any = None
    ) -> Self:
        """Declare an input that the plan is given when it is run; without a default it must be."""
        plain = name.removeprefix("$")
        self._inputs.append(PlanInput(name=plain, description=description, value=default_value))
        return self

    def build(self) -> Plan:
        """Return the plan, checked; the builder can go on and build another.

        Raises:
            PlanCheckError: the plan can't run: it has no steps, a step refers to what isn't there
                or comes later, or two steps have the same output. `problems` holds every reason.
        """
        ids = [step["tool_id"] for step in self._steps if step["tool_id"]]
        plan = Plan(
            plan_context=PlanContext(query=self._query, tool_ids=tuple(dict.fromkeys(ids))),
            steps=tuple(_STEP.validate_python(step) for step in self._steps),
            plan_inputs=tuple(self._inputs),
            structured_output_schema=self._schema,
        )
        refuse(find_problems(plan), plan)
        remember(plan)
        return plan

    def _give(self, variable: Variable, step_index: int | None) -> Self:
        step = self._at(step_index)
        step["inputs"] = (*step["inputs"], variable)
        return self

    def _at(self, index: int | None) -> dict[str, Any]:
        count = len(self._steps)
        place = count - 1 if index is None else index
        if not 0 <= place < count:
            known = f"the steps so far are 0 to {count - 1}" if count else "there is no step yet"
            found = "" if index is None else f"no step {index}: "
            raise ValueError(f"{found}{known}; call step(…) first")
        return self._steps[place]


def _dollar(name: str) -> str:
    return f"${name.removeprefix('$')}"
