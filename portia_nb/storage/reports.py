"""What the upkeep of a store found and did: `check`, `vacuum`, `prune`, `export_to`, `import_from`.

Each report prints as the sentences that a person reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .store import RunRow


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    what: str
    run_id: str | None = None
    """The run that it concerns; None: the whole file, or nobody knows which."""

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of a whole store found."""

    where: str
    """The file, or ``"memory"``."""
    plans: int = 0
    runs: int = 0
    events: int = 0
    large_values: int = 0
    """Files beside the journal that events refer to."""
    findings: tuple[Finding, ...] = ()
    unused: tuple[Path, ...] = ()
    """Files that nothing refers to: what a killed process left. They do no harm; vacuum deletes
    them."""
    is_there: bool = True
    """False: there is no such file, so nothing was looked at."""

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def affected_runs(self) -> tuple[str, ...]:
        """The runs that something is wrong with, each once."""
        return tuple(dict.fromkeys(f.run_id for f in self.findings if f.run_id is not None))

    def __str__(self) -> str:
        if not self.is_there:
            return f"{self.where}: there is no such file, so no run is kept there"
        lines = [f"{self.where}: {finding}" for finding in self.findings]
        counted = (
            f"{self.runs} runs with {self.events} events, {self.plans} plans, "
            f"{self.large_values} large values"
        )
        if self.is_ok:
            lines.append(f"{self.where}: all is whole: {counted}")
        else:
            affected = ", ".join(self.affected_runs) or "none that is known"
            lines.append(f"{self.where}: {len(self.findings)} wrong; affected runs: {affected}")
        if self.unused:
            lines.append(f"{len(self.unused)} files that nothing uses: vacuum deletes them")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class VacuumReport:
    """What giving back space came to."""

    bytes_before: int
    bytes_after: int
    """Both of the journal's file with its log, and of large values."""
    deleted: tuple[Path, ...] = ()
    """Files that nothing used."""

    def __str__(self) -> str:
        given = self.bytes_before - self.bytes_after
        files = f"; {len(self.deleted)} unused files deleted" if self.deleted else ""
        return f"{self.bytes_after:,} bytes now, {max(given, 0):,} given back{files}"


@dataclass(frozen=True, slots=True)
class PruneReport:
    """Which runs were deleted, or would be, and which old ones stay and why."""

    runs: tuple[RunRow, ...] = ()
    spared: tuple[tuple[RunRow, str], ...] = ()
    """Runs that are old enough and stay, each with the reason."""
    is_dry: bool = False
    """True: nothing was deleted."""

    def __str__(self) -> str:
        verb = "would be deleted" if self.is_dry else "deleted"
        lines = [f"{len(self.runs)} runs {verb}"]
        lines += [f"{row.run_id} stays: {why}" for row, why in self.spared]
        if self.spared:
            lines.append("with --force (force=True) those are deleted, too")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export holds, and what of the store could not be read."""

    files: tuple[Path, ...] = ()
    runs: int = 0
    events: int = 0
    lost: tuple[Finding, ...] = field(default=())
    """What a salvaging export had to leave out."""

    def __str__(self) -> str:
        lines = [f"{self.runs} runs with {self.events} events exported"]
        return "\n".join([*lines, *map(str, self.lost)])


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import added, run by run."""

    added: tuple[str, ...] = ()
    already_here: tuple[str, ...] = ()
    """Runs that the store held already, event by event the same."""
    refused: tuple[Finding, ...] = ()
    """Runs that were not added, each with the reason."""
    shortened: tuple[Finding, ...] = ()
    """Runs of a salvaged store that were added up to their first lost event."""
    names: tuple[str, ...] = ()
    """Names of plans that were added, each with its versions."""
    approvals: int = 0
    """Approvals of plans that were added."""
    approvals_left_out: int = 0
    """Approvals that stand in the file, and were not asked for."""

    def __str__(self) -> str:
        lines = [f"{len(self.added)} runs added, {len(self.already_here)} were here already"]
        if self.names:
            lines.append(f"names of plans added: {', '.join(map(repr, self.names))}")
        if self.approvals:
            lines.append(f"{self.approvals} approvals added")
        if self.approvals_left_out:
            lines.append(
                f"{self.approvals_left_out} approvals left out: a file could approve what nobody "
                "here has seen; from an export of your own, import them with --approvals "
                "(approvals=True)"
            )
        return "\n".join([*lines, *map(str, self.shortened), *map(str, self.refused)])
