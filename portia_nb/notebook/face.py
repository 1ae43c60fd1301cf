"""What the notebook face remembers in one kernel: which Portia, which runs, the latest error."""

from __future__ import annotations

import re
import traceback
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from portia_nb.errors import (
    InvalidOption,
    PlanCheckError,
    PlanNotFoundError,
    PlanRunNotFoundError,
    StepNotFoundError,
    ToolNotFoundError,
)

from .comms import Detour
from .hearing import Hearing
from .leaving import Leaving

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.session.portia import Portia

    from .attending import Attended

MAX_REMEMBERED = 200
"""Runs and plans that are remembered for being shown again; the store keeps all."""

_MISTAKES = (
    InvalidOption,
    PlanNotFoundError,
    PlanRunNotFoundError,
    StepNotFoundError,
    ToolNotFoundError,
)
"""Errors of lines that name what isn't there: the message is all that there is to say."""

_IN_FILE = re.compile(r'File "([^"\n]+)"')
_NO_PORTIA = "no variable portia holds a Portia: run the cell that makes yours, then this again"


class Settings(Protocol):
    """What ``%config PortiaMagics`` sets."""

    @property
    def ask(self) -> Any:
        """Whether the person at the notebook is asked."""

    @property
    def form_time_s(self) -> Any:
        """Seconds that a page has to draw a form before the next rung is tried."""

    @property
    def live_view(self) -> Any:
        """Whether runs are shown live that Python calls start."""


class Face:
    """The notebook face of one shell."""

    def __init__(self, shell: Any, settings: Settings) -> None:
        """Belong to `shell`; nothing is read or loaded yet."""
        self.shell = shell
        self.settings = settings
        self.detour = Detour(getattr(shell, "kernel", None))
        self.hearing = Hearing()
        self.views = Leaving()
        self.runs: OrderedDict[str, Attended] = OrderedDict()
        """Runs that this face started, by id, oldest first."""
        self.plans: OrderedDict[str, Plan] = OrderedDict()
        """Plans that it made or showed, by id."""
        self.shown_in: OrderedDict[str, int] = OrderedDict()
        """By a run's id, the number of the cell that shows it live."""
        self._used: str | None = None
        self._default: Portia | None = None
        self._error: BaseException | None = None
        self._mistake: BaseException | None = None
        """What was typed wrong since then: no line of code is behind it, so it hides no error."""

    # -- which Portia ----------------------------------------------------------------------------

    def use(self, name: str) -> Portia:
        """Take the variable `name` from here on, and return the `Portia` that it holds.

        Raises:
            InvalidOption: there is no such variable, or it holds something else.
        """
        found = self._portia_named(name)
        self._used = name
        return found

    @property
    def used_name(self) -> str:
        """The variable whose Portia is in force, or would be."""
        return self._used or "portia"

    def portia(self) -> Portia:
        """Return the Portia in force: of `use`, else the variable ``portia``, else a default one.

        Raises:
            InvalidOption: the variable of `use` no longer holds one.
        """
        if self._used is not None:
            return self._portia_named(self._used)
        from portia_nb.session.portia import Portia

        variable = self.shell.user_ns.get("portia")
        if isinstance(variable, Portia):
            return variable
        if self._default is None:
            from portia_nb.config import Config
            from portia_nb.tools.examples import example_tool_registry

            self._default = Portia(Config.in_use(), tools=example_tool_registry)
        return self._default

    def _is_on_default(self) -> bool:
        """Tell whether the tools in force are the default ones, as after a restarted kernel."""
        try:
            return self._default is not None and self.portia() is self._default
        except InvalidOption:
            return False

    def _portia_named(self, name: str) -> Portia:
        from portia_nb.session.portia import Portia

        from .commands.nearness import nearest

        found = self.shell.user_ns.get(name)
        if isinstance(found, Portia):
            return found
        theirs = [n for n, value in self.shell.user_ns.items() if isinstance(value, Portia)]
        if name in self.shell.user_ns:
            what = f"{name} holds a {type(found).__name__}, not a Portia"
        else:
            what = f"there is no variable {name!r}"
        raise InvalidOption(f"%portia use: {what}: {nearest(name, theirs)}", option=name)

    # -- what was made ---------------------------------------------------------------------------

    def remember_plan(self, plan: Plan) -> None:
        """Keep `plan`, so that its runs are shown with it."""
        self.plans[str(plan.id)] = plan
        _shorten(self.plans)

    def remember_run(self, attended: Attended) -> None:
        """Keep a run that this face started; ended ones make room for later ones."""
        self.remember_plan(attended.live.plan)
        self.runs[attended.live.id] = attended
        ended = [run_id for run_id, each in self.runs.items() if each.live.done.done()]
        for run_id in ended[: max(0, len(self.runs) - MAX_REMEMBERED)]:
            del self.runs[run_id]

    def give(self, name: str | None, value: Any) -> None:
        """Bind `value` to the variable `name`, and to ``_`` and ``Out`` as a cell's value."""
        if name is not None:
            self.shell.push({name: value})
        update = getattr(self.shell.displayhook, "update_user_ns", None)
        if update is not None:
            update(value)

    # -- what is shown ---------------------------------------------------------------------------

    def note_shown(self, run_id: str) -> None:
        """Remember that the running cell shows a run live, so that it isn't shown there twice."""
        self.shown_in[run_id] = self.shell.execution_count
        _shorten(self.shown_in)

    def say(self, text: str) -> None:
        """Show `text` in the running cell."""
        self.show_bundle({"text/plain": text})

    def show_bundle(self, bundle: dict[str, Any]) -> None:
        """Show a MIME bundle in the running cell."""
        self.shell.display_pub.publish(bundle)

    def display(self, value: Any) -> None:
        """Show `value` in the running cell as its formatter has it."""
        bundle, metadata = self.shell.display_formatter.format(value)
        self.shell.display_pub.publish(bundle, metadata)

    # -- errors ----------------------------------------------------------------------------------

    def carded(self, error: BaseException, facts: Sequence[tuple[str, str]] = ()) -> BaseException:
        """Return `error` dressed as a card, and remember it for ``%portia why``."""
        from .cards import dress, next_command

        is_mistake = isinstance(error, _MISTAKES)
        if is_mistake:
            self._mistake = error
        else:
            self.note_error(error)
        if not facts and isinstance(error, Exception) and not isinstance(error, InvalidOption):
            facts = [] if is_mistake else [("more", "%portia why shows the traceback")]
            if (command := next_command(error)) is not None:
                facts = [("next", command), *facts]
            if isinstance(error, PlanCheckError) and self._is_on_default():
                facts = [("tools", _NO_PORTIA), *facts]
        return dress(error, facts)

    def note_error(self, error: BaseException) -> None:
        """Remember an error that a cell has shown by itself, for ``%portia why``."""
        self._error, self._mistake = error, None

    @property
    def has_error(self) -> bool:
        """Whether an error was shown as a card."""
        return self._error is not None or self._mistake is not None

    def why(self) -> str:
        """Return the traceback of the latest error: of a step that failed, in its own code.

        For a line that was typed wrong, its message, and then that of the error before it.
        """
        if self._mistake is not None:
            said = self.readable(f"{self._mistake}\nThat line ran nothing: there is no traceback.")
            return said if self._error is None else f"{said}\n\nBefore it:\n{self._behind()}"
        return self._behind()

    def _behind(self) -> str:
        if self._error is None:
            return "No error so far."
        record = getattr(getattr(self._error, "plan_run", None), "error", None)
        if record is not None and record.traceback:
            # Where the cell waited for the run says nothing about why the step failed.
            text = (
                f"Traceback of step {record.step!r}:\n{record.traceback}\n"
                f"{record.type}: {record.message}"
            )
        elif hasattr(self._error, "plan_run"):
            # What raised it is the cell's waiting for the run; the run's own error is all there is.
            text = f"{self._error}\nThere is no traceback: no code of yours is behind it."
        else:
            text = "".join(traceback.format_exception(self._error))
        return self.readable(text)

    def readable(self, traceback_text: str) -> str:
        """Return a traceback with the cells named, and with nothing that a screen would obey."""
        from .visible_text import visible

        return visible(_IN_FILE.sub(self._cell_or_file, traceback_text))

    def _cell_or_file(self, found: re.Match[str]) -> str:
        """Return a line's place by the cell that it is in; where it is in a file, as it is."""
        named = getattr(self.shell.compile, "format_code_name", lambda _: None)(found[1])
        return found[0] if named is None else " ".join(named)


def _shorten(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > MAX_REMEMBERED:
        kept.popitem(last=False)
