"""What a tool is told about the run that calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from portia_nb.config import Config

if TYPE_CHECKING:
    from portia_nb.model.clarification import Clarification
    from portia_nb.model.language import LanguageModel
    from portia_nb.model.plan import Plan
    from portia_nb.model.run import PlanRun


class ToolRunContext:
    """The run around one call of a tool; read-only, made anew for each call.

    >>> ToolRunContext(config=Config(), step="profile").step
    'profile'
    """

    __slots__ = (
        "_plan_run",
        "attempt",
        "clarifications",
        "config",
        "end_user",
        "idempotency_key",
        "model",
        "on_text",
        "plan",
        "step",
    )

    config: Config
    plan: Plan | None
    end_user: Any
    """For whom the run is made: an `EndUser`, whose id is ``portia:default_user`` where the caller
    of the run named nobody."""
    clarifications: tuple[Clarification, ...]
    """Answered questions of this step, oldest first."""
    idempotency_key: str | None
    """The same text each time that this very call is made again, also after a kill: hand it to
    services that drop repeated requests."""
    model: LanguageModel | None
    """The model for tools that ask one."""
    attempt: int
    """1 for the first try of this call."""
    step: str | None
    """Path of the step that calls, e.g. ``"each_city[2]/sky"``."""
    on_text: Callable[[str], None] | None
    """Takes pieces of text to be shown while the tool works; None: nobody watches."""

    def __init__(
        self,
        *,
        config: Config,
        plan: Plan | None = None,
        plan_run: PlanRun | Callable[[], PlanRun] | None = None,
        end_user: Any = None,
        clarifications: Sequence[Clarification] = (),
        idempotency_key: str | None = None,
        model: LanguageModel | None = None,
        attempt: int = 1,
        step: str | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "config", config)
        put(self, "plan", plan)
        put(self, "_plan_run", plan_run)
        put(self, "end_user", end_user)
        put(self, "clarifications", tuple(clarifications))
        put(self, "idempotency_key", idempotency_key)
        put(self, "model", model)
        put(self, "attempt", attempt)
        put(self, "step", step)
        put(self, "on_text", on_text)

    @property
    def plan_run(self) -> PlanRun | None:
        """The run as it is now; a snapshot is taken only when a tool reads this."""
        # A snapshot costs as much as the run is long, and hardly any tool reads it.
        return self._plan_run() if callable(self._plan_run) else self._plan_run

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"ToolRunContext is read-only: {name} can't be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"ToolRunContext is read-only: {name} can't be deleted")

    def __repr__(self) -> str:
        return f"ToolRunContext(step={self.step!r}, attempt={self.attempt})"
