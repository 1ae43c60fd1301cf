"""Which worker runs which tests, where `make test` shares them out: whole files, and some alone.

pytest-xdist's own ways start the same servers and browsers in each worker, and let a test that
measures a time run beside others.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

SLOW = (
    "tests/browser/",
    "tests/notebooks/",
    "tests/kernel/",
    "tests/stories/",
    "tests/tools/mcp/",
    "tests/cli/",
)
"""Where tests wait for browsers, kernels and programs: those that need most first."""

ALONE = "alone"
"""What is handed out last, to the one worker that is left: a group of pytest-xdist's."""


def slowness(file: str) -> int:
    """Return 0 for a file of the slowest folder, more for quicker ones."""
    places = [place for place, folder in enumerate(SLOW) if file.startswith(folder)]
    return places[0] if places else len(SLOW)


class FilesThenAlone(LoadScopeScheduling):
    """Hands out whole files: to the first worker the slow ones, to the others the quick ones.

    So browser, JupyterLab and kernels, each of which takes more than a core, are mostly with one
    worker, and all end at about the same time, since they meet in the middle. Then all but one
    worker are ended, and that one runs the tests of the group `alone`.
    """

    def _split_scope(self, nodeid: str) -> str:
        # With --dist=loadgroup pytest-xdist puts the group's name behind the test's.
        if nodeid.endswith(f"@{ALONE}"):
            return ALONE
        return nodeid.split("::", 1)[0]

    def _next_file(self, node: WorkerController) -> str | None:
        """Return what `node` is to run next, None if that is for another to do, or for later."""
        files = sorted((name for name in self.workqueue if name != ALONE), key=slowness)
        if files:
            return files[0] if node is self.nodes[0] else files[-1]
        return ALONE if ALONE in self.workqueue and self.nodes == [node] else None

    def _assign_work_unit(self, node: WorkerController) -> None:
        # A worker runs a test when it knows the next one, so that a single one would wait.
        while self._pending_of(self.assigned_work[node]) < 3:
            name = self._next_file(node)
            if name is None:
                return
            self.workqueue.move_to_end(name, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        only_alone = set(self.workqueue) == {ALONE}
        if not only_alone or self.nodes == [node] or node.shutting_down:
            super()._reschedule(node)
        elif self._pending_of(self.assigned_work[node]) <= 2 and not all(
            other.shutting_down for other in self.nodes if other is not node
        ):
            node.shutdown()  # another is still at work: that one goes on to what is left

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a worker that has ended; return the test in which it crashed, if it did."""
        crashed = super().remove_node(node)
        for left in self.nodes:
            self._reschedule(left)
        return crashed
