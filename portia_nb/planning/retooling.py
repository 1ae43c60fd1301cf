"""Give a step another tool: the kind of step follows from the tool and what of it is bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portia_nb.errors import PlanError
from portia_nb.model.composite import AnyStep
from portia_nb.model.plan import Plan
from portia_nb.model.reference import Argument
from portia_nb.model.steps import LLM_TOOL_ID, InvokeToolStep, LLMStep, SingleToolAgentStep
from portia_nb.model.written import to_arguments
from portia_nb.tools.registry import ToolRegistry

from .check import missing_arguments
from .given import tool_and_id

_KINDS = (LLMStep, InvokeToolStep, SingleToolAgentStep)


def can_change_tool(step: AnyStep) -> bool:
    """Tell whether `step` is of a kind that can have another tool."""
    return isinstance(step, _KINDS)


def retooled(
    step: AnyStep,
    tool: Any,
    args: Any,
    tools: ToolRegistry | None,
    plan: Plan,
) -> AnyStep:
    """Return `step` with another tool.

    With all arguments that the tool needs it calls the tool without a model; with some left open a
    model chooses those; ``llm_tool`` makes it a step of a model alone.

    Args:
        step: a step of a model or of one tool.
        tool: the tool, or its id.
        args: the arguments, all of them; None: those that the step has, if the tool stays.
        tools: what ids mean; None leaves open which arguments the tool needs.
        plan: the plan that the step is in, for errors.

    Raises:
        ToolNotFoundError: `tools` has none of this id; the message says what was probably meant.
        PlanError: arguments are given to ``llm_tool``.
    """
    tool_id, bound = tool_and_id(tool)
    given: dict[str, Argument] = {}
    if args is not None:
        if not isinstance(args, Mapping):
            raise PlanError(f"step {step.name!r}: args is a dict by argument, not {args!r:.80}")
        given = to_arguments(args)
    elif tool_id == step.tool_id:
        given = dict(getattr(step, "args", {}))
    if bound is None and tool_id == step.tool_id:
        bound = getattr(step, "bound_tool", None)
    if bound is None and tools is not None:
        tools.get_tool(tool_id)
    told = {} if step.task != f"Call {step.tool_id}" else {"task": f"Call {tool_id}"}
    if tool_id == LLM_TOOL_ID:
        if given:
            raise PlanError(
                f"step {step.name!r}: {LLM_TOOL_ID} takes no args: put what it needs into its task "
                "and inputs",
                plan_id=plan.id,
                step=step.name,
            )
        return _of(LLMStep, step, {"tool_id": tool_id, **told})
    known = bound or (None if tools is None else tools.get_tool(tool_id))
    is_open = missing_arguments(known, given) if known is not None else not given
    kind = SingleToolAgentStep if is_open else InvokeToolStep
    made = _of(kind, step, {"tool_id": tool_id, "args": given, **told})
    if bound is not None:
        setattr(made, "_tool", bound)  # noqa: B010 (a private attribute of either class)
    return made


def _of(kind: type[Any], step: AnyStep, update: Mapping[str, Any]) -> Any:
    """Return a step of another kind with what `step` says, as far as that kind can say it."""
    fields = {
        name: getattr(step, name)
        for name in kind.model_fields
        if name in type(step).model_fields and name not in ("kind", "args")
    }
    made = kind(**{**fields, **update})
    if "_model" in kind.__private_attributes__ and (model := getattr(step, "_model", None)):
        made._model = model
    return made
