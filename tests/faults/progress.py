"""How far a row has got: a line of JSON for each trial, so that an interrupted row goes on."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .row import ROOT, Row

FOLDER = ROOT / "test-results" / "faults"


def this_commit() -> str:
    """Return the short id of the commit that is tested, with a + where files were changed."""
    try:
        commit = _git("rev-parse", "--short=9", "HEAD")
        # Not the whole tree: the table itself is written while its rows are measured.
        changed = _git("status", "--porcelain", "--", "portia_nb", "tests")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+" if changed else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@dataclass
class Progress:
    """What is known of one row's trials."""

    row: Row
    outcomes: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.row.id}.jsonl"

    @classmethod
    def of(cls, row: Row, *, fresh: bool = False) -> Progress:
        """Return what earlier runs left, or nothing where that is to be forgotten."""
        made = cls(row)
        FOLDER.mkdir(parents=True, exist_ok=True)
        if fresh:
            made.path.unlink(missing_ok=True)
        if made.path.exists():
            for line in made.path.read_text().splitlines():
                # The last line may be half of one, where the machine went down.
                if line.endswith("}"):
                    made._note(json.loads(line))
        return made

    def _note(self, outcome: dict[str, Any]) -> None:
        number = outcome["trial"]
        if number < self.row.trials and outcome["cases"] == self.row.cases(number):
            self.outcomes[number] = outcome

    def add(self, outcome: dict[str, Any], commit: str) -> None:
        """Keep the outcome of one more trial."""
        outcome = {**outcome, "commit": commit, "at": time.strftime("%Y-%m-%d", time.gmtime())}
        with self.path.open("a") as file:
            file.write(json.dumps(outcome) + "\n")
        self._note(outcome)

    @property
    def left(self) -> list[int]:
        """The trials still to do."""
        return [number for number in range(self.row.trials) if number not in self.outcomes]

    @property
    def done(self) -> int:
        """How many cases went as they must."""
        return sum(o["cases"] for o in self.outcomes.values() if o["failure"] is None)

    @property
    def failures(self) -> list[str]:
        """What went wrong, a line a trial."""
        found = sorted(self.outcomes.items())
        return [f"trial {n}: {o['failure']}" for n, o in found if o["failure"] is not None]

    @property
    def verdict(self) -> str:
        """One word: holds, FAILS, unfinished, later."""
        if self.row.later:
            return "later"
        if self.failures:
            return "FAILS"
        return "holds" if not self.left else "unfinished"

    @property
    def seconds(self) -> float:
        """Seconds of all trials together, one after another."""
        return sum(o["seconds"] for o in self.outcomes.values())

    @property
    def commits(self) -> str:
        """Which commits were tested."""
        return ", ".join(dict.fromkeys(o["commit"] for o in self.outcomes.values()))

    @property
    def date(self) -> str:
        """The day of the newest trial."""
        return max((o["at"] for o in self.outcomes.values()), default="")

    @property
    def figure(self) -> str:
        """What the trials counted and measured, in words."""
        facts: dict[str, float] = {}
        for outcome in self.outcomes.values():
            for name, value in outcome["facts"].items():
                before = facts.get(name, 0)
                facts[name] = max(before, value) if name.startswith("max") else before + value
        said = [f"{name} {value:,.4g}" for name, value in facts.items()]
        if self.row.later:
            said = [self.row.later]
        elif self.verdict == "holds":
            said.insert(0, self.row.holds)
        return "; ".join(said)

    def __str__(self) -> str:
        row = self.row
        counted = "" if row.later else f"{self.done:,}/{row.full:,}"
        return (
            f"{row.id:4} {self.verdict:10} {counted:>13} {self.seconds:7.0f} s  "
            f"{row.fault}: {self.figure}"
        )
