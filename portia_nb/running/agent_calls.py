"""The calls that an agent asks for: made, refused or put to a person, and each of them kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from portia_nb.errors import ToolSoftError
from portia_nb.model.clarification import (
    Clarification,
    InputClarification,
    MultipleChoiceClarification,
)
from portia_nb.model.conversation import AgentCall
from portia_nb.model.events import AgentToolReturned, ErrorRecord
from portia_nb.model.language import ToolSpec
from portia_nb.model.order import effective_side_effect, keeps_place
from portia_nb.model.plan import ReActAgentStep
from portia_nb.model.run import Run
from portia_nb.tools.base import Tool

from .attempt import Asking, Attempt, Result
from .calls import Calls
from .memory import Memory, free_name
from .ports import Ports
from .prompts import react as prompt
from .recovery import decided
from .shaped import fit, is_wrapped, root_object


class AgentCalls:
    """Makes the calls of one attempt at an agent's step."""

    def __init__(
        self,
        run: Run,
        ports: Ports,
        calls: Calls,
        step: ReActAgentStep,
        at: Attempt,
        memory: Memory,
    ) -> None:
        """Call on behalf of `run`, through `calls`; `memory` knows what references stand for."""
        self._record = run.record(at.path)
        self._ports = ports
        self._calls = calls
        self._step = step
        self._at = at
        self._memory = memory
        self._tools: dict[str, Tool[Any]] = {t.to_spec().name: t for t in ports.tools(step)}
        self.ask = free_name("ask_user", self._tools) if step.allow_agent_clarifications else None
        """The name under which the person is asked; None: they can't be."""
        self.final = free_name("final_answer", self._tools) if step.output_schema else None
        """The name under which the answer is given; None: it is given as text."""
        self._read = memory.reading_tool(self._tools)

    @property
    def read(self) -> str | None:
        """The name under which values are read; None: none is known by reference."""
        return self._read.name if self._memory else None

    def is_read(self, call: AgentCall) -> bool:
        """Tell whether a call read a value that is known by reference."""
        return call.asked.name == self._read.name

    def asked(self) -> int:
        """Return how many calls the model has asked for, the answer left out."""
        conversation = self._record.conversation
        calls = conversation.calls() if conversation else ()
        return sum(call.asked.name != self.final for call in calls)

    def offered(self) -> tuple[ToolSpec, ...]:
        """Return the tools as the model is told of them, our own last."""
        offered: list[ToolSpec] = []
        for tool in self._tools.values():
            spec = tool.to_spec()
            offered.append(replace(spec, parameters=self._memory.with_references(spec.parameters)))
        if self._memory:
            offered.append(self._read)
        if self.ask is not None:
            offered.append(prompt.asking_tool(self.ask))
        if self.final is not None:
            assert self._step.output_schema is not None
            offered.append(prompt.final_tool(self.final, root_object(self._step.output_schema)))
        return tuple(offered)

    async def make(self, pending: list[AgentCall]) -> Result | None:
        """Make the calls of a turn; return the answer where giving it was one of them.

        Those that only read run beside each other, others in their turn.

        Raises:
            Asking: some of them need answers; all others before them have been made.
            Exception: one failed; those beside it have ended.
        """
        self._refuse_beyond_limit(pending)
        waiting: list[AgentCall] = []
        for call in pending:
            if call.returned is not None or call.asked.name == self.final:
                continue
            if self._may_run_beside(call):
                waiting.append(call)
                continue
            await self._beside(waiting)
            waiting = []
            await self._one(call)
        await self._beside(waiting)
        # Last, since it ends the step.
        for call in pending:
            if call.returned is None:
                try:
                    return self._answer(call)
                except ValueError as error:
                    self._tell(call, f"that is not in the shape that is wanted: {error}")
        return None

    def heed_what_was_decided(self, pending: list[AgentCall]) -> None:
        """Take a person's word for what became of a call that was under way in another process.

        Raises:
            PlanRunExitError: they chose that the run fails.
        """
        for call in pending:
            answers = self._calls.answers(replace(self._at, call=call.key))
            if (said := decided(answers, self._at.path)) is not None:
                self._came_back(call, said.summary)

    def _refuse_beyond_limit(self, pending: list[AgentCall]) -> None:
        limit = self._step.tool_call_limit
        beyond = self.asked() - limit
        asked = [call for call in pending if call.asked.name != self.final]
        for call in asked[max(len(asked) - beyond, 0) :] if beyond > 0 else ():
            self._tell(call, f"not made: tool_call_limit={limit} is reached")

    def _may_run_beside(self, call: AgentCall) -> bool:
        tool = self._tools.get(call.asked.name)
        assume = self._ports.config.assume_side_effects
        return tool is None or not keeps_place(
            self._step, self._side_effect(tool), assume_side_effects=assume
        )

    def _side_effect(self, tool: Tool[Any]) -> bool | None:
        return effective_side_effect(self._step, tool.side_effect)

    async def _beside(self, calls: list[AgentCall]) -> None:
        """Make calls beside each other, as many at once as steps may run."""
        at_once = self._ports.config.max_parallel_steps
        for first in range(0, len(calls), at_once):
            some = calls[first : first + at_once]
            if len(some) == 1:
                await self._one(some[0])
                continue
            ended = await asyncio.gather(*map(self._one, some), return_exceptions=True)
            raised = [error for error in ended if error is not None]
            for error in raised:
                if not isinstance(error, Asking):
                    raise error
            questions = [c for e in raised if isinstance(e, Asking) for c in e.clarifications]
            if questions:
                raise Asking(*questions)

    async def _one(self, call: AgentCall) -> None:
        """Make one call, or tell the model why it can't be made.

        Raises:
            Asking: it needs an answer first.
            Exception: it failed, and no other arguments would help.
        """
        name = call.asked.name
        tool = self._tools.get(name)
        try:
            if tool is not None:
                await self._call_tool(tool, call)
            elif name == self.ask:
                self._ask_person(call)
            elif self._memory and self.is_read(call):
                self._came_back(call, self._memory.read(call.asked.arguments))
            else:
                known = ", ".join(self._tools)
                self._tell(call, f"there is no tool {name!r:.100}; the tools: {known}")
        except ToolSoftError as error:
            if call.returned is None:  # it was refused before it was made
                self._tell(call, str(error))
        except Asking as asking:
            raise Asking(*(_of_call(c, call.key) for c in asking.clarifications)) from None

    async def _call_tool(self, tool: Tool[Any], call: AgentCall) -> None:
        here = replace(self._at, call=call.key, side_effect=self._side_effect(tool))
        arguments = self._memory.settle(call.asked.arguments, tool.json_schema())
        arguments.update(self._calls.answered_arguments(here, tool))
        await self._calls.call_tool(tool, arguments, here)

    def _ask_person(self, call: AgentCall) -> None:
        answers = self._calls.answers(replace(self._at, call=call.key))
        if answers:
            self._came_back(call, answers[-1].response)
            return
        question = str(call.asked.arguments.get("question") or "").strip()
        if not question:
            raise ToolSoftError("'question' is missing")
        common: dict[str, Any] = {
            "argument_name": self._step.name,
            "user_guidance": question,
            "source": self._step.name,
        }
        options = call.asked.arguments.get("options")
        if isinstance(options, list) and options:
            offered = tuple(dict.fromkeys(map(str, options)))
            raise Asking(MultipleChoiceClarification(options=offered, **common))
        raise Asking(InputClarification(**common))

    def _answer(self, call: AgentCall) -> Result:
        """Return the answer that a call gives.

        Raises:
            ValueError: it doesn't fit the schema.
        """
        schema = self._step.output_schema
        assert schema is not None
        arguments = call.asked.arguments
        if not is_wrapped(schema):
            return Result(fit(arguments, schema))
        if "value" not in arguments:
            raise ValueError("'value' is missing")
        return Result(fit(arguments["value"], schema))

    def _came_back(self, call: AgentCall, value: Any) -> None:
        """Keep what a call of our own tools put out."""
        at, name = self._at, call.asked.name
        self._ports.emit(
            AgentToolReturned(at.path, at.number, name, 0.0, call=call.key, value=value)
        )

    def _tell(self, call: AgentCall, problem: str) -> None:
        """Keep why a call wasn't made: the model is told, and goes on."""
        at, name = self._at, call.asked.name
        error = ErrorRecord(ToolSoftError.__name__, problem, at.path)
        self._ports.emit(
            AgentToolReturned(at.path, at.number, name, 0.0, error, call=call.key, is_told=True)
        )


def _of_call(asked: Clarification, key: str) -> Clarification:
    return asked.model_copy(update={"call": key})
