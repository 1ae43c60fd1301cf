"""Calls to language models on behalf of a step: counted, streamed, and held to a shape."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from portia_nb.errors import BudgetReached, ModelError
from portia_nb.model.callables import SchemaRef
from portia_nb.model.events import ModelReplied, TextStreamed
from portia_nb.model.language import (
    LanguageModel,
    ModelReply,
    ModelRequest,
    Usage,
    billed_before,
)

from .mailbox import mailbox_of
from .meter import Ticket
from .ports import Ports, Purpose
from .prompts import judge, shape, summary
from .shaped import ask_until_it_fits, fit


class Models:
    """Asks models for the steps of one run."""

    def __init__(self, ports: Ports) -> None:
        """Ask through `ports`."""
        self._ports = ports

    def find(self, purpose: Purpose, override: Any = None) -> LanguageModel:
        """Return the model for `purpose`, or the one that a step names."""
        return self._ports.model(purpose, override)

    def streamer(self, path: str) -> Callable[[str], None]:
        """Return a function that shows pieces of text at the step while they are being written.

        It may be called from any thread; this is called on the run's.
        """
        emit, here = self._ports.emit, threading.get_ident()
        mailbox = mailbox_of(asyncio.get_running_loop())

        def show(text: str) -> None:
            if threading.get_ident() == here:
                emit(TextStreamed(path, text))
            else:  # a tool's own thread or loop: events come from the run's alone
                mailbox.post(emit, TextStreamed(path, text))

        return show

    async def ask(
        self,
        model: LanguageModel,
        request: ModelRequest,
        path: str,
        *,
        on_text: Callable[[str], None] | None = None,
        is_taped: bool = True,
    ) -> ModelReply:
        """Ask once, and emit what it cost.

        Args:
            model: who is asked.
            request: what is asked.
            path: the step on whose behalf; ``""`` for the run as a whole.
            on_text: takes the text while it is being written.
            is_taped: False: a tool asks of which the tape keeps the output.
        """
        tape = self._ports.tape
        began = time.monotonic()
        self._ports.places.refuse_late_calls()
        ticket, request = self._admit(model, request)

        def tell(name: str, usage: Usage) -> None:
            took_s = time.monotonic() - began
            self._ports.emit(ModelReplied(path, request.purpose, name, took_s, usage))

        usage: Usage | None = None
        try:
            if tape is None or not is_taped:
                reply = await model.reply(request, on_text=on_text)
            else:
                reply = await tape.ask(model, request, path, on_text)
            usage = reply.usage
        except (ModelError, BudgetReached) as error:
            usage = billed_before(error)
            if usage.calls:
                tell(model.name, usage)
            if isinstance(error, BudgetReached):
                self._ports.halt(str(error))
            raise
        finally:
            if ticket is not None and (meter := self._ports.meter) is not None:
                meter.settle(ticket, usage)
        tell(reply.model, reply.usage)
        return reply

    def _admit(
        self, model: LanguageModel, request: ModelRequest
    ) -> tuple[Ticket | None, ModelRequest]:
        """Set aside for `request` what it may take; where that is too much, let the run stop.

        Raises:
            BudgetReached: the call would pass the budget.
        """
        if self._ports.meter is None:
            return None, request
        try:
            return self._ports.meter.admit(model.name, request)
        except BudgetReached as error:
            self._ports.halt(str(error))
            raise

    async def ask_for_shape(
        self, model: LanguageModel, request: ModelRequest, schema: SchemaRef, path: str
    ) -> Any:
        """Ask for data under `schema`, sending a misfit back with what is wrong, `TRIES` in all.

        Raises:
            InvalidAgentOutputError: no reply fitted; the message says what the last one got wrong.
        """
        return await ask_until_it_fits(
            lambda asked: self.ask(model, asked, path), request, schema, model=model.name, step=path
        )

    async def shaped(self, value: Any, schema: SchemaRef, task: str, path: str) -> Any:
        """Return `value` in the shape of `schema`: as it is where it fits, else by a model call."""
        try:
            return fit(value, schema)
        except ValueError:
            pass  # the model restates it
        model = self.find("execution")
        request = ModelRequest(
            shape.shape_messages(task, value),
            record_key=("shape", shape.VERSION, task, schema.name),
        )
        return await self.ask_for_shape(model, request, schema, path)

    async def holds(self, statement: str, inputs: dict[str, Any], path: str) -> bool:
        """Return whether a model judges `statement` true of `inputs`."""
        request = ModelRequest(
            judge.judge_messages(statement, inputs),
            judge.ANSWER,
            purpose="introspection",
            record_key=("judge", judge.VERSION, statement),
        )
        reply = await self.ask(self.find("introspection"), request, path)
        return bool(reply.data["holds"])

    async def sum_up(self, query: str, outputs: dict[str, Any], path: str = "") -> str:
        """Return a model's short answer to `query` from `outputs`; `path` as in `ask`."""
        request = ModelRequest(
            summary.summary_messages(query, outputs),
            purpose="summary",
            record_key=("summary", summary.VERSION, query),
        )
        return (await self.ask(self.find("summary"), request, path)).text


class StepModel:
    """The model that a tool is handed: found at its first call, counted for the tool's step.

    A tool may await it on any loop, that of an ``asyncio.run`` in its own thread for one: the model
    itself is asked on the run's, where its connections belong.
    """

    def __init__(self, models: Models, path: str, *, is_taped: bool = True) -> None:
        """Ask on behalf of the step at `path`; `is_taped` as in `Models.ask`."""
        self._models = models
        self._path = path
        self._is_taped = is_taped
        self._home = asyncio.get_running_loop()

    @property
    def name(self) -> str:
        """The model as ``provider/name``."""
        return self._find().name

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Answer `request`; what is streamed is shown at the step."""
        here = asyncio.get_running_loop()
        if here is self._home:
            return await self._ask(request, on_text)
        told = None if on_text is None else partial(_call_there, here, on_text)
        asked = self._ask(request, told)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self._home))

    def _ask(
        self, request: ModelRequest, on_text: Callable[[str], None] | None
    ) -> Coroutine[Any, Any, ModelReply]:
        return self._models.ask(
            self._find(), request, self._path, on_text=on_text, is_taped=self._is_taped
        )

    def _find(self) -> LanguageModel:
        return self._models.find("execution")


def _call_there(loop: asyncio.AbstractEventLoop, call: Callable[[str], None], text: str) -> None:
    loop.call_soon_threadsafe(call, text)
