"""The plan inspector: a plan as a form in a cell's output, changed by hand while no cell runs.

All that is typed goes to Python and is checked there; what is refused is told at its field. The
page never decides what a plan says, and shows nothing that wasn't sent to it as text.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from portia_nb.errors import PlanError, PortiaBaseError
from portia_nb.session.answering import side_effects

from .channel import WIDGET_MIME, tell, widget_view
from .inspector_edits import Wish, fulfil
from .inspector_run import InspectorRun
from .inspector_state import editor_view
from .plan_record import plan_record
from .visible_text import one_line

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.session.plan_editor import PlanEditor
    from portia_nb.session.portia import Portia

    from .channel import Channel
    from .face import Face

MAX_TYPED = 50_000
log = logging.getLogger(__name__)


def open_inspector(
    face: Face,
    portia: Portia,
    editor: PlanEditor,
    names: Sequence[str],
    open_channel: Callable[[], Channel] | None = None,
) -> PlanInspector:
    """Show the inspector of a plan in the running cell; where no page is, how to edit in Python.

    Args:
        face: the notebook face.
        portia: whose tools check the changes, and who runs the plan.
        editor: the plan.
        names: the variables that follow each change.
        open_channel: makes the widget; None: the inspector's own.
    """
    inspector = PlanInspector(face, portia, editor, names)
    inspector.show(open_channel)
    return inspector


class PlanInspector:
    """One inspector in one output. Messages come on the kernel's main thread, one at a time."""

    def __init__(
        self, face: Face, portia: Portia, editor: PlanEditor, names: Sequence[str]
    ) -> None:
        """Prepare; `show` displays."""
        self.display_id = f"portia-{secrets.token_hex(8)}"
        self._face = face
        self._portia = portia
        self._editor = editor
        self._names = [name for name in names if name and name.isidentifier()]
        self._channel: Channel | None = None
        self._lock = threading.RLock()
        self._run: InspectorRun | None = None

    def show(self, open_channel: Callable[[], Channel] | None = None) -> None:
        """Display the inspector, with the record that stays where nobody can answer."""
        data = self._record()
        kernel = getattr(self._face.shell, "kernel", None)
        # A program that runs a notebook has no stdin, and no page in which anything is pressed.
        if kernel is not None and getattr(kernel, "_allow_stdin", True):
            if open_channel is None:
                from .editor_widget import open_editor_widget as open_channel
            self._channel = open_channel()
            self._channel.on_msg(self._hear)
            data = {WIDGET_MIME: widget_view(self._channel), **data}
            self._publish()
            self._channel.take_back()
        self._face.shell.display_pub.publish(data, {}, transient={"display_id": self.display_id})
        self._face.views.add(self)
        self._bind()

    # -- from the browser: never print, never raise ----------------------------------------------

    def _hear(self, _channel: Any, content: Any, _buffers: Any) -> None:
        match content:
            case {"type": "ready"}:
                self._send_state()
            case {"type": "do", "what": str(what), "id": int(number)}:
                self._do(what, content, number)
            case {"type": "run", "message": dict(message)}:
                if self._run is not None:
                    self._run.hear(message)
            case _:
                log.debug("a plan inspector sent something unknown")

    def _do(self, what: str, content: dict[str, Any], number: int) -> None:
        try:
            with self._lock:
                known = self._editor.plan.content_hash()
                now = self._editor.refresh().content_hash()
                # What is approved or run is what was seen; other things may be done in a hurry.
                is_seen = what not in ("approve", "run") or content.get("hash") == now[:12]
                if now != known or not is_seen:
                    raise PlanError("the plan was changed elsewhere meanwhile; here it is anew")
                said = self._done(what, content, number)
        except PortiaBaseError as error:
            self._send({"type": "refused", "id": number, "message": _short(error)})
            if "changed elsewhere" in str(error):
                self._send_state()
        except Exception as error:
            log.exception("a plan inspector could not do something")
            message = f"{type(error).__name__}: {error}"
            self._send({"type": "refused", "id": number, "message": one_line(message, 500)})
        else:
            if said is not None:
                self._after(number, said)

    def _done(self, what: str, content: dict[str, Any], number: int) -> str | None:
        """Do one thing and return what to say of it; None: it goes on, and says so later."""
        text = str(content.get("text", ""))[:MAX_TYPED]
        match what:
            case "words":
                self._change(text, number)
            case "run":
                self._start(number)
            case "close":
                self.close()
            case _:
                place, field = str(content.get("place", "")), str(content.get("field", ""))
                return fulfil(Wish(what, place, field, text), self._editor, self._portia.tools)
        return None

    def _change(self, words: str, number: int) -> None:
        """Ask a model for the change; the answer comes on another thread."""
        from portia_nb.running.background import background
        from portia_nb.session.changing import change_in_words

        before = self._editor.plan
        asked = background.submit(
            change_in_words(self._portia._parts, before, words)  # pyright: ignore[reportPrivateUsage]
        )
        self._send({"type": "busy", "id": number, "message": "Asking the model…"})

        def take(done: Future[Plan]) -> None:
            try:
                changed = done.result()
                with self._lock:
                    if self._editor.refresh() is not before:
                        raise PlanError("the plan was changed while the model was asked: ask again")
                    self._editor.take(changed, f"“{words}”")
            except Exception as error:
                self._send({"type": "refused", "id": number, "message": _short(error)})
            else:
                self._after(number, "Changed")

        asked.add_done_callback(take)

    def _start(self, number: int) -> None:
        self._run = InspectorRun(
            self._face,
            self._portia,
            self._editor.plan,
            send=lambda message, buffers: self._send({"type": "run", "message": message}, buffers),
            ended=lambda said: self._send({"type": "said", "id": number, "message": said}),
        )
        self._run.start()
        self._send({"type": "said", "id": number, "message": "Running"})

    # -- what is shown ---------------------------------------------------------------------------

    def _after(self, number: int, said: str) -> None:
        self._bind()
        self._send_state()
        self._send({"type": "said", "id": number, "message": one_line(said, 200)})
        self._publish()

    def _bind(self) -> None:
        """Let the variables hold the plan as it stands."""
        plan = self._editor.plan
        self._face.remember_plan(plan)
        for name in self._names:
            self._face.shell.user_ns[name] = plan

    def _publish(self) -> None:
        """Bring up to date what the saved notebook shows where the inspector can't be."""
        if self._channel is None:
            return
        if hasattr(self._channel, "record"):
            record = self._record()
            self._channel.record = record["text/plain"]  # pyright: ignore[reportAttributeAccessIssue]

    def _record(self) -> dict[str, Any]:
        effects = side_effects(self._editor.plan, self._portia.tools)
        return plan_record(self._editor, self._names, effects)

    def close(self) -> None:
        """Replace the inspector by its record."""
        bundle = self._record()
        self._face.shell.display_pub.publish(
            bundle, {}, transient={"display_id": self.display_id}, update=True
        )
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def leave_record(self) -> None:
        """Become the record where this is still open: the kernel ends."""
        if self._channel is not None:
            self.close()

    def _send_state(self) -> None:
        state = editor_view(self._editor, self._portia.tools, self._names)
        self._send({"type": "state", "state": state})

    def _send(self, message: dict[str, Any], buffers: Any = None) -> None:
        if (channel := self._channel) is not None:
            tell(channel, message, buffers)


def _short(error: BaseException) -> str:
    return one_line(str(error).removeprefix("this plan can't run: "), 1_000)
