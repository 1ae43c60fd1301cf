"""Tapes: what stands between a run and its models, tools and people to record or replay it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from portia_nb.config import Config
from portia_nb.llm.blotting import Blotter
from portia_nb.llm.matching import Matches
from portia_nb.llm.recorder import Recorder
from portia_nb.llm.records import Record, RecordedAnswer, RecordedOutput, recorded_reply
from portia_nb.llm.replay import PlayingModel, RecordingModel
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import ClarificationResolved, Recorded
from portia_nb.model.language import LanguageModel, ModelReply, ModelRequest
from portia_nb.model.run import Run
from portia_nb.running.expiry import EXPIRY
from portia_nb.running.takeover import FORK
from portia_nb.tools.aside import threads
from portia_nb.tools.base import Tool

from .answering import is_approval
from .taped_calls import (
    classes_for,
    error_as_json,
    holds_unkept,
    outcome_as_json,
    read_outcome,
    written,
    written_arguments,
)
from .unsaid import secrets_of

_NOBODY_LIVE = frozenset({"the caller", FORK})
"""Who answers without being asked: code that calls `Portia.resolve_clarification`, and answers
again in a replay; and the run that a run was forked from."""


class RecordingTape:
    """Keeps what one run, or the making of one plan, is answered."""

    plays = False
    note = ""

    def __init__(self, recorder: Recorder, take: int) -> None:
        """Keep in `recorder`, under the number `take` of its `Recorder.begin`."""
        self._recorder = recorder
        self._take = take

    def covers(self, tool: Tool[Any]) -> bool:
        """Tell whether outputs of `tool` are kept: all but those of tools that only ask a model."""
        return not _only_asks(tool)

    def planner(self, model: LanguageModel) -> LanguageModel:
        """Return `model` such that its answers are kept."""
        return RecordingModel(model, keep=self._keep_reply)

    async def ask(
        self,
        model: LanguageModel,
        request: ModelRequest,
        path: str,
        on_text: Callable[[str], None] | None,
    ) -> ModelReply:
        """Ask `model` and keep its answer."""
        reply = await model.reply(request, on_text=on_text)
        self._keep_reply(request, reply, path)
        return reply

    async def call(
        self,
        called: Tool[Any] | Callable[..., Any],
        name: str,
        arguments: dict[str, Any],
        path: str,
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Make a call, and keep what it puts out or raises; one that was cancelled isn't kept."""
        given = written_arguments(arguments)  # now: a call may change what it is given
        try:
            value = await call()
        except Exception as error:
            self._keep_output(name, given, path, error_as_json(error))
            raise
        self._keep_output(name, given, path, outcome_as_json(value))
        return value

    def hear(self, run: Run, recorded: Recorded) -> None:
        """Keep an answer, unless it came from code, which will answer again."""
        event = recorded.event
        if isinstance(event, ClarificationResolved) and event.by not in _NOBODY_LIVE:
            asked = run.clarifications[event.clarification_id]
            # A default answers a question; without one its step fails, and so it does in a replay.
            expired = event.by == EXPIRY and event.response is None
            self._keep_answer(asked, event.response, expired=expired)

    async def leave(self, run: Run) -> None:
        """Keep which questions the run returned with, and all that isn't in the file yet."""
        for asked in run.outstanding():
            self._keep_answer(asked, None, left_open=True)
        await self.kept()

    def _keep_answer(
        self,
        asked: Clarification,
        response: Any,
        *,
        left_open: bool = False,
        expired: bool = False,
    ) -> None:
        if is_approval(asked):
            return  # a replay calls nothing, and asks for no leave
        blotter = self._recorder.blotter
        argument = str(getattr(asked, "argument_name", ""))
        answer = RecordedAnswer(
            step=asked.path or "",
            category=asked.category.value,
            argument=argument,
            question=blotter.text(asked.user_guidance),
            response=blotter.named(argument, written(response)),
            left_open=left_open,
            expired=expired,
        )
        self._recorder.add(self._take, answer)

    def answer_to(self, asked: Clarification) -> RecordedAnswer | None:
        """Return None: a person is asked."""
        return None

    def clock(self) -> Callable[[], float]:
        """Return what tells the time of a run's events, in seconds since the epoch."""
        return time.time

    def draw_id(self, kind: str, of: str = "") -> str:
        """Return a new id of a run, a plan or a map."""
        return f"{kind}-{uuid4()}"

    def unused(self) -> tuple[str, ...]:
        """Return nothing: nothing is played."""
        return ()

    async def kept(self) -> None:
        """Return once all that was recorded is in the file."""
        await threads.call(self._recorder.flush, name="saving a record")

    def _keep_reply(self, request: ModelRequest, reply: ModelReply, path: str = "") -> None:
        self._recorder.add(self._take, recorded_reply(request, reply, path, self._recorder.blotter))

    def _keep_output(
        self, name: str, given: dict[str, Any], path: str, outcome: dict[str, Any]
    ) -> None:
        blotter = self._recorder.blotter
        arguments = {key: blotter.named(key, value) for key, value in given.items()}
        self._recorder.add(
            self._take,
            RecordedOutput(step=path, tool_id=name, arguments=arguments, **blotter.json(outcome)),
        )


class PlayingTape:
    """Answers the calls of runs from a record; nothing that is in it is called or asked."""

    plays = True

    def __init__(self, record: Record, blotter: Blotter, label: str, mark: str) -> None:
        """Play `record`.

        Args:
            record: what was recorded.
            blotter: blots out what was blotted out when it was recorded.
            label: its name, for messages and for the journal.
            mark: what the ids of runs and plans are drawn from.
        """
        self.label = label
        self.note = f", replaying {label}"
        """What the journal says of who runs, beside host and process."""
        self.matches = Matches(record, blotter)
        self.model = PlayingModel(self.matches)
        self._mark = mark
        self._drawn = 0
        self._lock = threading.Lock()

    def covers(self, tool: Tool[Any]) -> bool:
        """Tell whether outputs of `tool` come from the record, and not a model's answers to it."""
        return not _only_asks(tool)

    def planner(self, model: LanguageModel) -> LanguageModel:
        """Return the model that answers from the record."""
        return self.model

    async def ask(
        self,
        model: LanguageModel,
        request: ModelRequest,
        path: str,
        on_text: Callable[[str], None] | None,
    ) -> ModelReply:
        """Return the recorded answer to the step at `path`; `model` isn't asked."""
        return await PlayingModel(self.matches, step=path).reply(request, on_text=on_text)

    async def call(
        self,
        called: Tool[Any] | Callable[..., Any],
        name: str,
        arguments: dict[str, Any],
        path: str,
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Return or raise what the recorded call did.

        A tool that only reads, whose output could not be kept, is called again.

        Raises:
            RecordDrift: the record doesn't hold this call, or holds it in a way that can't be read.
        """
        given = written_arguments(arguments)
        found = self.matches.output(name, given, path)
        if found is None:
            raise self.matches.no_output(name, given)
        if holds_unkept(found.output) and getattr(called, "side_effect", None) is False:
            return await call()
        return read_outcome(found, classes_for(called), self.label)

    def answer_to(self, asked: Clarification) -> RecordedAnswer | None:
        """Return the answer that was recorded to a question, or None."""
        argument = str(getattr(asked, "argument_name", ""))
        return self.matches.answer(
            asked.category.value, argument, asked.user_guidance, asked.path or ""
        )

    def unused(self) -> tuple[str, ...]:
        """Return what nobody has asked the record for so far."""
        return self.matches.unused()

    def names(self) -> frozenset[str]:
        """Return the ids of tools that the record tells of, among other words."""
        record = self.matches.record
        keys = (part for reply in record.replies for part in reply.key)
        return frozenset([*keys, *(output.tool_id for output in record.outputs)])

    def hear(self, run: Run, recorded: Recorded) -> None:
        """Take no notice."""

    async def leave(self, run: Run) -> None:
        """Take no notice."""

    async def kept(self) -> None:
        """Return at once."""

    def clock(self) -> Callable[[], float]:
        """Return a clock that stands still: in a replay nothing takes time that tells anything."""
        at = self.matches.record.recorded_at
        now = time.time() if at is None else at.timestamp()
        return lambda: now

    def draw_id(self, kind: str, of: str = "") -> str:
        """Return the next id of runs or plans, the same in each process that plays the record.

        Args:
            kind: how the id begins.
            of: what it is the id of, where that tells it from all others: then it doesn't depend on
                how many were drawn before, as with the rows of a map, which begin in any order.
        """
        with self._lock:
            self._drawn += not of
            drawn = of or self._drawn
        digest = hashlib.sha256(f"{self._mark}\n{kind}\n{drawn}".encode()).digest()
        return f"{kind}-{UUID(bytes=digest[:16], version=4)}"


AnyTape = RecordingTape | PlayingTape


def open_tape(config: Config, *, goes_on: bool = False) -> AnyTape | None:
    """Return the tape that the settings ask for, None where they ask for none.

    One file has one recorder, or one player, in a process: a notebook's cells fill one record, and
    play it one after the other.

    Args:
        config: the settings.
        goes_on: True: for a run that goes on, whose first part the record may hold already.

    Raises:
        InvalidConfigError: the file is no record.
        StoreUnwritable: the record can't be written.
    """
    if config.record is not None:
        secrets = secrets_of(config)
        with _lock:
            path = config.record.expanduser().absolute()
            recorder = _recorders.setdefault(path, Recorder(path))
        return RecordingTape(recorder, recorder.begin(secrets, goes_on=goes_on))
    return None if config.replay is None else open_player(config)


def clock_of(config: Config) -> Callable[[], float]:
    """Return what tells the time, in seconds since the epoch; in a replay it stands still."""
    return time.time if config.replay is None else open_player(config).clock()


def open_player(config: Config) -> PlayingTape:
    """Return the one player of the record in `config.replay`; a file that changed is read anew."""
    assert config.replay is not None
    path = config.replay.expanduser().absolute()
    with _lock:
        known = _players.get(path)
        try:
            status = path.stat()
            version = (status.st_mtime_ns, status.st_size)
        except OSError:
            version = (0, 0)  # what is wrong is said when it is read
        if known is None or known[0] != version:
            record = Record.load(path)
            blotter = Blotter(secrets_of(config))
            mark = hashlib.sha256(record.as_text().encode("utf-8", "replace")).hexdigest()
            known = _players[path] = (version, PlayingTape(record, blotter, path.name, mark))
    return known[1]


def _only_asks(tool: Tool[Any]) -> bool:
    from portia_nb.tools.builtin.llm import LLMTool

    return type(tool).arun is LLMTool.arun


# Module state: a file has one writer in a process, and the cells of a notebook play it in turn.
_lock = threading.Lock()
_recorders: dict[Path, Recorder] = {}
_players: dict[Path, tuple[tuple[int, int], PlayingTape]] = {}
