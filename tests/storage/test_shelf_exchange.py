"""Names of plans and approvals go with an export, and come back as carefully as they must."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portia_nb.errors import StorageError, StoreDamaged
from portia_nb.model.approval import Approval
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.store import Store

from .golden.stores import GOLDEN, check_contents
from .stories import new_run, plan, step
from .test_exports import harm


@pytest.fixture(params=["memory", "journal"])
def store(request: pytest.FixtureRequest, journal: JournalStore) -> Store:
    return MemoryStore() if request.param == "memory" else journal


@pytest.fixture
def other(store: Store, tmp_path: Path) -> Iterator[Store]:
    """A store of the other kind."""
    other = MemoryStore() if isinstance(store, JournalStore) else JournalStore(tmp_path / "other")
    yield other
    other.close()


def approval(made: Any, **more: Any) -> Approval:
    return Approval(
        str(made.id), made.content_hash(), "ada", "form", 1e9, calls={"pay": "h"}, **more
    )


def shelved(store: Store) -> tuple[Any, Any]:
    """Keep a name with three versions, of which it means the second, a run, and two approvals."""
    first, second, third = plan("one"), plan("two"), plan("three")
    for made in (first, second, third):
        store.keep_version("trip", made, f"to {made.plan_context.query}")
    store.set_version("trip", 2)
    run = new_run(store, second).add(*step("s0")).kept()
    store.release(run.hold)
    store.keep_approval(approval(second))
    store.keep_approval(approval(third, stands=False))
    return second, run


def said(store: Store) -> Any:
    # What stands for every run is sealed anew for who takes it over, and so has another id.
    approvals = [replace(each, id="") for each in store.find_approvals()]
    return store.find_versions("trip"), store.find_versions(), approvals


@pytest.mark.parametrize("target", ["all.jsonl", "all"])
def test_names_versions_and_approvals_of_a_store_come_back_from_its_export(
    store: Store, other: Store, tmp_path: Path, target: str
):
    shelved(store)
    store.export_to(tmp_path / target)
    report = other.import_from(tmp_path / target, approvals=True)
    assert (report.names, report.approvals, report.refused) == (("trip",), 2, ())
    assert said(other) == said(store)
    again = other.import_from(tmp_path / target, approvals=True)
    assert (again.names, again.approvals, again.refused) == ((), 0, ())
    assert said(other) == said(store)
    assert other.check().is_ok
    # What was undone can be redone there, too.
    other.set_version("trip", 3)
    found = next(version for version in other.find_versions("trip") if version.is_current)
    assert other.load_plan(found.plan_id).plan_context.query == "three"


def test_nobody_approves_anything_by_a_file_unless_they_are_asked_to(
    store: Store, other: Store, tmp_path: Path
):
    made, _ = shelved(store)
    store.export_to(tmp_path / "a.jsonl")
    report = other.import_from(tmp_path / "a.jsonl")
    assert (report.approvals, report.approvals_left_out) == (0, 2)
    assert "2 approvals left out" in str(report)
    assert "--approvals" in str(report)
    assert other.find_approvals(plan_hash=made.content_hash()) == []


def test_chosen_runs_take_the_approvals_of_their_plans_along_and_no_name(
    store: Store, other: Store, tmp_path: Path
):
    made, run = shelved(store)
    store.export_to(tmp_path / "a.jsonl", run_ids=[run.id])
    report = other.import_from(tmp_path / "a.jsonl", approvals=True)
    assert (report.added, report.names, report.approvals) == ((run.id,), (), 1)
    assert [each.plan_hash for each in other.find_approvals()] == [made.content_hash()]


def test_a_name_that_means_something_here_goes_on_meaning_it(
    store: Store, other: Store, tmp_path: Path
):
    shelved(store)
    store.export_to(tmp_path / "a.jsonl")
    mine = plan("mine")
    other.keep_version("trip", mine)
    report = other.import_from(tmp_path / "a.jsonl")
    assert len(report.added) == 1
    assert "the name 'trip' is not added: it is here already" in str(report)
    assert [version.plan_hash for version in other.find_versions("trip")] == [mine.content_hash()]
    other.forget_name("trip")
    assert other.import_from(tmp_path / "a.jsonl").names == ("trip",)


def test_what_has_neither_names_nor_approvals_is_written_for_older_readers_too(
    store: Store, tmp_path: Path
):
    run = new_run(store).kept()
    head = [json.loads(next(iter(store.export_lines())))]
    store.keep_version("trip", plan("two"))
    head.append(json.loads(next(iter(store.export_lines()))))
    assert [each["portia_nb_export"] for each in head] == [1, 2]
    store.export_to(tmp_path / "all")
    of_run = json.loads((tmp_path / "all" / f"{run.id}.jsonl").read_text().partition("\n")[0])
    assert of_run["portia_nb_export"] == 1


def test_an_export_of_the_first_format_is_still_imported(tmp_path: Path):
    store = JournalStore(tmp_path / "store")
    report = store.import_from(GOLDEN[-1].with_name("export_1.jsonl"))
    assert (len(report.added), report.refused, report.names) == (4, (), ())
    (golden,) = (each for each in GOLDEN if each.name == "format_4")
    check_contents(golden, store)


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "an id as a name": ({"name": "plan-1", "versions": [], "current": 1}, "ids begin with plan-"),
    "two lines": ({"name": "a\nb", "versions": [], "current": 1}, "can't be a plan's name"),
    "no versions": ({"name": "a", "versions": [], "current": 1}, "numbers of its versions"),
    "a list": ({"name": "a", "versions": [[]], "current": 1}, "it has no number, plan_id"),
    "no approval": ({"approval": 1}, "it has no id, plan_id"),
    "another kind": (
        {"approval": {**dict.fromkeys(("id", "plan_id", "plan_hash", "by", "how"), "x"),
                      "at": 1, "stands": 1, "calls": {}}},
        "stands is 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "why"), FORGED.values(), ids=FORGED)
def test_a_line_that_is_no_name_and_no_approval_is_refused_by_number(
    other: Store, tmp_path: Path, line: dict[str, Any], why: str
):
    source = MemoryStore()
    shelved(source)
    lines = [*source.export_lines(), json.dumps(line)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(StorageError, match=f"line {len(lines)}: .*{why}") as caught:
        other.import_from(tmp_path / "a.jsonl", approvals=True)
    assert "Of what stands before it, 1 runs were added" in str(caught.value)


def test_a_name_and_an_approval_of_plans_that_are_not_there_are_left_out(
    other: Store, tmp_path: Path
):
    source = MemoryStore()
    shelved(source)
    kept = [line for line in source.export_lines() if not line.startswith('{"plan"')]
    (tmp_path / "a.jsonl").write_text("\n".join(kept))
    report = other.import_from(tmp_path / "a.jsonl", approvals=True)
    assert (report.names, report.approvals, report.added) == ((), 0, ())
    assert "a plan of its isn't in the file" in str(report)
    assert other.find_versions() == other.find_approvals() == []


def test_an_export_that_was_cut_between_two_runs_is_told(
    store: Store, other: Store, tmp_path: Path
):
    for _ in range(3):
        new_run(store).kept()
    lines = list(store.export_lines())
    last = max(number for number, line in enumerate(lines) if line.startswith('{"run"'))
    (tmp_path / "a.jsonl").write_text("\n".join(lines[:last]))
    report = other.import_from(tmp_path / "a.jsonl")
    assert len(report.added) == 2
    assert "ends early: of the 3 runs that it announces, 2 are in it" in str(report)


def test_approvals_for_one_run_are_forgotten_with_it_in_every_store(store: Store):
    made = plan()
    run = new_run(store, made).kept()
    store.keep_approval(approval(made, stands=False))
    store.keep_approval(approval(made))
    store.release(run.hold)
    store.delete_run(run.id)
    assert [each.stands for each in store.find_approvals()] == [True]


def test_a_damaged_approval_is_named_by_every_way_to_it(journal: JournalStore, tmp_path: Path):
    shelved(journal)
    journal.close()
    harm(journal, "UPDATE approval SET calls = '{\"pay' WHERE number = 1")
    for look in (journal.find_approvals, lambda: journal.export_to(tmp_path / "a.jsonl")):
        with pytest.raises(StoreDamaged, match=r"approval .* is damaged"):
            look()
    assert "the approval" in str(journal.check())


def test_a_name_without_its_plan_is_found_by_a_check(journal: JournalStore):
    shelved(journal)
    journal.close()
    harm(journal, "DELETE FROM plan WHERE query = 'three'")
    harm(journal, "UPDATE plan_version SET is_current = 1")
    assert [str(finding) for finding in journal.check().findings] == [
        "the name 'trip' means 3 versions at once",
        "version 3 of the name 'trip' has no plan",
    ]
