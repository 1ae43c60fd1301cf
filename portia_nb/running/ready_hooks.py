"""Hooks that come with portia_nb: ask before tools are called, log what steps put out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from portia_nb.errors import ApprovalRefused
from portia_nb.model import codecs
from portia_nb.model.clarification import Clarification, UserVerificationClarification
from portia_nb.model.plan import AnyStep, Plan
from portia_nb.model.run import PlanRun
from portia_nb.model.values import LocalDataValue
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import ToolRegistry

from .calls import approval_subject

ASKER = "clarify_on_tool_calls"
"""`source` of the questions that these hooks ask."""
MAX_SHOWN_CHARS = 2_000

logger = logging.getLogger("portia_nb")

ToolHook = Callable[[Tool[Any], dict[str, Any], PlanRun, AnyStep], Clarification | None]


def clarify_on_all_tool_calls(
    tool: Tool[Any], args: dict[str, Any], plan_run: PlanRun, step: AnyStep
) -> Clarification | None:
    """Ask a person before each call of a tool; give it as `ExecutionHooks.before_tool_call`.

    The question is a `UserVerificationClarification` whose ``subject`` holds the tool and the exact
    arguments. Each call is asked about once: a yes counts for this tool with these arguments in
    this round of a loop, also after a resume, and for nothing else.

    Raises:
        ApprovalRefused: the answer was no; the run fails. Resumed, it asks again.

    >>> from portia_nb import Config, ExecutionHooks, PlanBuilderV2, Portia, tool
    >>> @tool
    ... def greet(name: str) -> str:
    ...     "Greet somebody."
    ...     return f"hello {name}"
    >>> plan = PlanBuilderV2().invoke_tool_step(tool=greet, args={"name": "Ada"}).build()
    >>> hooks = ExecutionHooks(before_tool_call=clarify_on_all_tool_calls)
    >>> portia = Portia(Config(store="memory"), tools=[], execution_hooks=hooks)
    >>> run = portia.run_plan(plan)
    >>> [question] = run.get_outstanding_clarifications()
    >>> question.user_guidance
    'Call Greet with {"name": "Ada"}?'
    >>> portia.resume(portia.resolve_clarification(question, "yes", run)).final_output.value
    'hello Ada'
    """
    subject = approval_subject(tool.id, args)
    for asked in reversed(plan_run.get_clarifications_for_step()):
        if _is_about(asked, subject):
            if asked.response is True:
                return None
            raise ApprovalRefused(
                f"step {asked.path!r}: the answer to {asked.user_guidance!r} was no, so "
                f"{tool.id} was not called",
                step=asked.path,
                tool_id=tool.id,
            )
    return UserVerificationClarification(
        user_guidance=f"Call {tool.name} with {_shown(subject['arguments'])}?",
        source=ASKER,
        subject=subject,
    )


def clarify_on_tool_calls(tools: str | Tool[Any] | type | Iterable[Any]) -> ToolHook:
    """Return a hook that asks before each call of some tools, as `clarify_on_all_tool_calls` does.

    Args:
        tools: one tool or several, each as its id, as a tool, or as what ``@tool`` made.

    >>> hook = clarify_on_tool_calls(["search_tool", "weather_tool"])
    """
    several = [tools] if isinstance(tools, str | Tool | type) else list(tools)
    ids = {one for one in several if isinstance(one, str)}
    # The reference prefixes the ids of decorated functions.
    ids |= {name.removeprefix("local_function_") for name in ids}
    ids |= {tool.id for tool in ToolRegistry([one for one in several if not isinstance(one, str)])}

    def ask_before_these(
        tool: Tool[Any], args: dict[str, Any], plan_run: PlanRun, step: AnyStep
    ) -> Clarification | None:
        if tool.id not in ids:
            return None
        return clarify_on_all_tool_calls(tool, args, plan_run, step)

    return ask_before_these


def log_step_outputs(plan: Plan, plan_run: PlanRun, step: AnyStep, output: LocalDataValue) -> None:
    """Log what each step puts out, at INFO; give it as `ExecutionHooks.after_step_execution`."""
    text = codecs.to_text(output.value)
    cut = text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"
    logger.info("step %s put out: %s", step.name, _visible(cut))


def _is_about(asked: Clarification, subject: dict[str, Any]) -> bool:
    return (
        isinstance(asked, UserVerificationClarification)
        and asked.resolved
        and asked.source == ASKER
        and (asked.subject or {}).get("sha256") == subject["sha256"]
    )


def _shown(arguments: Any) -> str:
    """Return arguments as JSON in one line; `subject` holds them whole."""
    text = json.dumps(arguments, ensure_ascii=False, default=repr)
    return _visible(text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…")


def _visible(text: str) -> str:
    r"""Return `text` with what a terminal would obey or hide as ``\u`` escapes.

    >>> _visible("a\u202eb")
    'a\\u202eb'
    """
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
