"""Runs leave a store as readable lines and come back whole; a damaged store is salvaged."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import random
import sqlite3
import stat
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portia_nb.errors import (
    PlanRunNotFoundError,
    StorageError,
    StoreDamaged,
    StoreTooNew,
)
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ClarificationResolved,
    RunCompleted,
    RunCreated,
    RunWaiting,
    StepDone,
)
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.pages import records
from portia_nb.storage.store import Store

from .golden import runs as golden_runs
from .golden.stores import GOLDEN, copied
from .stories import OWNER, Run, new_run, plan, step
from .test_migrations import names

BIG = "x" * 1_500_000


def filled(store: Store) -> list[Run]:
    """Put a few runs in `store`: every kind of state, values with codecs, one large value."""
    asked = InputClarification(user_guidance="?", argument_name="a", plan_run_id=None, step=0)
    values = {"price": Decimal("1.10"), "raw": b"\0", "when": dt.date(2024, 2, 29), (1,): "é\ud800"}
    found = [
        new_run(store).add(*step("s0", values), *step("s1", BIG), RunCompleted("s1")),
        new_run(store, plan("ask")).add(ClarificationRaised("s0", asked), RunWaiting()),
        new_run(store, plan("asked")).add(
            ClarificationRaised("s0", asked), RunWaiting(), ClarificationResolved(asked.id, 1)
        ),
        new_run(store, plan("begun")).add(*step("s0")),
    ]
    for run in found:
        store.release(run.kept().hold)
    return found


def same(one: Store, other: Store) -> bool:
    rows = [
        [(r.run_id, r.plan_id, r.plan_hash, r.query, r.state, r.created_at) for r in s.find_runs()]
        for s in (one, other)
    ]
    events = [[s.load_events(r.run_id) for r in s.find_runs()] for s in (one, other)]
    return rows[0] == rows[1] and events[0] == events[1]


@pytest.mark.parametrize("target", ["runs.jsonl", "runs"])
def test_what_is_exported_is_the_same_when_it_is_imported(
    store: Store, other: Store, tmp_path: Path, target: str
):
    runs = filled(store)
    report = store.export_to(tmp_path / target)
    assert (report.runs, len(report.files)) == (4, 1 if target.endswith("l") else 4)
    assert {stat.S_IMODE(path.stat().st_mode) for path in report.files} == {0o600}
    done = other.import_from(tmp_path / target)
    assert set(done.added) == {run.id for run in runs}
    if target == "runs.jsonl":
        assert same(store, other)
    assert all(other.load_events(run.id) == run.appended for run in runs)
    assert other.check().is_ok
    again = other.import_from(tmp_path / target)
    assert (again.added, set(again.already_here)) == ((), {run.id for run in runs})


def test_an_imported_run_is_nobodys_and_goes_on(store: Store, other: Store, tmp_path: Path):
    run = filled(store)[-1]
    store.export_to(tmp_path / "a.jsonl", run_ids=[run.id])
    other.import_from(tmp_path / "a.jsonl")
    assert [row.owner for row in other.find_runs()] == [None]
    more = Run(other, other.claim(run.id, owner=OWNER), start=run.seq).add(*step("s1")).kept()
    assert other.load_events(run.id) == run.appended + more.appended


def test_an_export_is_ascii_lines_of_json_that_say_what_they_are(store: Store, tmp_path: Path):
    run = new_run(store, plan("gr\u00f6\u00dfer \x1b[31m?")).add(*step("s0", {"n": 1})).kept()
    store.export_to(tmp_path / "a.jsonl")
    text = (tmp_path / "a.jsonl").read_bytes()
    assert text.isascii()
    assert b"\x1b" not in text
    head, made, announced, *events = map(json.loads, text.splitlines())
    assert head["portia_nb_export"] == 1
    assert made["plan"]["plan_context"]["query"] == "größer \x1b[31m?"
    assert (announced["run"], announced["state"], announced["events"]) == (run.id, "IN_PROGRESS", 4)
    assert [event["seq"] for event in events] == [1, 2, 3, 4]
    assert events[3]["event"]["value"] == {"n": 1}
    assert list(store.export_lines())[1:] == text.decode().splitlines()[1:]


def test_an_export_overwrites_no_file_unless_it_is_told_to(store: Store, tmp_path: Path):
    filled(store)
    (tmp_path / "mine.jsonl").write_text("mine")
    with pytest.raises(StorageError, match="is there already"):
        store.export_to(tmp_path / "mine.jsonl")
    assert (tmp_path / "mine.jsonl").read_text() == "mine"
    store.export_to(tmp_path / "mine.jsonl", overwrite=True)
    with pytest.raises(PlanRunNotFoundError, match="prun-none"):
        store.export_to(tmp_path / "b.jsonl", run_ids=["prun-none"])
    assert sorted(p.name for p in tmp_path.glob("*.jsonl")) == ["mine.jsonl"]


def test_an_id_of_a_run_never_leads_out_of_the_folder(tmp_path: Path):
    store = MemoryStore()
    for run_id in ("../../outside", "a/b", ".hidden", "x" * 150):
        hold = store.create_run(run_id, plan(), owner=OWNER)
        Run(store, hold).add(RunCreated("plan-1", {})).kept()
    report = store.export_to(tmp_path / "inner" / "out")
    assert len(report.files) == 4
    assert {path.parent for path in report.files} == {tmp_path / "inner" / "out"}
    # Nothing could open them by such an id.
    found = MemoryStore().import_from(tmp_path / "inner" / "out")
    assert (found.added, len(found.refused)) == ((), 4)


def test_a_run_that_is_here_with_other_events_stays_as_it_is(
    store: Store, other: Store, tmp_path: Path
):
    run = filled(store)[-1]
    store.export_to(tmp_path / "a.jsonl")
    other.import_from(tmp_path / "a.jsonl")
    more = Run(store, store.claim(run.id, owner=OWNER), start=run.seq).add(*step("s1")).kept()
    store.export_to(tmp_path / "a.jsonl", overwrite=True)
    report = other.import_from(tmp_path / "a.jsonl")
    assert [finding.run_id for finding in report.refused] == [run.id]
    assert "is here already, with other events" in str(report)
    assert other.load_events(run.id) == run.appended
    assert more.appended


def edited(tmp_path: Path, change: Callable[[list[dict[str, Any]]], Any]) -> Path:
    store = MemoryStore()
    new_run(store).add(*step("s0", {"n": 1})).kept()
    store.export_to(tmp_path / "good.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "good.jsonl").read_text().splitlines()]
    change(lines)
    path = tmp_path / "edited.jsonl"
    path.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    )
    return path


BLOB = {"$": "blob", "sha256": "ab" * 32}
REFUSED: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "a file of the store's own": (
        lambda lines: lines[6]["event"].update(value=BLOB),
        "event 4 refers to a file beside the journal",
    ),
    "a lost event": (lambda lines: lines.pop(4), "of its 4 events 1 are in the file, in order"),
    "a lost end": (lambda lines: lines.pop(), "of its 4 events 3 are in the file"),
    "an unknown kind": (
        lambda lines: lines[5]["event"].update(kind="sudo"),
        "no event of kind 'sudo'",
    ),
    "streamed text": (
        lambda lines: lines[5].update(event={"kind": "text_streamed", "path": "s", "text": "x"}),
        "of a kind that is never kept",
    ),
    "an unknown codec": (
        lambda lines: lines[6]["event"].update(value={"$": "pickle", "v": "x"}),
        "unknown codec 'pickle'",
    ),
    "done twice": (
        lambda lines: lines[5].update(event=lines[6]["event"]),
        "step 's0' is recorded as done twice",
    ),
    "a number as text": (
        lambda lines: lines[5]["event"].update(attempt="x"),
        "event 3 can't be read: attempt is 'x'",
    ),
    "a path that is none": (
        lambda lines: lines[6]["event"].update(path=[]),
        "event 4 can't be read: path is []",
    ),
    "no such round": (
        lambda lines: lines[5]["event"].update(path="s0[999999999]"),
        "it tells of rounds that never began",
    ),
    "no such branch": (
        lambda lines: lines[5].update(event={"kind": "branch_taken", "path": "s0", "branch": 7}),
        "step 's0' has no branch 7",
    ),
    "an answer to no question": (
        lambda lines: lines[5].update(
            event={"kind": "clarification_resolved", "clarification_id": "x", "response": 1}
        ),
        "its events don't add up: KeyError: 'x'",
    ),
    "no plan": (lambda lines: lines.pop(1), "its plan plan-"),
    "another plan under that hash": (
        lambda lines: lines[1]["plan"]["plan_context"].update(query="Wire all the money"),
        "isn't the one that its hash names",
    ),
    "no plan at all": (lambda lines: lines[1].update(plan=[1]), "plan None can't be read"),
}


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=REFUSED)
def test_a_run_that_is_not_whole_or_not_ours_is_refused_and_told(
    other: Store, tmp_path: Path, change: Any, said: str
):
    report = other.import_from(edited(tmp_path, change))
    assert report.added == ()
    assert said in str(report)
    assert other.find_runs() == []
    assert other.check().is_ok


BROKEN: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "no header": (lambda lines: lines.pop(0), "line 1: the file doesn't begin with"),
    "no JSON": (lambda lines: lines.insert(2, "{"), "line 3: "),
    "no object": (lambda lines: lines.insert(2, "[1]"), "line 3: it is no JSON object"),
    "not strict": (
        lambda lines: lines.insert(2, '{"run": NaN}'),
        r"line 3: .*strict JSON: NaN",
    ),
    "deep": (lambda lines: lines.insert(2, "[" * 100_000), "line 3: "),
    "an event of nothing": (lambda lines: lines.pop(2), "line 3: it is neither a plan nor"),
    "a time": (lambda lines: lines[4].update(at=1e300), "line 5: seq and at are numbers"),
    "an id": (lambda lines: lines[2].update(run="a\nb"), "line 3: run, plan_id and plan_hash"),
    "empty": (lambda lines: lines.clear(), "line 1: the file is empty"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_export_is_an_error_that_names_the_line(
    other: Store, tmp_path: Path, change: Any, said: str
):
    with pytest.raises(StorageError, match=said):
        other.import_from(edited(tmp_path, change))
    assert other.find_runs() == []


def test_an_export_of_a_later_version_is_left_alone(other: Store, tmp_path: Path):
    with pytest.raises(StoreTooNew, match=r"format 3, .* up to 2: upgrade portia_nb"):
        other.import_from(edited(tmp_path, lambda lines: lines[0].update(portia_nb_export=3)))


def test_a_folder_without_an_export_is_an_error(other: Store, tmp_path: Path):
    with pytest.raises(StorageError, match="holds no export"):
        other.import_from(tmp_path)
    with pytest.raises(StorageError, match="none"):
        other.import_from(tmp_path / "none")


# -- salvage --------------------------------------------------------------------------------------


def harm(journal: JournalStore, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_damaged_event_stops_an_export_and_a_salvaging_one_says_what_is_lost(
    journal: JournalStore, other: Store, tmp_path: Path
):
    first, second = (new_run(journal, plan(q)).add(*step("s0"), *step("s1")) for q in "ab")
    for run in (first, second):
        journal.release(run.kept().hold)
    harm(journal, "UPDATE event SET at = at + 1 WHERE seq = 5 AND run = 1")
    with pytest.raises(StoreDamaged, match="store export TARGET --salvage"):
        journal.export_to(tmp_path / "a.jsonl")
    assert list(tmp_path.glob("*.jsonl")) == []
    report = journal.export_to(tmp_path / "a.jsonl", salvage=True)
    assert f"1 of the 6 events of run {first.id} are lost" in str(report)
    done = other.import_from(tmp_path / "a.jsonl")
    assert set(done.added) == {first.id, second.id}
    assert f"run {first.id} ends with event 4 of 6" in str(done)
    assert other.load_events(first.id) == first.appended[:4]
    assert other.load_events(second.id) == second.appended
    only = journal.export_to(tmp_path / "b.jsonl", run_ids=[second.id], salvage=True)
    assert only.runs == 1


def test_a_salvage_of_a_whole_store_loses_nothing(
    journal: JournalStore, other: Store, tmp_path: Path
):
    runs = filled(journal)
    report = journal.export_to(tmp_path / "a.jsonl", salvage=True)
    assert report.lost == ()
    assert other.import_from(tmp_path / "a.jsonl").shortened == ()
    assert all(other.load_events(run.id) == run.appended for run in runs)
    assert {row.query for row in other.find_plans()} == {row.query for row in journal.find_plans()}


WRECKS: dict[str, Callable[[bytearray], Any]] = {
    "no header": lambda data: data.__setitem__(slice(0, 100), b"\0" * 100),
    "no schema": lambda data: data.__setitem__(slice(0, 4096), b"\xff" * 4096),
    "no beginning": lambda data: data.__delitem__(slice(0, 4096)),
}


@pytest.mark.parametrize("wreck", WRECKS.values(), ids=WRECKS)
def test_a_journal_that_nothing_can_open_is_salvaged(
    journal: JournalStore, other: Store, tmp_path: Path, wreck: Any
):
    runs = [new_run(journal, plan(f"q{n}")) for n in range(3)]
    for run in runs:
        for i in range(20):
            run.add(*step(f"s{i}", f"{i} " * 800))
        journal.release(run.kept().hold)
    journal.close()
    data = bytearray(journal.path.read_bytes())
    wreck(data)
    journal.path.write_bytes(data)
    with pytest.raises(StorageError):
        JournalStore(journal.folder).find_runs()
    journal.export_to(tmp_path / "a.jsonl", salvage=True)
    other.import_from(tmp_path / "a.jsonl")
    for run in runs:
        found = other.load_events(run.id)
        assert found == run.appended[: len(found)]
        # Values that reach over several pages refer to them by number, which a cut moves.
        assert len(found) == run.seq or wreck is WRECKS["no beginning"]


def test_what_only_the_log_holds_is_salvaged(journal: JournalStore, tmp_path: Path):
    run = new_run(journal).add(*step("s0", "x" * 9_000)).kept()
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        (folder / name).write_bytes((journal.folder / name).read_bytes())
    data = bytearray((folder / "journal.sqlite").read_bytes())
    data[:100] = b"\0" * 100
    (folder / "journal.sqlite").write_bytes(data)
    report = JournalStore(folder).export_to(tmp_path / "a.jsonl", salvage=True)
    store = MemoryStore()
    store.import_from(tmp_path / "a.jsonl")
    assert report.lost == ()
    assert store.load_events(run.id) == run.appended


@pytest.mark.parametrize("golden", GOLDEN, ids=names)
def test_golden_stores_of_every_format_are_exported_and_salvaged(golden: Path, tmp_path: Path):
    journal = JournalStore(copied(golden, tmp_path / "store"))
    salvaged = journal.export_to(tmp_path / "salvaged.jsonl", salvage=True)
    whole = journal.export_to(tmp_path / "whole.jsonl")
    assert salvaged.lost == ()
    assert journal.check().is_ok
    assert (salvaged.runs, salvaged.events) == (whole.runs, whole.events)
    portia = golden_runs.portia(tmp_path / "new")
    assert len(portia.store.import_from(tmp_path / "whole.jsonl").added) == 4
    assert len(portia.store.import_from(tmp_path / "salvaged.jsonl").already_here) == 4
    killed = portia.store.find_runs()[0].run_id
    assert portia.resume(plan_run_id=killed).outputs["after"].value == "before++alive"
    journal.close()
    portia.store.close()


def test_pages_of_anything_are_read_without_an_error(tmp_path: Path, journal: JournalStore):
    run = new_run(journal)
    for i in range(30):
        run.add(*step(f"s{i}", "x" * 3_000))
    journal.release(run.kept().hold)
    journal.close()
    whole, choose = journal.path.read_bytes(), random.Random(3)
    path = tmp_path / "any"
    for _ in range(10):
        data = bytearray(whole)
        for _ in range(2_000):
            data[choose.randrange(len(data))] = choose.randrange(256)
        path.write_bytes(data[: choose.randrange(len(data))])
        assert sum(1 for _ in records(path)) >= 0


def test_a_step_that_was_done_twice_with_a_value_that_cannot_be_kept_is_imported(
    journal: JournalStore, other: Store, tmp_path: Path
):
    run = new_run(journal).add(StepDone("s0", 1, object()), StepDone("s0", 2, object())).kept()
    journal.export_to(tmp_path / "a.jsonl")
    assert other.import_from(tmp_path / "a.jsonl").added == (run.id,)
