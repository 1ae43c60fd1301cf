"""What a row of the fault table is: a fault, and a trial of it that can be repeated by number."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

Facts = Mapping[str, float]
"""What a trial counted or measured, by the words that the table shows."""


@dataclass(frozen=True)
class Trial:
    """One trial: which cases, and a project folder of its own, which is the working folder."""

    number: int
    first: int
    """The first case; a case is as good as a seed."""
    count: int
    folder: Path

    @property
    def numbers(self) -> range:
        """The cases of this trial."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table."""

    id: str
    fault: str
    full: int
    """How many cases `make faults` tries."""
    trial: Callable[[Trial], Facts]
    """Does one trial; raises where the product does not hold."""
    sample: tuple[int, ...]
    """The numbers of the trials that `make test` does: a few seconds' worth."""
    holds: str
    """What is so where no trial fails, in a few words."""
    batch: int = 1
    """Cases of one trial."""
    sample_batch: int | None = None
    """Cases of one trial of the sample; None: `batch`."""
    jobs: int = 2
    """Trials at once; 1 where times are measured."""
    trial_s: float = 60.0
    """Seconds after which a trial hangs."""
    later: str = ""
    """Why the row has nothing to run yet."""

    @property
    def trials(self) -> int:
        """How many trials make up the full count."""
        return -(-self.full // self.batch)

    def cases(self, number: int) -> int:
        """Return how many cases trial `number` of the full count has."""
        return min(self.batch, self.full - number * self.batch)

    def run(self, number: int, count: int | None = None) -> Facts:
        """Do trial `number` in a folder of its own, with `count` cases (None: as in full)."""
        with _project() as folder:
            cases = self.cases(number) if count is None else count
            return self.trial(Trial(number, number * self.batch, cases, folder))


def rows() -> list[Row]:
    """Return every row, in the order of the table."""
    names = sorted(path.stem for path in HERE.glob("r[0-9][0-9]_*.py"))
    found = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return [module.ROW for module in found if hasattr(module, "ROW")]


@contextmanager
def _project() -> Iterator[Path]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="fault-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)
