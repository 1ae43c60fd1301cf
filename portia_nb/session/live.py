"""A run while it lives in this process: started, answered and stopped from any thread."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from portia_nb.errors import InvalidAnswer, WaitingForAnswer
from portia_nb.model import codecs
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import AnyEvent, Recorded
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, Run
from portia_nb.running.background import background
from portia_nb.running.executor import Executor
from portia_nb.running.hooks import ClarificationHandler
from portia_nb.running.ports import Ports
from portia_nb.storage.store import Hold, Store

from .opening import KeptEvents
from .unsaid import without_secrets

if TYPE_CHECKING:
    from .answering import DeclaredAnswers
    from .tapes import AnyTape

Listener = Callable[[Run, Recorded], None]
Asker = Callable[["LiveRun", Clarification], None]

EXIT_S = 1.0
"""Seconds that runs may take to stop when the process ends."""

logger = logging.getLogger("portia_nb")

# Module state: which runs live in this process, whichever Portia started them.
_live: WeakValueDictionary[str, LiveRun] = WeakValueDictionary()


def live_run(run_id: str) -> LiveRun | None:
    """Return the run with this id where it lives in this process, else None."""
    found = _live.get(run_id)
    if found is None or found.done.done() or found.pid != os.getpid():
        return None  # after a fork it lives in the parent
    return found


def _stop_all() -> None:
    """Stop what this process runs, which now ends: its threads would go on for a while yet."""
    ours = [live for live in tuple(_live.values()) if live_run(live.id) is live]
    for live in ours:
        live.stop("its process ended")
    concurrent.futures.wait([live.done for live in ours], timeout=EXIT_S)


class LiveRun:
    """One run that lives in this process.

    `answer`, `nobody_answers`, `fail`, `stop` and `add_listener` may be called from any thread;
    `run` is read on the background loop's thread, or once `done` is resolved.
    """

    def __init__(
        self,
        run: Run,
        *,
        store: Store,
        hold: Hold,
        make_ports: Callable[[LiveRun], Ports],
        asker: Asker | None = None,
        handler: ClarificationHandler | None = None,
        listeners: Sequence[Listener] = (),
        secrets: Callable[[], Sequence[str]] = tuple,
        first: Sequence[Recorded] = (),
        when_left: Callable[[], None] = lambda: None,
        context: contextvars.Context | None = None,
        tape: AnyTape | None = None,
        answers: DeclaredAnswers | None = None,
    ) -> None:
        """Prepare; `start` starts it.

        Args:
            run: its state so far.
            store: where its events are kept.
            hold: the right to write there.
            make_ports: makes the executor's ways out, given this.
            asker: is handed each question on the background loop; must not block.
            handler: is handed each question, on a thread, where there is no asker.
            listeners: see `add_listener`.
            secrets: returns the texts that must not stand in a kept error.
            first: events that are kept already, to apply and show before the run starts.
            when_left: called once everything is kept and nothing changes `run` any more.
            context: context variables for the run's code; None: a copy of the starting thread's.
            tape: records what the run is answered, or answers it.
            answers: given beforehand, for questions that no asker is there for.
        """
        self.run = run
        self.done: Future[PlanRun]
        self.pid = os.getpid()
        self.is_shown = asker is not None
        """True: a person watches it, so that the log needn't say at INFO what they see."""
        self.is_stopping = False
        """True: it was told to stop; a step of it may still be cleaning up."""
        self._store = store
        self._hold = hold
        self._asker = asker
        self._handler = handler
        self._listeners = tuple(listeners)
        self._secrets = secrets
        self._first = tuple(first)
        ports = make_ports(self)
        self._places = ports.places
        self._executor = Executor(run, ports)
        self._when_left = when_left
        self._context = context
        self._tape = tape
        self._answers = answers
        self._now: Callable[[], float] = time.time
        if tape is not None:
            self._listeners = (*self._listeners, tape.hear)
            self._now = tape.clock()
        self._is_started = False
        self._has_ended = False
        self._endings: tuple[Callable[[], None], ...] = ()
        self._handling: dict[asyncio.Task[None], str] = {}
        """The handler's calls that are under way, with the question that each is about."""

    def __repr__(self) -> str:
        """Return id and state."""
        return f"<LiveRun {self.id}: {self.run.state.value}>"

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id

    @property
    def plan(self) -> Plan:
        """The plan that is run."""
        return self.run.plan

    # -- from any thread -------------------------------------------------------------------------

    def start(self) -> LiveRun:
        """Start on the background loop and return at once; twice is once."""
        if not self._is_started:
            self._is_started = True
            self.done = background.submit(self._live(), self._context)
            _live[self.id] = self
            # Called first, before any store is closed: the last that is registered is.
            atexit.unregister(_stop_all)
            atexit.register(_stop_all)
        return self

    def add_listener(self, listener: Listener) -> None:
        """Call ``listener(run, recorded)`` for each further event, in order.

        It is called on the background thread and sees the run's state with the event applied, after
        the event went to the store. It must be quick; one that raises is logged and called no more.
        """
        self._listeners = (*self._listeners, listener)

    def at_end(self, call: Callable[[], None]) -> None:
        """Call `call()` once the run has ended, on the background thread, before `done` resolves.

        A cell that waits for the run is then still open: what is shown now belongs to it.
        """
        self._endings = (*self._endings, call)

    def answer(self, clarification_id: str, response: Any, by: str = "") -> None:
        """Answer a question; the first valid answer stands, and any later one is ignored.

        Args:
            clarification_id: which question.
            response: the answer.
            by: who or what answers, e.g. ``"form"``; it is kept.

        Raises:
            InvalidAnswer: the question doesn't allow it; the question stays open.
        """
        asked = self.run.clarifications.get(clarification_id)
        if asked is None or asked.resolved:
            return
        checked = asked.check_answer(response)
        background.post(self._executor.answer, clarification_id, checked, by)

    def nobody_answers(self, clarification_id: str) -> None:
        """Leave a question open: the run returns with it once nothing else can run."""
        background.post(self._executor.nobody_answers, clarification_id)

    def fail(self, error: BaseException, path: str | None = None) -> None:
        """Let the run fail with `error`: nothing new starts, and what runs may finish."""
        background.post(self._executor.fail, error, path)

    def halt(self, reason: str) -> None:
        """Stop the run once the steps under way are done; on the background thread only."""
        self._executor.halt(reason)

    def stop(self, reason: str = "stopped") -> None:
        """Stop the run: no call starts from now on; outputs are kept, and it can be resumed."""
        self.is_stopping = True
        background.post(self._executor.stop, reason)

    # -- on the background loop ------------------------------------------------------------------

    async def _live(self) -> PlanRun:
        try:
            for recorded in self._first:
                self._tell(recorded)
            await self._executor.execute()
            self._has_ended = True
            if self._tape is not None:
                await self._tape.leave(self.run)
            self._when_left()
            return self.run.snapshot().with_events(KeptEvents(self._store, self.id, self.plan))
        finally:
            self._has_ended = True
            for task, asked in self._handling.items():
                if not self.run.clarifications[asked].resolved:  # else it only has to finish
                    task.cancel()
            self._store.release(self._hold)
            if _live.get(self.id) is self:
                del _live[self.id]
            for call in self._endings:
                try:
                    call()
                except Exception:
                    logger.exception("what was to follow a run failed")

    def emit(self, event: AnyEvent) -> None:
        """Keep an event, apply it, show it; on the background thread only.

        Once the run has ended nothing more is taken: a step left to itself may still speak.
        """
        if self._has_ended:
            return
        event = without_secrets(event, self._secrets)
        seq = 0 if event.passing else self.run.seq + 1
        recorded = Recorded(seq, self._now(), self.run.id, event)
        if seq:
            self._store.append(self._hold, recorded)
        self._tell(recorded)

    def _tell(self, recorded: Recorded) -> None:
        """Apply an event and show it."""
        self.run.apply(recorded)
        for listener in self._listeners:
            try:
                listener(self.run, recorded)
            except Exception:
                self._listeners = tuple(left for left in self._listeners if left is not listener)
                logger.exception("a listener failed and is called no more")

    async def kept(self) -> None:
        """Return once all that was emitted is on disk."""
        await self._store.kept(self._hold)

    def ask(self, clarification: Clarification) -> bool:
        """Hand a question to whoever answers; False: there is nobody."""
        recorded = None if self._tape is None else self._tape.answer_to(clarification)
        if recorded is not None:
            if recorded.expired:
                self._executor.expire(clarification.id)
            if recorded.left_open or recorded.expired:
                return False
            with suppress(ValueError):  # no answer at all, or none that the question allows
                self.answer(clarification.id, codecs.decode(recorded.response), "record")
                return True
        if self._asker is not None:
            self._asker(self, clarification)
            return True
        if self._answers is not None and self._answer_beforehand(clarification, self._answers):
            return True
        if self._handler is None:
            return False
        handler = self._handler

        async def handle() -> None:
            try:
                given = (clarification, self._resolved, self._refused)
                await self._places.call(handler.handle, given, name="the clarification handler")
            except (WaitingForAnswer, asyncio.CancelledError):
                self._executor.nobody_answers(clarification.id)
            except Exception as error:
                self._executor.fail(error, clarification.path)

        task = asyncio.get_running_loop().create_task(handle())
        self._handling[task] = clarification.id
        task.add_done_callback(self._handling.pop)
        return True

    def _answer_beforehand(self, asked: Clarification, answers: DeclaredAnswers) -> bool:
        """Give `asked` the answer that the settings have for it; False: none, or none that fits."""
        found = answers.take(asked)
        if found is None:
            return False
        name, value = found
        try:
            self.answer(asked.id, value, "the setting answers")
        except InvalidAnswer:
            # Without the answer itself, which may be nobody else's business.
            logger.warning(
                "the answer declared for %s doesn't fit %r; the question stays open",
                name,
                asked.user_guidance,
            )
            return False
        return True

    def _resolved(self, clarification: Clarification, response: Any) -> None:
        self.answer(clarification.id, response, "handler")

    def _refused(self, clarification: Clarification, error: Any) -> None:
        cause = error if isinstance(error, BaseException) else RuntimeError(str(error))
        self.fail(cause, clarification.path)
