"""Plans in a store: kept once each, version by version under names, and who approved them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from portia_nb.errors import PlanNotFoundError
from portia_nb.model.approval import Approval, PlanVersion
from portia_nb.model.plan import Plan

from . import jobs, queries, schema, shelf_rows
from .refusals import no_plan
from .shelf_lines import KeptName, KeptVersion
from .store import PlanRow

_VERSIONS = (
    "SELECT name, v.number, plan_id, plan_hash, coalesce(query, ''), at, change, is_current"
    " FROM plan_version v LEFT JOIN plan ON plan.id = plan_id AND plan.hash = plan_hash"
)


class JournalPlans:
    """The plans of a journal."""

    path: Path
    _call: Callable[[Any], Any]
    _catch_up: Callable[[], None]

    def save_plan(self, plan: Plan) -> None:
        """Keep `plan`, as `Store.save_plan` promises."""
        self._call(partial(jobs.save_plan, plan))

    def load_plan(self, plan_id: str, *, plan_hash: str | None = None) -> Plan:
        """Return a plan, as `Store.load_plan` promises."""
        self._catch_up()
        with schema.reading(self.path) as connection:
            return queries.load_plan(connection, plan_id, plan_hash, self.path)

    def find_plans(self, *, limit: int = 100) -> list[PlanRow]:
        """Return plans, the last one saved first."""
        found = self._rows(
            "SELECT id, hash, query, saved_at FROM plan ORDER BY number DESC LIMIT ?", (limit,)
        )
        return [PlanRow(*row) for row in found]

    def keep_version(self, name: str, plan: Plan, change: str = "") -> int:
        """Keep the next version under `name`, as `Store.keep_version` promises."""
        return int(self._call(partial(_keep_version, name, plan, change)))

    def set_version(self, name: str, number: int) -> None:
        """Let `name` mean another version, as `Store.set_version` promises."""
        if not self._call(partial(_set_version, name, number)):
            raise no_version(name, number)

    def find_versions(self, name: str | None = None) -> list[PlanVersion]:
        """Return versions, as `Store.find_versions` promises."""
        if name is None:
            rows = self._rows(f"{_VERSIONS} WHERE is_current ORDER BY at DESC, name", ())
        else:
            rows = self._rows(f"{_VERSIONS} WHERE name = ? ORDER BY v.number", (name,))
        return [PlanVersion(*row[:-1], is_current=bool(row[-1])) for row in rows]

    def forget_name(self, name: str) -> None:
        """Delete a name, as `Store.forget_name` promises."""
        self._call(partial(_forget_name, name))
        schema.scrub(self.path)

    def keep_approval(self, approval: Approval) -> None:
        """Keep `approval`, as `Store.keep_approval` promises."""
        self._call(partial(shelf_rows.keep_approval, approval))

    def find_approvals(
        self, *, plan_hash: str | None = None, approval_id: str | None = None, limit: int = 100
    ) -> list[Approval]:
        """Return approvals, as `Store.find_approvals` promises."""
        rows = self._rows(
            f"{shelf_rows.APPROVALS} WHERE (?1 IS NULL OR plan_hash = ?1)"
            " AND (?2 IS NULL OR id = ?2) ORDER BY number DESC LIMIT ?3",
            (plan_hash, approval_id, limit),
        )
        return [shelf_rows.approval_in(row, self.path) for row in rows]

    def _add_name(self, kept: KeptName) -> bool:
        return bool(self._call(partial(shelf_rows.add_name, kept)))

    def _add_approval(self, approval: Approval) -> bool:
        return bool(self._call(partial(shelf_rows.add_approval, approval)))

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        self._catch_up()
        with schema.reading(self.path) as connection:
            return connection.execute(sql, values).fetchall()


def _keep_version(name: str, plan: Plan, change: str, connection: sqlite3.Connection) -> int:
    jobs.save_plan(plan, connection)
    found = connection.execute(
        "SELECT number FROM plan_version WHERE name = ? AND is_current", (name,)
    ).fetchone()
    number = (found[0] if found else 0) + 1
    # What was undone can be redone only until something else is done.
    connection.execute("DELETE FROM plan_version WHERE name = ? AND number >= ?", (name, number))
    connection.execute("UPDATE plan_version SET is_current = 0 WHERE name = ?", (name,))
    connection.execute(
        "INSERT INTO plan_version (name, number, plan_id, plan_hash, at, change, is_current)"
        " VALUES (?, ?, ?, ?, ?, ?, 1)",
        (name, number, str(plan.id), plan.content_hash(), time.time(), jobs.storable(change)),
    )
    return number


def _set_version(name: str, number: int, connection: sqlite3.Connection) -> bool:
    key = (name, number)
    if not connection.execute(
        "SELECT 1 FROM plan_version WHERE name = ? AND number = ?", key
    ).fetchone():
        return False
    connection.execute("UPDATE plan_version SET is_current = (number = ?2) WHERE name = ?1", key)
    return True


def _forget_name(name: str, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA secure_delete=ON")  # as when a run is forgotten
    plans = connection.execute(
        "SELECT DISTINCT plan_id, plan_hash FROM plan_version WHERE name = ?", (name,)
    ).fetchall()
    connection.execute("DELETE FROM plan_version WHERE name = ?", (name,))
    connection.executemany(
        "DELETE FROM plan WHERE id = ?1 AND hash = ?2"
        " AND NOT EXISTS (SELECT 1 FROM run WHERE plan_id = ?1 AND plan_hash = ?2)"
        " AND NOT EXISTS (SELECT 1 FROM plan_version WHERE plan_id = ?1 AND plan_hash = ?2)",
        plans,
    )


def no_version(name: str, number: int) -> PlanNotFoundError:
    """Return the error for a version that isn't there."""
    return PlanNotFoundError(f"there is no version {number} of a plan called {name!r}", plan_id="")


class MemoryPlans:
    """The plans of a store in memory."""

    _lock: threading.Lock
    _plans: dict[tuple[str, str], tuple[Plan, float]]
    _versions: dict[str, list[PlanVersion]]
    _approvals: list[Approval]

    def save_plan(self, plan: Plan) -> None:
        """Keep `plan`, as `Store.save_plan` promises."""
        with self._lock:
            self._save(plan)

    def _save(self, plan: Plan) -> None:
        key = (str(plan.id), plan.content_hash())
        self._plans.setdefault(key, (plan, time.time()))

    def load_plan(self, plan_id: str, *, plan_hash: str | None = None) -> Plan:
        """Return a plan, as `Store.load_plan` promises."""
        with self._lock:
            for (found_id, found_hash), (plan, _) in reversed(self._plans.items()):
                if found_id == plan_id and plan_hash in (None, found_hash):
                    return plan
        raise no_plan(plan_id, "in memory")

    def find_plans(self, *, limit: int = 100) -> list[PlanRow]:
        """Return plans, the last one saved first."""
        with self._lock:
            rows = [
                PlanRow(plan_id, plan_hash, plan.plan_context.query, saved_at)
                for (plan_id, plan_hash), (plan, saved_at) in reversed(self._plans.items())
            ]
        return rows[:limit]

    def keep_version(self, name: str, plan: Plan, change: str = "") -> int:
        """Keep the next version under `name`, as `Store.keep_version` promises."""
        with self._lock:
            self._save(plan)
            found = self._versions.get(name, [])
            kept = found[: next((v.number for v in found if v.is_current), 0)]
            made = PlanVersion(
                name,
                len(kept) + 1,
                str(plan.id),
                plan.content_hash(),
                plan.plan_context.query,
                time.time(),
                change,
            )
            self._versions[name] = _with_current([*kept, made], made.number)
            return made.number

    def set_version(self, name: str, number: int) -> None:
        """Let `name` mean another version, as `Store.set_version` promises."""
        with self._lock:
            found = self._versions.get(name, [])
            if not 0 < number <= len(found):
                raise no_version(name, number)
            self._versions[name] = _with_current(found, number)

    def find_versions(self, name: str | None = None) -> list[PlanVersion]:
        """Return versions, as `Store.find_versions` promises."""
        with self._lock:
            if name is not None:
                return list(self._versions.get(name, ()))
            current = [v for found in self._versions.values() for v in found if v.is_current]
        return sorted(current, key=lambda v: (-v.at, v.name))

    def forget_name(self, name: str) -> None:
        """Delete a name, as `Store.forget_name` promises."""
        with self._lock:
            gone = self._versions.pop(name, [])
            used = self._plans_in_use()
            for version in gone:
                if (key := (version.plan_id, version.plan_hash)) not in used:
                    self._plans.pop(key, None)

    def _plans_in_use(self) -> set[tuple[str, str]]:
        """Return the plans that runs or names have; the lock is held."""
        raise NotImplementedError

    def _plans_named(self) -> set[tuple[str, str]]:
        return {(v.plan_id, v.plan_hash) for found in self._versions.values() for v in found}

    def keep_approval(self, approval: Approval) -> None:
        """Keep `approval`, as `Store.keep_approval` promises."""
        with self._lock:
            self._approvals.append(approval)

    def find_approvals(
        self, *, plan_hash: str | None = None, approval_id: str | None = None, limit: int = 100
    ) -> list[Approval]:
        """Return approvals, as `Store.find_approvals` promises."""
        with self._lock:
            found = [
                each
                for each in reversed(self._approvals)
                if plan_hash in (None, each.plan_hash) and approval_id in (None, each.id)
            ]
        return found[:limit]

    def _kept_names(self) -> list[KeptName]:
        """Return all names as an export has them; the lock is held."""
        return [
            KeptName(
                name,
                tuple(KeptVersion(v.number, v.plan_id, v.plan_hash, v.at, v.change) for v in found),
                next(v.number for v in found if v.is_current),
            )
            for name, found in self._versions.items()
        ]

    def _add_name(self, kept: KeptName) -> bool:
        with self._lock:
            here = {each.name: each for each in self._kept_names()}.get(kept.name)
            if here is not None:
                shelf_rows.refuse_another(kept, here)
                return False
            plans = [self._plans.get(key) for key in kept.plans()]
            texts = [None if found is None else found[0].plan_context.query for found in plans]
            made = [
                PlanVersion(kept.name, v.number, v.plan_id, v.plan_hash, query, v.at, v.change)
                for v, query in zip(kept.versions, texts, strict=True)
                if query is not None
            ]
            if len(made) < len(plans):
                raise shelf_rows.without_plan(kept.name)
            self._versions[kept.name] = _with_current(made, kept.current)
        return True

    def _add_approval(self, approval: Approval) -> bool:
        with self._lock:
            if any(each.id == approval.id for each in self._approvals):
                return False
            if not any(key[1] == approval.plan_hash for key in self._plans):
                raise shelf_rows.of_no_plan(approval)
            self._approvals.append(approval)
        return True


def _with_current(versions: Sequence[PlanVersion], number: int) -> list[PlanVersion]:
    return [replace(version, is_current=version.number == number) for version in versions]
