"""Why a run starts nothing new any more."""

from __future__ import annotations

from dataclasses import dataclass

from portia_nb.model.events import ErrorRecord

from .failures import record_error


@dataclass(slots=True)
class Reasons:
    """The reasons for which one execution ends before its plan is complete; None: not for this."""

    failure: ErrorRecord | None = None
    """What failed first, for good; steps under way finish."""
    stopped: str | None = None
    """Why steps under way are cancelled."""
    halted: str | None = None
    """Why nothing new starts though no step has failed; steps under way finish."""
    exit: str | None = None
    """Path of the step that ended the run."""

    @property
    def is_any(self) -> bool:
        """True: nothing new starts."""
        return (
            self.failure is not None
            or self.stopped is not None
            or self.halted is not None
            or self.exit is not None
        )

    def fail(self, error: BaseException, path: str | None) -> None:
        """Let the run fail by `error`, of the step at `path`, unless it has failed before."""
        if self.failure is None:
            self.failure = record_error(error, path)
