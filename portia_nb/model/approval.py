"""Approvals: who let a plan run, and which version of a plan goes by a name."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's word that a plan may run, as it is: another content needs another approval."""

    plan_id: str
    plan_hash: str
    """`Plan.content_hash` of what was approved."""
    by: str
    """Who."""
    how: str = "python"
    """How: ``form``, ``input()``, ``--yes``, ``python``, ``notebook``."""
    at: float = 0.0
    """Seconds since the epoch."""
    stands: bool = True
    """True: for every later run of this plan. False: for the one run that it was given for."""
    calls: dict[str, str] = field(default_factory=dict[str, str])
    """By place, the hash of the tool and the exact arguments that the plan spells out: these calls
    are approved with the plan, all others are asked about one by one."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Where it was kept on disk, it bears the seal of who gave it, see `storage.seal`."""

    @property
    def plan_key(self) -> tuple[str, str]:
        """Id and hash of the plan."""
        return self.plan_id, self.plan_hash

    def sentence(self) -> str:
        """Return who approved what, when and how, as one line.

        >>> Approval("plan-1", "ab" * 32, "ada", "form", 0.0, calls={"pay": "…"}).sentence()[:30]
        'plan abababababab, approved by'
        """
        return f"plan {self.plan_hash[:12]}, {approved_text(self.by, self.how, self.at)}"


def approved_text(by: str, how: str, at: float) -> str:
    """Return that somebody approved, when, and how, in words.

    >>> approved_text("ada", "--yes", 0.0).partition(" on ")[0]
    'approved by ada'
    """
    when = dt.datetime.fromtimestamp(at)
    return f"approved by {by} on {when:%Y-%m-%d} at {when:%H:%M} ({how})"


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """One version of a plan that is kept under a name."""

    name: str
    number: int
    """From 1."""
    plan_id: str
    plan_hash: str
    query: str
    at: float
    """Seconds since the epoch."""
    change: str = ""
    """What made it from the version before, in words; empty: the first."""
    is_current: bool = False
    """Whether the name means this one; after an undo, later ones are still there."""
