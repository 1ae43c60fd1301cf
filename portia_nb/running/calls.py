"""One call of a tool or a function: checked, approved, announced, made in its place, and timed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from portia_nb.errors import ApprovalRefused, PortiaBaseError, StepTimeout, ToolSoftError
from portia_nb.model import codecs
from portia_nb.model.answer_shape import asked_schema
from portia_nb.model.clarification import (
    Clarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
)
from portia_nb.model.events import (
    AgentToolCalled,
    AgentToolReturned,
    OutputHeld,
    ToolCalled,
    ToolReturned,
)
from portia_nb.model.run import Run
from portia_nb.model.values import Output
from portia_nb.tools.base import Tool, ToolRunContext

from .attempt import Asking, Attempt, Result
from .failures import record_error
from .hooks import call_hook
from .memory import Memory
from .models import Models, StepModel
from .ports import Ports
from .unfinished import idempotency_key

APPROVAL = "approval"
"""`source` of a question that asks whether a call may be made."""


class Calls:
    """Calls tools and functions for the steps of one run."""

    def __init__(self, run: Run, ports: Ports, models: Models) -> None:
        """Call on behalf of `run`; `models` serve tools that ask one."""
        self._run = run
        self._ports = ports
        self._models = models

    def answers(self, at: Attempt) -> list[Clarification]:
        """Return the answered questions that count for this attempt, oldest first.

        Of an agent's call only that call's.
        """
        found = self._run.answers_for(at.path)
        return [c for c in found if c.resolved and (c.call or "") == at.call]

    def answered_arguments(
        self, at: Attempt, tool: Tool[Any], memory: Memory | None = None
    ) -> dict[str, Any]:
        """Return the arguments of `tool` that people's answers have settled.

        With those that a model had chosen before it asked: a model that is asked again may choose
        others than the ones with which the person was asked. What it chose by reference is looked
        up in `memory`, which has been shown what the model saw.
        """
        fields = tool.args_schema.model_fields
        found: dict[str, Any] = {}
        for asked in self.answers(at):
            if isinstance(asked, InputClarification | MultipleChoiceClarification):
                chosen = asked.chosen or {}
                if memory is not None:
                    chosen = memory.settle(chosen, tool.json_schema())
                given = {**chosen, asked.argument_name: asked.response}
                found.update((name, value) for name, value in given.items() if name in fields)
        return found

    def have_chosen(self, at: Attempt) -> bool:
        """Tell whether a model had chosen the other arguments when it asked for some."""
        return any(getattr(asked, "chosen", None) is not None for asked in self.answers(at))

    async def call_tool(self, tool: Tool[Any], raw: dict[str, Any], at: Attempt) -> Result:
        """Call `tool` with `raw` and return what it puts out.

        A call that came back, and about which a hook then asked, is not made again: what it put out
        was held, and the hook sees it with the answer.

        Raises:
            Asking: the tool, a hook or the approval gate has a question.
            ToolSoftError: the arguments don't fit, or the tool says that a second try may help.
            ApprovalRefused: a person or a setting said no.
            Exception: whatever the tool raises.
        """
        result = self.held_output(tool, at)
        is_held = result is not None
        if result is None:
            result = await self._made(tool, raw, at)
        hook = self._ports.hooks.after_tool_call
        if hook is not None:
            run = self._run.snapshot_at(at.path, at.index)
            found = await call_hook(hook, self._ports.places, tool, result.value, run, at.step)
            if not is_held and isinstance(found, Clarification):
                self._hold_output(tool, result, at)
            _ask_if_question(found)
        if is_held and at.call:
            self._ports.emit(_answered(at, tool.id, 0.0, result))
        return result

    def held_output(self, tool: Tool[Any], at: Attempt) -> Result | None:
        """Return what this call of `tool` put out before a hook asked about it; None: make it."""
        outputs = self._run.record(at.path).held
        held = None if outputs is None else outputs.get(self.idempotency_key(at))
        if held is None or held.tool_id != tool.id or isinstance(held.value, codecs.Unkept):
            return None
        return Result(held.value, held.summary)

    def _hold_output(self, tool: Tool[Any], result: Result, at: Attempt) -> None:
        key = self.idempotency_key(at)
        self._ports.emit(
            OutputHeld(
                at.path, at.number, tool.id, result.value, result.summary, at.side_effect, key
            )
        )

    async def _made(self, tool: Tool[Any], raw: dict[str, Any], at: Attempt) -> Result:
        """Make the call, once a hook and the gate have let it through."""
        arguments = tool.parse_arguments(raw)
        hook, places = self._ports.hooks.before_tool_call, self._ports.places
        if hook is not None:
            arguments = dict(arguments)
            run = self._run.snapshot_at(at.path, at.index)
            _ask_if_question(await call_hook(hook, places, tool, arguments, run, at.step))
        if at.side_effect is True:
            await self._approve(tool.id, arguments, at)
        ctx = self._context(tool, at)

        def call() -> Awaitable[Any]:
            made = places.call(
                tool.arun if tool.is_async else tool.run,
                (ctx,),
                arguments,
                name=f"step {at.path!r}: {tool.id}",
                on_caller=tool.loop == "caller",
            )
            # Elsewhere the limit is the step's, which has no other calls.
            return _in_time(made, tool, at) if at.call and tool.timeout_s else made

        tape, make = self._ports.tape, call
        if tape is not None and tape.covers(tool):
            make = partial(tape.call, tool, tool.id, arguments, at.path, call)
        return _result(await self._announced(tool.id, arguments, at, make), tool.id, tool)

    async def call_function(
        self, function: Callable[..., Any], name: str, arguments: dict[str, Any], at: Attempt
    ) -> Result:
        """Call a user's function, plain or async, and return what it puts out."""
        places = self._ports.places
        if at.side_effect is True:
            await self._approve(name, arguments, at)

        def call() -> Awaitable[Any]:
            return places.call(function, (), arguments, name=f"step {at.path!r}: {name}")

        if at.side_effect is False:
            # Only reads: its start already says all that a resume needs to know.
            value = await call()
        elif at.side_effect is True and (tape := self._ports.tape) is not None:
            taped = partial(tape.call, function, name, arguments, at.path, call)
            value = await self._announced(name, arguments, at, taped)
        else:
            value = await self._announced(name, arguments, at, call)
        return _result(value, name)

    async def _announced(
        self,
        name: str,
        arguments: dict[str, Any],
        at: Attempt,
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Make a call between the events that tell of it, kept first where it may have effects."""
        ports = self._ports
        ports.places.refuse_late_calls()
        key = self.idempotency_key(at)
        told = (at.path, at.number, name, arguments, at.side_effect, key)
        ports.emit(AgentToolCalled(*told, at.call) if at.call else ToolCalled(*told))
        if at.side_effect is not False:
            try:
                await ports.kept()
            except asyncio.CancelledError:
                # Of this call everybody knows what became of it: nothing. So nobody is asked.
                ports.emit(_failed(at, name, 0.0, PortiaBaseError("stopped before it was called")))
                raise
        began = time.monotonic()
        try:
            value = await call()
        except (asyncio.CancelledError, StepTimeout):
            raise  # no return is told: nobody knows whether the call took effect
        except BaseException as error:
            ports.emit(_failed(at, name, time.monotonic() - began, error))
            raise
        ports.emit(_returned(at, name, time.monotonic() - began, value))
        return value

    async def _approve(self, name: str, arguments: dict[str, Any], at: Attempt) -> None:
        """Let a call that changes the world through only where it may be made, exactly as it is."""
        if (tape := self._ports.tape) is not None and tape.plays:
            return  # nothing is called
        approve = self._ports.config.approve
        if approve is not None:
            if not await call_hook(approve, self._ports.places, name, dict(arguments)):
                raise ApprovalRefused(
                    f"step {at.path!r}: Config(approve=…) refused to call {name} with these "
                    "arguments",
                    step=at.path,
                    tool_id=name,
                )
            return
        if not self._ports.gate:
            return
        subject = approval_subject(name, arguments)
        # Once: what is tried again may have taken effect the first time.
        is_first = at.number == 1 and not at.call
        if is_first and self._ports.approved.get(at.path) == subject["sha256"]:
            return
        for asked in reversed(self.answers(at)):
            if (
                isinstance(asked, UserVerificationClarification)
                and asked.source == APPROVAL
                and asked.subject == subject
            ):
                if asked.response is True:
                    return
                raise ApprovalRefused(
                    f"step {at.path!r}: the call of {name} was not approved",
                    step=at.path,
                    tool_id=name,
                )
        raise Asking(
            UserVerificationClarification(
                user_guidance=f"Let {name} run? It changes something outside this run.",
                source=APPROVAL,
                subject=subject,
            )
        )

    def idempotency_key(self, at: Attempt) -> str:
        """Return the same text whenever this step of this run makes its call, also after a kill."""
        return idempotency_key(self._run.id, at.path, at.call)

    def _context(self, tool: Tool[Any], at: Attempt) -> ToolRunContext:
        path, tape = at.path, self._ports.tape
        return ToolRunContext(
            config=self._ports.config,
            plan=self._run.plan,
            plan_run=lambda: self._run.snapshot_at(path, at.index),
            end_user=self._ports.end_user,
            clarifications=self.answers(at),
            idempotency_key=self.idempotency_key(at),
            model=StepModel(self._models, path, is_taped=tape is None or not tape.covers(tool)),
            attempt=at.number,
            step=path,
            on_text=self._models.streamer(path),
        )


def approval_subject(tool_id: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what a person approves: the tool, the exact arguments, and the hash of both."""
    shown = codecs.to_plain_json(arguments)
    # Each by itself: one that can't be encoded must not stand for the others too.
    each = {name: codecs.encode_or_describe(value) for name, value in arguments.items()}
    exact = codecs.dumps([tool_id, each, shown])
    return {
        "tool_id": tool_id,
        "arguments": shown,
        "sha256": hashlib.sha256(exact.encode()).hexdigest(),
    }


def _failed(at: Attempt, name: str, took_s: float, error: BaseException) -> ToolReturned:
    record = record_error(error, at.path)
    if not at.call:
        return ToolReturned(at.path, at.number, name, took_s, record)
    is_told = isinstance(error, ToolSoftError)
    return AgentToolReturned(at.path, at.number, name, took_s, record, at.call, is_told=is_told)


def _returned(at: Attempt, name: str, took_s: float, value: Any) -> ToolReturned:
    if at.call:
        # One that has a question is made again with the answer: nothing has come of it yet.
        with contextlib.suppress(Asking):
            return _answered(at, name, took_s, _result(value, name))
    return ToolReturned(at.path, at.number, name, took_s)


def _answered(at: Attempt, name: str, took_s: float, result: Result) -> AgentToolReturned:
    value, summary = result.value, result.summary
    return AgentToolReturned(
        at.path, at.number, name, took_s, call=at.call, value=value, summary=summary
    )


async def _in_time(made: Awaitable[Any], tool: Tool[Any], at: Attempt) -> Any:
    """Await one of an agent's calls for as long as its tool may take.

    Raises:
        ToolSoftError: its time was up, and it only reads: the model may do without it.
        StepTimeout: its time was up, and it may have done something.
    """
    clock = asyncio.timeout(tool.timeout_s)
    try:
        async with clock:
            return await made
    except TimeoutError as error:
        if not clock.expired():
            raise
        problem = f"tool {tool.id!r} took longer than its {tool.timeout_s:g} s and was stopped"
        if at.side_effect is False:
            raise ToolSoftError(problem, tool_id=tool.id) from error
        raise StepTimeout(f"step {at.path!r}: {problem}", step=at.path) from error


def _result(value: Any, source: str, tool: Tool[Any] | None = None) -> Result:
    """Return what a call put out; questions about arguments of `tool` get their shapes.

    Raises:
        Asking: it put out a question, or several.
    """
    if type(value) in _PLAIN:  # the short way: most values are
        return Result(value)
    match value:
        case Clarification():
            raise Asking(_from(value, source, tool))
        case list() if value and all(isinstance(item, Clarification) for item in value):
            raise Asking(*(_from(item, source, tool) for item in value))
        case Output():
            return Result(value.value, value.summary)
        case _:
            return Result(value)


_PLAIN = frozenset({str, int, float, bool, type(None), dict, tuple, bytes})


def _from(asked: Clarification, source: str, tool: Tool[Any] | None = None) -> Clarification:
    found: dict[str, Any] = {} if asked.source else {"source": source}
    if tool is not None and isinstance(asked, InputClarification) and asked.answer_schema is None:
        root = tool.json_schema()
        shape = root.get("properties", {}).get(asked.argument_name)
        if shape is not None and (schema := asked_schema(shape, root)) is not None:
            found["answer_schema"] = schema
    return asked.model_copy(update=found) if found else asked


def _ask_if_question(found: Any) -> None:
    if isinstance(found, Clarification):
        raise Asking(_from(found, "hook"))
