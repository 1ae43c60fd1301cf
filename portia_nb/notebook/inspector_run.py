"""A run that was started in the plan inspector: shown there, and its questions asked there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from portia_nb.running.background import background

from .asking import Prompts
from .attending import Attended, finish_at_end
from .commands.parsing import parse_line
from .starting import Start
from .viewing import open_view
from .visible_text import one_line

if TYPE_CHECKING:
    from concurrent.futures import Future

    from portia_nb.model.plan import Plan
    from portia_nb.session.portia import Portia

    from .face import Face
    from .widget import LiveView

Send = Callable[[dict[str, Any], Any], None]


class _InnerChannel:
    """Carries a run's view inside the inspector's own channel."""

    model_id = None

    def __init__(self, send: Send) -> None:
        self._send = send
        self.heard: Callable[..., None] = lambda *_: None

    def send(self, content: Any, buffers: Any = None) -> None:
        self._send(content, buffers)

    def on_msg(self, callback: Callable[..., None], remove: bool = False) -> None:
        self.heard = callback

    def close(self) -> None:
        """Stay: the run is shown until the inspector goes."""

    def take_back(self) -> None:
        """Do nothing: there is no code of its own."""


class _Nowhere:
    """Takes no output: what the run shows stands in the inspector."""

    def publish(self, *_: Any, **__: Any) -> None:
        pass


class InspectorRun:
    """One run of the plan as it stood when Run was pressed."""

    def __init__(
        self,
        face: Face,
        portia: Portia,
        plan: Plan,
        *,
        send: Send,
        ended: Callable[[str], None],
    ) -> None:
        """Prepare; `start` starts.

        Args:
            face: the notebook face.
            portia: who runs it.
            plan: what is run.
            send: carries what the run's view is told.
            ended: is told how it ended, from any thread.
        """
        self._face, self._portia, self._plan = face, portia, plan
        self._ended = ended
        self._channel = _InnerChannel(send)

    def hear(self, message: dict[str, Any]) -> None:
        """Hand a message of the run's view on; any thread."""
        self._channel.heard(None, message, None)

    def start(self) -> None:
        """Ask for approval where it is needed, and start; returns at once.

        Raises:
            ValueError: an input has no value.
        """
        from portia_nb.planning.inputs import read_plan_run_inputs

        inputs = {
            name: self._face.shell.user_ns[name]
            for each in self._plan.plan_inputs
            if each.value is None
            and (name := each.name.removeprefix("$")) in self._face.shell.user_ns
        }
        read_plan_run_inputs(inputs, self._plan)  # so that what is missing is told at once
        options = parse_line("run plan --background")
        prompts = Prompts(self._face.shell)
        start = _Start(self._face, self._portia, options, prompts, self._channel)
        attending = background.submit(start.run(self._plan, inputs, serves=False))
        attending.add_done_callback(self._took_off)

    def _took_off(self, started: Future[Attended]) -> None:
        try:
            attended = started.result()
        except Exception as error:
            self._ended(one_line(f"Not run: {error}", 500))
            return
        finish_at_end(attended)
        attended.live.done.add_done_callback(lambda _: self._ended(_how(attended)))


def _how(attended: Attended) -> str:
    live = attended.live
    return f"The run has ended. %portia show {live.id} shows it in a cell of its own."


class _Start(Start):
    """A start whose view stands in the inspector."""

    def __init__(
        self, face: Face, portia: Portia, options: Any, prompts: Prompts, channel: _InnerChannel
    ) -> None:
        super().__init__(face, portia, options, prompts)
        self._inner = channel

    def _show(self, plan: Plan) -> LiveView:
        self._face.remember_plan(plan)
        view = open_view(
            self._face,
            self._portia,
            plan,
            self._hear_answer,
            self._hear_stop,
            open_channel=lambda: self._inner,
            publisher=_Nowhere(),
        )
        self._view = view
        self.was_shown(view)
        return view

    def was_shown(self, view: LiveView) -> None:
        """Say that the view is drawn: the inspector, which draws it, is there."""
        self._inner.heard(None, {"type": "ready"}, None)
