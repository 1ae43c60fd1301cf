"""Names of plans and approvals as lines of an export, and back, each checked.

A line ``{"name": "trip", "versions": [{"number": 1, …}, …], "current": 1}`` holds a name with all
its versions, whose plans stand in lines of their own; ``{"approval": {…}}`` holds who approved a
plan, when and how.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from portia_nb.errors import InvalidOption
from portia_nb.model.approval import Approval
from portia_nb.model.plan_name import checked_name

MAX_TEXT_CHARS = 10_000
_FAR = 1e12
_VERSION = {"number": int, "plan_id": str, "plan_hash": str, "at": float, "change": str}
_APPROVAL = {
    "id": str, "plan_id": str, "plan_hash": str, "by": str, "how": str, "at": float,
    "stands": bool, "calls": dict,
}  # fmt: skip


class KeptVersion(NamedTuple):
    """One version under a name."""

    number: int
    plan_id: str
    plan_hash: str
    at: float
    change: str


class KeptName(NamedTuple):
    """A name of plans."""

    name: str
    versions: tuple[KeptVersion, ...]
    """From number 1, without a gap."""
    current: int
    """The number of the version that it means."""

    def plans(self) -> list[tuple[str, str]]:
        """Return id and hash of the plan of each version."""
        return [(version.plan_id, version.plan_hash) for version in self.versions]


def name_line(kept: KeptName) -> dict[str, Any]:
    """Return the line that holds a name."""
    versions = [version._asdict() for version in kept.versions]
    return {"name": kept.name, "versions": versions, "current": kept.current}


def approval_line(approval: Approval) -> dict[str, Any]:
    """Return the line that holds an approval."""
    return {"approval": {field: getattr(approval, field) for field in _APPROVAL}}


def read_name(data: dict[str, Any]) -> KeptName:
    """Return what a line says of a name.

    Raises:
        ValueError: it doesn't say what such a line says.
    """
    name, listed, current = data.get("name"), data.get("versions"), data.get("current")
    try:
        if not isinstance(name, str) or checked_name(name) != name:
            raise ValueError(f"{name!r:.120} is no name of a plan")
    except InvalidOption as error:
        raise ValueError(str(error)) from error
    if not isinstance(listed, list):
        raise ValueError("versions are a list")
    versions = tuple(KeptVersion(**_checked(each, _VERSION)) for each in listed)
    numbers = [version.number for version in versions]
    if numbers != list(range(1, len(numbers) + 1)) or current not in numbers:
        raise ValueError("the numbers of its versions don't add up")
    return KeptName(name, versions, current)


def read_approval(data: dict[str, Any]) -> Approval:
    """Return what a line says of an approval.

    Raises:
        ValueError: it doesn't say what such a line says.
    """
    found = _checked(data.get("approval"), _APPROVAL)
    if not all(isinstance(part, str) for pair in found["calls"].items() for part in pair):
        raise ValueError("calls are texts by place")
    return Approval(**found)


def _checked(data: Any, kinds: dict[str, type]) -> dict[str, Any]:
    if not isinstance(data, dict) or not kinds.keys() <= data.keys():
        raise ValueError(f"it has no {', '.join(kinds)}")
    found = {field: data[field] for field in kinds}
    for field, kind in kinds.items():
        value = found[field]
        if kind is float:
            is_time = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_time or not -_FAR < value < _FAR:
                raise ValueError(f"{field} is {value!r:.80}")
        elif type(value) is not kind or (kind is str and not _is_text(value)):
            raise ValueError(f"{field} is {value!r:.80}")
    return found


def _is_text(value: str) -> bool:
    return len(value) <= MAX_TEXT_CHARS and all(c < "\ud800" or c > "\udfff" for c in value)
