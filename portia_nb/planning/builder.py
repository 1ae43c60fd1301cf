"""Build a plan in code, step by step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.composite import each_step
from portia_nb.model.language import LanguageModel
from portia_nb.model.plan import (
    AnyStep,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    Plan,
    PlanContext,
    PlanInput,
    ReActAgentStep,
    SingleToolAgentStep,
)
from portia_nb.model.written import to_arguments, to_variables
from portia_nb.tools.base import Tool

from .bound import remember
from .check import find_problems, refuse
from .clauses import tree
from .flow import StepRef
from .given import (
    json_only,
    model_name,
    model_object,
    task_fields,
    tool_and_id,
    tools_and_ids,
)
from .question_steps import QuestionBuilder


class PlanBuilderV2(QuestionBuilder):
    """Build a plan from steps in the order in which they are given.

    Each call adds one step and returns the builder. Whatever a step is given may hold references,
    in f-strings, lists and dicts too: ``StepOutput("name")``, ``StepOutput(0)``, ``StepOutput(-1)``
    (the last step of the finished plan) and ``Input("name")``.

    What the calls share:

    - `step_name`: ``step_<index>`` where none is given. The output is ``$step_<index>_output``.
    - `output_schema`: the shape that the output must have: a pydantic model, another type, or a
      JSON schema.
    - `inputs`: what a model sees beside the task, and nothing else: references and values, in a
      list or in a dict by name.
    - `tool`: an id, a Tool, or a class of one; a Tool need not be in any registry.
    - `model`: ``"provider/name"``, or any `LanguageModel`; None: the config's.
    - `after`: steps that must be done first, beside those that are referred to.
    - `side_effect`: True: it changes the world. False: it only reads, and may run beside others.
      None: as the tool declares.
    - `retries`: further tries after a failure; None: as the tool declares.
    - `timeout_s`: seconds that one try may take; None: as the run's config says.
    - `cache`: True: reuse what an equal step has put out, in any run of the store; a number: for so
      many seconds. None: as the tool declares.

    >>> from portia_nb import Input, PlanBuilderV2, StepOutput
    >>> plan = (
    ...     PlanBuilderV2("Say how warm it is")
    ...     .input(name="city")
    ...     .invoke_tool_step(tool="weather_tool", args={"city": Input("city")}, step_name="sky")
    ...     .llm_step(task=f"Is this warm for {Input('city')}?", inputs=[StepOutput("sky")])
    ...     .build()
    ... )
    >>> print(plan.pretty_print())
    Task: Say how warm it is
    1  sky  weather_tool  Call weather_tool
    2  step_1  llm_tool  Is this warm for $city?  ← $sky
    """

    def __init__(self, label: str = "Run the plan built with the Plan Builder") -> None:
        """Start a plan; `label` says what it is for, and is kept as its query."""
        super().__init__()
        self._label = label
        self._schema: SchemaRef | None = None
        self._summarize = False

    def input(
        self, *, name: str, description: str | None = None, default_value: Any = None
    ) -> Self:
        """Declare an input that the plan is given when it is run; ``Input(name)`` refers to it.

        Without a `default_value` it must be given.
        """
        plain = name.removeprefix("$")
        default = json_only(default_value, "an input's default")
        self._inputs.append(PlanInput(name=plain, description=description, value=default))
        return self

    def llm_step(
        self,
        *,
        task: str,
        inputs: Sequence[Any] | Mapping[str, Any] | None = None,
        output_schema: Any = None,
        step_name: str | None = None,
        system_prompt: str | None = None,
        model: str | LanguageModel | None = None,
        after: Sequence[StepRef] = (),
        retries: int | None = None,
        timeout_s: float | None = None,
        cache: bool | float | None = None,
    ) -> Self:
        """Add one model call over `task` and `inputs`, without a tool.

        `system_prompt` replaces the standing instruction.
        """
        common = self._common(step_name, output_schema, retries, timeout_s)
        step = LLMStep(
            **common,
            cache=cache,
            **task_fields(task),
            inputs=to_variables(inputs),
            system_prompt=system_prompt,
            model=model_name(model),
        )
        return self._add(step, after, _model=model_object(model))

    def invoke_tool_step(
        self,
        *,
        tool: str | Tool[Any] | type[Tool[Any]],
        args: Mapping[str, Any] | None = None,
        output_schema: Any = None,
        step_name: str | None = None,
        after: Sequence[StepRef] = (),
        side_effect: bool | None = None,
        retries: int | None = None,
        timeout_s: float | None = None,
        cache: bool | float | None = None,
    ) -> Self:
        """Add a call of `tool` with `args`, without a model call.

        Raises:
            InvalidToolDescriptionError: `tool` is no tool.
        """
        tool_id, bound = tool_and_id(tool)
        common = self._common(step_name, output_schema, retries, timeout_s)
        step = InvokeToolStep(
            **common,
            cache=cache,
            task=f"Call {tool_id}",
            tool_id=tool_id,
            args=to_arguments(args),
            side_effect=side_effect,
        )
        return self._add(step, after, _tool=bound)

    def function_step(
        self,
        *,
        function: Callable[..., Any],
        args: Mapping[str, Any] | None = None,
        output_schema: Any = None,
        step_name: str | None = None,
        after: Sequence[StepRef] = (),
        side_effect: bool | None = None,
        retries: int | None = None,
        timeout_s: float | None = None,
        cache: bool | float | None = None,
    ) -> Self:
        """Add a call of `function` with `args`, which come as the Python values that they are.

        Raises:
            TypeError: `function` can't be called, or is a tool.
        """
        if isinstance(function, Tool) or (
            isinstance(function, type) and issubclass(function, Tool)
        ):
            raise TypeError(f"{function!r:.80} is a tool: add it with invoke_tool_step")
        if not callable(function):
            raise TypeError(f"a function is needed, not {function!r:.80}")
        ref = FunctionRef.of(function)
        common = self._common(step_name, output_schema, retries, timeout_s)
        step = FunctionStep(
            **common,
            cache=cache,
            task=_first_line(function) or f"Call {ref.name}",
            function=ref,
            args=to_arguments(args),
            side_effect=side_effect,
        )
        return self._add(step, after)

    def single_tool_agent_step(
        self,
        *,
        tool: str | Tool[Any] | type[Tool[Any]],
        task: str,
        inputs: Sequence[Any] | Mapping[str, Any] | None = None,
        output_schema: Any = None,
        step_name: str | None = None,
        model: str | LanguageModel | None = None,
        after: Sequence[StepRef] = (),
        side_effect: bool | None = None,
        retries: int | None = None,
        timeout_s: float | None = None,
        cache: bool | float | None = None,
    ) -> Self:
        """Add a call of `tool` whose arguments a model chooses from `task` and `inputs`.

        Raises:
            InvalidToolDescriptionError: `tool` is no tool.
        """
        tool_id, bound = tool_and_id(tool)
        common = self._common(step_name, output_schema, retries, timeout_s)
        step = SingleToolAgentStep(
            **common,
            cache=cache,
            **task_fields(task),
            tool_id=tool_id,
            inputs=to_variables(inputs),
            model=model_name(model),
            side_effect=side_effect,
        )
        return self._add(step, after, _tool=bound, _model=model_object(model))

    def react_agent_step(
        self,
        *,
        task: str,
        tools: Sequence[str | Tool[Any] | type[Tool[Any]]] | None = None,
        inputs: Sequence[Any] | Mapping[str, Any] | None = None,
        output_schema: Any = None,
        step_name: str | None = None,
        allow_agent_clarifications: bool = False,
        tool_call_limit: int = 25,
        token_limit: int | None = None,
        model: str | LanguageModel | None = None,
        after: Sequence[StepRef] = (),
        side_effect: bool | None = None,
        retries: int | None = None,
        timeout_s: float | None = None,
    ) -> Self:
        """Add an agent: a model that calls `tools` as often as it needs, until it has the answer.

        Each of its calls is kept: after a kill it goes on, and calls nothing again that had come
        back. Calls in one reply run beside each other where their tools only read. At a limit the
        model gets one last call, without tools, to answer from what it has.

        Args:
            task: what to do.
            tools: ids, Tools, or classes of them; None: all that whoever runs the plan has.
            inputs: as for every step; what is large, binary or a table goes by reference.
            output_schema: as for every step.
            step_name: as for every step.
            allow_agent_clarifications: whether the model may put questions to the person.
            tool_call_limit: calls that it may ask for, at least 1.
            token_limit: tokens, of prompts and replies, after which it must answer; None: no limit.
            model: as for every step.
            after: as for every step.
            side_effect: as for every step; None: the strongest of its tools.
            retries: as for every step.
            timeout_s: seconds for the whole conversation, waiting for a person left out.

        Raises:
            InvalidToolDescriptionError: one of `tools` is no tool.
        """
        tool_ids, bound = tools_and_ids(tools)
        common = self._common(step_name, output_schema, retries, timeout_s)
        step = ReActAgentStep(
            **common,
            **task_fields(task),
            tool_ids=tool_ids,
            inputs=to_variables(inputs),
            model=model_name(model),
            allow_agent_clarifications=allow_agent_clarifications,
            tool_call_limit=tool_call_limit,
            token_limit=token_limit,
            side_effect=side_effect,
        )
        return self._add(step, after, _tools=bound, _model=model_object(model))

    def final_output(self, output_schema: Any = None, summarize: bool = False) -> Self:
        """Say what the run's final output is to be; without this it is the last step's output.

        `output_schema` is the shape that it must have; with `summarize` a model writes
        `final_output.summary`.
        """
        self._schema = None if output_schema is None else SchemaRef.of(output_schema)
        self._summarize = summarize
        return self

    def build(self) -> Plan:
        """Return the plan, checked; the builder can go on and build another.

        Raises:
            PlanCheckError: the plan can't run; `problems` holds every reason. Tool ids are looked
                at when it is run, since only then it is known which tools there are.
        """
        self._refuse_open()
        # Indexes become names here: only now is it known where the plan ends.
        steps = tree(self._entries)
        tool_ids = [tool_id for step in each_step(steps) for tool_id in _tools_of(step)]
        plan = Plan(
            plan_context=PlanContext(query=self._label, tool_ids=tuple(dict.fromkeys(tool_ids))),
            steps=steps,
            plan_inputs=tuple(self._inputs),
            structured_output_schema=self._schema,
            summarize=self._summarize,
        )
        refuse(find_problems(plan), plan)
        remember(plan)
        return plan


def _tools_of(step: AnyStep) -> tuple[str, ...]:
    """Return the ids of the tools that a step names."""
    if isinstance(step, ReActAgentStep):
        return step.tool_ids or ()
    return (step.tool_id,) if step.kind != "llm" and step.tool_id else ()


def _first_line(function: Callable[..., Any]) -> str:
    """Return the first line of what a function says of itself; a partial's is not its own."""
    text = inspect.getdoc(function) if inspect.isroutine(function) else None
    return text.strip().partition("\n")[0] if text else ""
