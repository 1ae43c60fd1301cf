"""The open questions of one execution: which step asks what, and who may still answer."""

from __future__ import annotations

from portia_nb.model.run import Run

from .ledger import Ledger
from .ports import Ports


class Asked:
    """Keeps steps that ask from starting anew before they have every answer."""

    def __init__(self, run: Run, ports: Ports) -> None:
        """Ask on behalf of `run`, through `ports`."""
        self._run = run
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
            if not asked.resolved and self._ports.ask(asked):
                self._live.add(clarification_id)

    def answered(self, clarification_id: str) -> None:
        """Count a question as answered."""
        self._live.discard(clarification_id)
        for ids in self._open.values():
            ids.discard(clarification_id)

    def nobody_answers(self, clarification_id: str) -> None:
        """Count a question as one that stays open."""
        self._live.discard(clarification_id)

    def release(self, path: str, ledger: Ledger) -> None:
        """Let a step start anew that has asked and got every answer."""
        if path in self._open and not self._open[path]:
            del self._open[path]
            ledger.release(path)
