"""The live view of a plan or run: what the background loop says is shown, what a person says heard.

Everything that changes what is shown happens on the background loop's thread, and one place writes
to the widget. What the browser sends arrives on any thread and is handed over to that loop.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from portia_nb.model.clarification import Clarification
from portia_nb.model.events import Recorded
from portia_nb.model.plan import Plan
from portia_nb.model.run import Run

from . import static_record
from .channel import WIDGET_MIME, Channel, Publisher, open_widget, tell, widget_view
from .deltas import Deltas
from .plan_rows import Order, SideEffects, View
from .questions import read_answer, show_question
from .visible_text import visible

RATE_HZ = 30

log = logging.getLogger(__name__)


class LiveView:
    """Shows one plan, then its run while it happens, in one output of one cell.

    Guarantees: at most `RATE_HZ` messages a second, the last change always among them; nothing is
    sent before a view is there, and nothing fails when one goes.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        loop: asyncio.AbstractEventLoop,
        publisher: Publisher,
        on_answer: Callable[[str, Any], None],
        on_stop: Callable[[], None],
        order: Order | None = None,
        side_effects: SideEffects | None = None,
        open_channel: Callable[[], Channel] = open_widget,
    ) -> None:
        """Prepare; `show` displays.

        Args:
            plan: what is shown until its run begins.
            loop: the background loop; `listen` is called on its thread.
            publisher: where outputs of the cell go.
            on_answer: called on the loop's thread with a question's id and the answer, unchecked,
                once for each question until it is refused. It only hands over.
            on_stop: called on the loop's thread. It only hands over.
            order: what each step waits for, from `portia_nb.model.order.waits`.
            side_effects: the effective side effect of steps by name.
            open_channel: makes the widget.
        """
        self.display_id = f"portia-{secrets.token_hex(8)}"
        self.ready = threading.Event()
        """Set once a view is drawn somewhere and can be answered."""
        self._plan = plan
        self._loop = loop
        self._publisher = publisher
        self._on_answer = on_answer
        self._on_stop = on_stop
        self._order = order
        self._side_effects = side_effects
        self._open_channel = open_channel
        self._channel: Channel | None = None
        self._readies = 0
        self._run: Run | None = None
        self._is_finished = False
        self._asked: dict[str, Clarification] = {}
        self._answered: set[str] = set()
        self._deltas = Deltas(plan, order, side_effects)
        self._timer: asyncio.TimerHandle | None = None
        self._last_flush = 0.0

    # -- from the cell's thread --

    def show(self) -> None:
        """Display the live view as an output of the running cell; call on the cell's thread.

        Raises:
            ImportError: anywidget is missing or broken.
        """
        self._channel = self._open_channel()
        self._channel.on_msg(self._hear)
        # Kept in the notebook in case the kernel dies before `finish`.
        bundle = static_record.plan_bundle(
            self._plan, order=self._order, side_effects=self._side_effects
        )
        data = {
            WIDGET_MIME: widget_view(self._channel),
            **{m: bundle[m] for m in ("text/html", "text/plain")},
        }
        self._publisher.publish(data, {}, transient={"display_id": self.display_id})

    def finish(self, run: Run | None = None) -> None:
        """Replace the live view by the record that stays in the notebook; from any thread, once.

        Args:
            run: the run as it ended; None: as this view last heard of it, or the plan alone.
        """
        self._is_finished = True
        run = run or self._run
        if run is None:
            bundle = static_record.plan_bundle(
                self._plan, order=self._order, side_effects=self._side_effects
            )
        else:
            bundle = static_record.run_bundle(
                run, order=self._order, side_effects=self._side_effects
            )
        self._publisher.publish(bundle, {}, transient={"display_id": self.display_id}, update=True)
        if self._channel is not None and not self.ready.is_set():
            self._channel.take_back()  # here: nbclient hears nothing after the cell's end
        self._hand_over(self._close)

    def leave_record(self) -> None:
        """Become the record where this is still live: the kernel ends."""
        if not self._is_finished:
            self.finish()

    async def until_ready(self, timeout_s: float) -> bool:
        """Wait until a view is drawn; return whether one was within `timeout_s`; from any loop."""
        # An own thread, since users' blocking code may fill the loop's default executor.
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def settle(is_ready: bool) -> None:
            if not done.done():
                done.set_result(is_ready)

        def wait() -> None:
            is_ready = self.ready.wait(timeout_s)
            with suppress(RuntimeError):  # the loop that asked is gone
                loop.call_soon_threadsafe(settle, is_ready)

        threading.Thread(target=wait, name="portia-view-ready", daemon=True).start()
        return await done

    # -- from any thread --

    def ask(self, question: Clarification) -> None:
        """Show a question that is not among the run's own, such as whether to run the plan."""
        self._hand_over(lambda: self._put(question))

    def withdraw(self, question_id: str) -> None:
        """Take a question of `ask` away: it was answered, here or elsewhere."""
        self._hand_over(lambda: self._take_back(question_id))

    def refuse(self, question_id: str, message: str) -> None:
        """Show at a question's field why the answer won't do; it may be answered again."""
        self._hand_over(lambda: self._send_refusal(question_id, message))

    # -- on the loop's thread --

    def listen(self, run: Run, recorded: Recorded) -> None:
        """Take note of an event that `run` has just applied; call on the loop's thread."""
        self._run = run
        self._deltas.note(recorded.event)
        self._schedule()

    def _put(self, question: Clarification) -> None:
        self._asked[str(question.id)] = question
        self._schedule()

    def _take_back(self, question_id: str) -> None:
        self._asked.pop(question_id, None)
        self._schedule()

    def _send_refusal(self, question_id: str, message: str) -> None:
        self._answered.discard(question_id)
        refused = {"id": question_id, "message": visible(message)}
        self._send({"type": "delta", "refused": refused})

    def _schedule(self) -> None:
        if self._timer is None and self._deltas.is_told:
            # Trailing edge: a run that stops to ask sends nothing more, so its last event must
            # still arrive.
            wait = max(0.0, self._last_flush + 1 / RATE_HZ - self._loop.time())
            self._timer = self._loop.call_later(wait, _safely(self._flush))

    def _flush(self) -> None:
        self._timer = None
        self._last_flush = self._loop.time()
        delta = self._deltas.delta(self._run, self._questions())
        if delta:
            self._send({"type": "delta", **delta})

    def _questions(self) -> list[View]:
        """Return all open questions as shown; called often, so nothing is shown twice."""
        open_ones = dict(self._asked)
        if self._run is not None:
            open_ones |= {str(q.id): q for q in self._run.outstanding()}
        return [show_question(question) for question in open_ones.values()]

    def _send_whole(self) -> None:
        """Tell every view everything: the first one, and those that a reload has made."""
        view = self._deltas.whole(self._run, self._questions())
        self._send({"type": "full", "view": view})

    def _send(self, message: dict[str, Any]) -> None:
        if (channel := self._channel) is not None:
            tell(channel, message)

    def _answer(self, question_id: str, value: Any) -> None:
        question = self._asked.get(question_id)
        if question is None and self._run is not None:
            question = self._run.clarifications.get(question_id)
        # A click can arrive twice, or after the end.
        if question is None or question.resolved or question_id in self._answered:
            return
        try:
            answer = read_answer(question, value)
        except ValueError as error:
            self._send_refusal(question_id, str(error))
            return
        self._answered.add(question_id)
        self._on_answer(question_id, answer)

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._flush()
        channel, self._channel = self._channel, None
        self._deltas.forget()
        # A page that was reloaded doesn't know the display id: its view is not replaced, and
        # would vanish with the widget.
        if channel is not None and self._readies <= 1:
            channel.close()

    # -- from the browser, on any thread: never print, never raise --

    def _hear(self, _channel: Any, content: Any, _buffers: Any) -> None:
        match content:
            case {"type": "ready"}:
                self._readies += 1
                self._hand_over(self._send_whole)
                self.ready.set()
            case {"type": "answer", "id": str(question_id), "value": value}:
                self._hand_over(lambda: self._answer(question_id, value))
            case {"type": "stop"}:
                self._hand_over(self._on_stop)
            case _:
                log.debug("a live view sent something unknown")

    def _hand_over(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(_safely(call))
        except RuntimeError:
            log.debug("the background loop is closed; a live view stays as it is")


def _safely(call: Callable[[], None]) -> Callable[[], None]:
    """Return `call` with its errors logged: a view that fails must not take the run with it."""

    def safely() -> None:
        try:
            call()
        except Exception:
            log.exception("a live view failed; the run goes on")

    return safely
