"""The main thread attends a run: it prints what happens, asks what is asked, and hears Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from .progress import Progress
from .terminal import Line, Terminal

if TYPE_CHECKING:
    from portia_nb.model.clarification import Clarification
    from portia_nb.model.events import Recorded
    from portia_nb.model.run import Run
    from portia_nb.session.live import LiveRun

    from .asking import Asking

BEAT_S = 0.1
"""The main thread wakes this often."""
STOP_TIME_S = 5.0
"""Seconds that a stopped run may take to end before the process leaves it."""

Question = tuple["LiveRun", "Clarification", str]


class Relay:
    """What a run's thread hands to the main thread, in order: lines to print, questions to ask."""

    def __init__(self, width: int) -> None:
        """Make lines of at most `width` columns."""
        self._progress = Progress(width)
        self._queue: SimpleQueue[Line | Question | None] = SimpleQueue()

    def listen(self, run: Run, recorded: Recorded) -> None:
        """Take an event; a listener."""
        line = self._progress.line(run, recorded)
        if line is not None:
            self._queue.put(list(line))

    def hand_on(self, live: LiveRun, question: Clarification, complaint: str) -> None:
        """Take a question, and a complaint to show before it."""
        self._queue.put((live, question, complaint))

    def wake(self, _: Any = None) -> None:
        """Let `next` return at once."""
        self._queue.put(None)

    def next(self, timeout_s: float) -> Line | Question | None:
        """Return what is next, None where there is nothing for `timeout_s` seconds."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s else self._queue.get_nowait()
        except Empty:
            return None

    @property
    def is_empty(self) -> bool:
        """True where nothing waits."""
        return self._queue.empty()


class Interrupts:
    """Counts Ctrl-C while its block lasts; the second, and one at a prompt, raises."""

    def __init__(self) -> None:
        """Prepare; the block takes over."""
        self.count = 0
        self.at_prompt = False
        self._before: Any = None
        self._in_main_thread = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._in_main_thread:
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._before or signal.SIG_DFL)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        # The first one elsewhere is only noted: raised into a line that is being written, it would
        # leave half of it, and perhaps a colour.
        if self.at_prompt or self.count > 1:
            raise KeyboardInterrupt


def attend(terminal: Terminal, live: LiveRun, relay: Relay, asking: Asking) -> bool:
    """Return once the run has ended; false where it was interrupted and left before it ended.

    The first Ctrl-C stops the run and waits up to `STOP_TIME_S` for its end, the second leaves.
    """
    live.done.add_done_callback(relay.wake)
    try:
        with Interrupts() as interrupts:
            _serve(terminal, live, relay, asking, interrupts)
    except KeyboardInterrupt:
        # The second one; or the first, in the moment before or after the block.
        live.stop("interrupted")
    return live.done.done()


def _serve(
    terminal: Terminal, live: LiveRun, relay: Relay, asking: Asking, interrupts: Interrupts
) -> None:
    leave_at: float | None = None
    while not (live.done.done() and relay.is_empty):
        item = relay.next(BEAT_S)
        if isinstance(item, list):
            terminal.say(*item)
        elif isinstance(item, tuple) and leave_at is None and not live.done.done():
            interrupts.at_prompt = True
            try:
                asking.ask_here(*item)  # type: ignore[misc]
            except KeyboardInterrupt:
                interrupts.count = 1
            finally:
                interrupts.at_prompt = False
        if interrupts.count and leave_at is None:
            leave_at = time.monotonic() + STOP_TIME_S
            live.stop("interrupted")
            terminal.say(("■ stopping; again Ctrl-C to leave at once", "yellow"))
        if leave_at is not None and time.monotonic() > leave_at:
            return
