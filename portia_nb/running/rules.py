"""What one step may do in a run: change the world, take its time, be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from portia_nb.config import Config
from portia_nb.errors import (
    ApprovalRefused,
    InvalidPlanRunStateError,
    RecordDrift,
    StepTimeout,
    ToolFailedError,
    ToolHardError,
    ToolNotFoundError,
    ToolRetryError,
    ToolSoftError,
)
from portia_nb.model.order import effective_side_effect, strongest
from portia_nb.model.plan import AnyStep, InvokeToolStep, ReActAgentStep, SingleToolAgentStep
from portia_nb.tools.base import Tool

from .ports import Ports

_FINAL = (
    ToolHardError,
    ToolFailedError,
    ToolRetryError,
    InvalidPlanRunStateError,
    ApprovalRefused,
    RecordDrift,
)
"""Errors after which another try is of no use."""
READING_TRIES = 3
"""Attempts at a step that only reads, where neither it nor its tool says otherwise."""
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0


class Rules(NamedTuple):
    """The rules of one step."""

    side_effect: bool | None
    """What `portia_nb.model.order.effective_side_effect` says."""
    timeout_s: float
    """Seconds that one attempt may take."""
    tries: int
    """Attempts at most; one where an effect might be repeated."""
    eager: bool
    """True: somebody asked for further tries, so whatever fails is tried again.

    Else only what says that a second try may help.
    """
    cache: bool | float = False
    """True: the output is shared with equal steps; a number: for so many seconds."""


def rules_of(
    step: AnyStep, tool: Tool[Any] | None, config: Config, tools: Sequence[Tool[Any]] = ()
) -> Rules:
    """Work out the rules of `step`: what it says, else its tool, else `config`.

    Args:
        step: any step.
        tool: its tool; None where it has none, or several.
        config: the settings.
        tools: an agent's; the strongest side effect of theirs is the step's.
    """
    declared = None if tool is None else tool.side_effect
    if step.kind == "react":
        declared = strongest(each.side_effect for each in tools)
    side_effect = effective_side_effect(step, declared)
    timeout_s = step.timeout_s
    retries = step.retries
    if tool is not None:
        timeout_s = tool.timeout_s if timeout_s is None else timeout_s
        retries = tool.retries if retries is None else retries
    if side_effect is True:
        tries = 1
    elif retries is not None:
        tries = 1 + retries
    elif step.kind in ("agent", "react"):
        tries = 1  # the agent itself tries other arguments
    else:
        tries = READING_TRIES if side_effect is False else 1
    return Rules(
        side_effect,
        config.step_timeout_s if timeout_s is None else timeout_s,
        tries,
        step.retries is not None,
        _cache_of(step, tool) if config.cache and side_effect is not True else False,
    )


class RulesOf:
    """The rules of each step of one run, worked out once."""

    def __init__(self, ports: Ports) -> None:
        """Look for tools and settings in `ports`."""
        self._ports = ports
        self._found: dict[int, Rules] = {}
        """By the step's identity: a step of a body is one object, however often it runs."""

    def __call__(self, step: AnyStep) -> Rules:
        """Return the rules of `step`."""
        found = self._found.get(id(step))
        if found is None:
            tool, tools = self._tools_of(step)
            found = self._found[id(step)] = rules_of(step, tool, self._ports.config, tools)
        return found

    def _tools_of(self, step: AnyStep) -> tuple[Tool[Any] | None, Sequence[Tool[Any]]]:
        try:
            if isinstance(step, InvokeToolStep | SingleToolAgentStep):
                return self._ports.tool(step), ()
            if isinstance(step, ReActAgentStep):
                return None, self._ports.tools(step)
        except ToolNotFoundError:
            pass  # a run may go on without the tools of what it has done; who calls one is told
        return None, ()


def _cache_of(step: AnyStep, tool: Tool[Any] | None) -> bool | float:
    if step.cache is not None:
        return step.cache
    return tool.cache if tool is not None and step.kind in ("tool", "agent") else False


def retry_in_s(rules: Rules, error: BaseException, attempts_left: int) -> float | None:
    """Return the seconds until the next attempt after `error`; None: there is none."""
    if attempts_left == 0 or not isinstance(error, Exception):
        return None
    if isinstance(error, _FINAL):
        return None
    if not rules.eager and not isinstance(error, ToolSoftError):
        return None
    return min(FIRST_RETRY_S * 2 ** (rules.tries - 1 - attempts_left), LONGEST_RETRY_S)


def timed_out(path: str, rules: Rules, how: str = "was stopped") -> StepTimeout:
    """Return the error of a step whose time was up; `how` says what became of it."""
    return StepTimeout(
        f"step {path!r} took longer than {rules.timeout_s:g} s and {how}: give it more time "
        "with timeout_s=, or find out what it waits for",
        step=path,
        timeout_s=rules.timeout_s,
    )


STUCK = "does not stop, and is left to itself"
"""Of a coroutine that did not heed its cancellation."""
LEFT_ALONE = "its thread can't be stopped, so it goes on by itself and what it returns is dropped"
"""Of a plain function."""
