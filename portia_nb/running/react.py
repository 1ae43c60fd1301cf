"""An agent with several tools: a bounded loop of model calls and tool calls, each of them kept.

All that the loop goes by is the step's `Conversation`, which events add up to. So an attempt begins
where the one before it ended, in this process or another: no call that came back is made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from portia_nb.errors import (
    AgentLimitReached,
    InvalidAgentOutputError,
    ModelReplyCutOff,
    ModelReplyInvalid,
)
from portia_nb.model import codecs
from portia_nb.model.conversation import AgentCall, Turn
from portia_nb.model.events import AgentLimited, AgentTurn
from portia_nb.model.language import CallAnswer, Message, ModelReply, ModelRequest, ToolCall
from portia_nb.model.plan import ReActAgentStep
from portia_nb.model.run import Run

from .agent_calls import AgentCalls
from .attempt import Attempt, Result
from .calls import Calls
from .memory import Memory
from .models import Models
from .ports import Ports
from .prompts import react as prompt
from .shaped import fit

MISTAKES = 5
"""Replies in a row of which nothing came but errors, until the step fails."""


class ReAct:
    """One attempt at one agent's step."""

    def __init__(
        self,
        run: Run,
        ports: Ports,
        models: Models,
        calls: Calls,
        step: ReActAgentStep,
        at: Attempt,
        task: str,
    ) -> None:
        """Work on behalf of `run`; `task` is the step's, with its references resolved."""
        self._record = run.record(at.path)
        self._ports = ports
        self._models = models
        self._step = step
        self._at = at
        self._task = task
        self._memory = Memory(ports.config.large_output_threshold_tokens)
        self._calls = AgentCalls(run, ports, calls, step, at, self._memory)
        self._inputs = self._memory.show_all(at.scope.inputs_of(step))
        self._shown: dict[str, str] = {}
        """What the model is told of each call that came back, by the call's key."""
        self._mistakes = 0
        self._notes: tuple[Message, ...] = ()
        """What was said of a last reply that couldn't be used."""

    async def perform(self) -> Result:
        """Go on with the conversation until it has an answer.

        Raises:
            Asking: a call, or the agent itself, needs an answer first.
            AgentLimitReached: a limit was reached, and there was no answer then either.
            InvalidAgentOutputError: too many replies in a row came to nothing.
            Exception: whatever a call raises, but for `ToolSoftError`, which the model is told.
        """
        self._calls.heed_what_was_decided(self._pending())
        self._remember()
        while True:
            if turns := self._turns():
                made = await self._calls.make(self._pending())
                if made is not None:
                    return made
                self._look_for_mistakes(turns[-1])
                # What came back is on disk before anything is built on it.
                await self._ports.kept()
            limit = self._limit()
            if limit is not None:
                return await self._answer_now(*limit)
            answer = await self._go_on()
            if answer is not None:
                return answer

    def _remember(self) -> None:
        """Know by reference what the model was told before.

        Calls that are still to be made may name it, though asked for in another attempt or process.
        """
        for turn in self._turns()[:-1]:
            for call in turn.calls:
                self._shown_of(call)

    def _turns(self) -> Sequence[Turn]:
        conversation = self._record.conversation
        return conversation.turns if conversation else ()

    def _pending(self) -> list[AgentCall]:
        """Return the calls of the last turn that nothing has come of yet."""
        turns = self._turns()
        return [call for call in turns[-1].calls if call.returned is None] if turns else []

    # -- the model -------------------------------------------------------------------------------

    async def _go_on(self) -> Result | None:
        """Ask the model until it asks for calls, which are kept, or gives an answer."""
        while True:
            reply = await self._reply()
            if reply is not None:
                break
        self._notes = ()
        if reply.tool_calls:
            taken = {call.asked.id for turn in self._turns() for call in turn.calls}
            calls = _with_own_ids(reply.tool_calls, taken)
            self._ports.emit(AgentTurn(self._at.path, self._at.number, reply.text, calls))
            # Kept before its first call: who resumes makes these calls, and asks for no others.
            await self._ports.kept()
            return None
        schema = self._step.output_schema
        if schema is None:
            return Result(reply.text)
        try:
            return Result(fit(reply.text, schema))
        except ValueError as error:
            said = Message("assistant", reply.text)
            again = Message("user", f"That is not in the shape that is wanted: {error}")
            return await self._shaped((*self._messages(), said, again))

    async def _reply(self) -> ModelReply | None:
        """Ask the model what to do next; None: its reply can't be used, and it will be told."""
        request = replace(self._request(self._messages()), answer=CallAnswer(self._calls.offered()))
        path = self._at.path
        model = self._models.find("execution", self._step.bound_model)
        on_text = self._models.streamer(path)
        try:
            reply = await self._models.ask(model, request, path, on_text=on_text)
        except ModelReplyCutOff:
            raise
        except ModelReplyInvalid as error:
            self._refuse(str(getattr(error, "problem", error)), error)
            return None
        if not reply.tool_calls and not reply.text.strip():
            self._refuse(prompt.NOTHING)
            return None
        for call in reply.tool_calls:
            if codecs.is_unkept(codecs.encode_or_describe(call.arguments)):
                self._refuse(f"the arguments of {call.name} are nested too deep")
                return None
        return reply

    def _request(self, messages: tuple[Message, ...]) -> ModelRequest:
        return ModelRequest(messages, record_key=("react", prompt.VERSION, self._task))

    def _messages(self) -> tuple[Message, ...]:
        """Return the whole conversation."""
        told: list[Message] = []
        for turn in self._turns():
            told += prompt.turn_messages(turn, [self._shown_of(call) for call in turn.calls])
        calls = self._calls
        system = prompt.system_text(ask=calls.ask, final=calls.final, read=calls.read)
        return (*prompt.opening(system, self._task, self._inputs), *told, *self._notes)

    def _shown_of(self, call: AgentCall) -> str:
        """Return what the model is told of a call that came back, the same each time."""
        back = call.returned
        assert back is not None, "a turn is told once all of its calls have come back"
        shown = self._shown.get(call.key)
        if shown is None:
            if back.error is not None:
                shown = prompt.problem_text(back.error.message)
            elif self._calls.is_read(call):  # bounded already
                shown = prompt.result_text(codecs.to_plain_json(back.value))
            else:
                output = self._memory.show(f"result_{call.key}", back.value)
                shown = prompt.result_text(output, back.summary)
            self._shown[call.key] = shown
        return shown

    async def _shaped(self, messages: tuple[Message, ...]) -> Result:
        schema = self._step.output_schema
        assert schema is not None
        model = self._models.find("execution", self._step.bound_model)
        request = self._request(messages)
        return Result(await self._models.ask_for_shape(model, request, schema, self._at.path))

    # -- limits ----------------------------------------------------------------------------------

    def _limit(self) -> tuple[str, int] | None:
        """Return the limit that has been reached, None where there is none."""
        step = self._step
        if not self._turns():
            return None
        if self._calls.asked() >= step.tool_call_limit:
            return "tool_call_limit", step.tool_call_limit
        usage = self._record.usage
        used = usage.input_tokens + usage.output_tokens
        if step.token_limit is not None and used >= step.token_limit:
            return "token_limit", step.token_limit
        return None

    async def _answer_now(self, limit: str, allowed: int) -> Result:
        """Let the model answer from what it has: one last call, in which it is given no tools.

        Raises:
            AgentLimitReached: there is no answer.
        """
        path = self._at.path
        self._ports.emit(AgentLimited(path, self._at.number, limit, allowed))
        messages = (*self._messages(), Message("user", prompt.NO_MORE))
        cause: Exception | None = None
        try:
            if self._step.output_schema is not None:
                return await self._shaped(messages)
            model = self._models.find("execution", self._step.bound_model)
            on_text = self._models.streamer(path)
            reply = await self._models.ask(model, self._request(messages), path, on_text=on_text)
            if reply.text.strip():
                return Result(reply.text)
        except (InvalidAgentOutputError, ModelReplyInvalid) as error:
            cause = error
        raise AgentLimitReached(
            f"step {path!r}: {limit}={allowed} was reached, and the model gave no answer from what "
            f"it had by then; raise it with react_agent_step({limit}=…), or ask for less in a step",
            step=path,
            limit=limit,
            allowed=allowed,
        ) from cause

    def _look_for_mistakes(self, turn: Turn) -> None:
        errors = [call.returned.error for call in turn.calls if call.returned is not None]
        if any(error is None for error in errors):
            self._mistakes = 0
        elif errors:
            last = errors[-1]
            self._count_mistake(last.message if last is not None else "")

    def _refuse(self, problem: str, cause: Exception | None = None) -> None:
        """Tell the model that its reply can't be used."""
        self._count_mistake(problem, cause)
        self._notes = (Message("user", f"That reply can't be used: {problem}"),)

    def _count_mistake(self, problem: str, cause: Exception | None = None) -> None:
        """Count a reply that came to nothing.

        Raises:
            InvalidAgentOutputError: there were too many in a row.
        """
        self._mistakes += 1
        if self._mistakes >= MISTAKES:
            raise InvalidAgentOutputError(
                f"step {self._at.path!r}: {MISTAKES} replies in a row came to nothing; the last "
                f"one: {problem}",
                step=self._at.path,
            ) from cause


def _with_own_ids(calls: Sequence[ToolCall], taken: set[str]) -> tuple[ToolCall, ...]:
    """Return `calls`, each with an id that no other has: some servers count anew in each reply."""
    numbers = count(len(taken))
    own: list[ToolCall] = []
    for call in calls:
        named = call
        while not named.id or named.id in taken:
            named = replace(call, id=f"call_{next(numbers)}")
        taken.add(named.id)
        own.append(named)
    return tuple(own)
