"""The open questions of one execution: which step asks what, and who may still answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from uuid import uuid5

from portia_nb.model.clarification import Clarification
from portia_nb.model.events import ClarificationRaised
from portia_nb.model.ids import ClarificationUUID, PlanRunUUID
from portia_nb.model.run import Run

from .attempt import Asking, Attempt
from .expiry import Timers, left_s, with_deadline
from .ledger import Ledger
from .ports import Ports


class Asked:
    """Keeps steps that ask from starting anew before they have every answer."""

    def __init__(self, run: Run, ports: Ports, expire: Callable[[str], None]) -> None:
        """Ask on behalf of `run`, through `ports`; `expire` is told of questions out of time."""
        self._run = run
        self._expire = expire
        self._timers = Timers(expire)
        self._ports = ports
        self._open: dict[str, set[str]] = {}
        self._live: set[str] = set()

    @property
    def is_open(self) -> bool:
        """True while any step has a question open."""
        return bool(self._open)

    @property
    def may_be_answered(self) -> bool:
        """True while somebody may still answer a question in this execution."""
        return bool(self._live)

    async def raise_(self, at: Attempt, asking: Asking, ledger: Ledger) -> None:
        """Put an attempt's questions; the step starts anew when all of them are answered."""
        about = {"plan_run_id": self._run.id, "path": at.path, "step": at.index}
        raised = [with_deadline(c.model_copy(update=about)) for c in asking.clarifications]
        if (tape := self._ports.tape) is not None and tape.plays:
            raised = self._with_lasting_ids(at.path, raised)
        for clarification in raised:
            self._ports.emit(ClarificationRaised(at.path, clarification))
        await self.put({at.path: [c.id for c in raised]}, ledger)

    def _with_lasting_ids(self, path: str, raised: list[Clarification]) -> list[Clarification]:
        """Return questions with the ids that they have in each replay, as the run has its own."""
        asked = sum(c.path == path for c in self._run.clarifications.values())
        run = PlanRunUUID(self._run.id).uuid
        ids = (uuid5(run, f"{path}\n{number}") for number in itertools.count(asked))
        return [
            c.model_copy(update={"id": ClarificationUUID(f"clar-{made}")})
            for c, made in zip(raised, ids, strict=False)
        ]

    async def put(self, by_step: dict[str, list[str]], ledger: Ledger) -> None:
        """Hold steps, and put their questions to whoever answers, once they are kept.

        Args:
            by_step: ids of questions, which the run knows, by the step that asks.
            ledger: where the steps are held.
        """
        for path, ids in by_step.items():
            self._open[path] = set(ids)
            ledger.hold(path)
        await self._ports.kept()
        for clarification_id in [one for ids in by_step.values() for one in ids]:
            asked = self._run.clarifications[clarification_id]
            # A view shows a question from its event: a click may be quicker than the disk.
            if asked.resolved:
                continue
            if (left := left_s(asked)) == 0:
                self._expire(clarification_id)
                continue
            if left is not None:
                self._timers.start(clarification_id, left)
            if self._ports.ask(asked):
                self._live.add(clarification_id)

    def answered(self, clarification_id: str) -> None:
        """Count a question as answered."""
        self._timers.stop(clarification_id)
        self._live.discard(clarification_id)
        for ids in self._open.values():
            ids.discard(clarification_id)

    def nobody_answers(self, clarification_id: str) -> None:
        """Count a question as one that stays open."""
        self._live.discard(clarification_id)

    def close(self) -> None:
        """Count no more time; for the end of the execution."""
        self._timers.close()

    def release(self, path: str, ledger: Ledger) -> None:
        """Let a step start anew that has asked and got every answer."""
        if path in self._open and not self._open[path]:
            del self._open[path]
            ledger.release(path)
