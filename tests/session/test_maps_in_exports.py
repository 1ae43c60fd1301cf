"""Maps leave a store and come back as runs do: whole, or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, Input, Plan, PlanBuilderV2, Portia
from portia_nb.errors import RunHeldElsewhere
from portia_nb.storage.owner import this_process


def double(x: Any) -> Any:
    if x == 2:
        raise ValueError("no")
    return x


def doubled() -> Plan:
    builder = PlanBuilderV2("Double").input(name="x")
    return builder.function_step(function=double, args={"x": Input("x")}, step_name="a").build()


def portia(folder: Path) -> Portia:
    return Portia(Config(store=str(folder)), tools=[])


@pytest.fixture
def there(tmp_path: Path) -> Any:
    there = portia(tmp_path / "there")
    yield there
    there.store.close()


@pytest.fixture
def here(tmp_path: Path) -> Any:
    here = portia(tmp_path / "here")
    yield here
    here.store.close()


def test_a_map_is_the_same_map_where_it_is_imported(there: Portia, here: Portia, tmp_path: Path):
    plan = doubled()
    made = there.map(plan, [{"x": x} for x in (1, 2, 1, object())], limit=3)
    there.store.export_to(tmp_path / "a.jsonl")
    report = here.store.import_from(tmp_path / "a.jsonl")
    assert report.refused == ()
    assert made.id in report.added
    (found,) = here.runs(limit=None)
    assert found.id == made.id
    assert str(here.get_map(made.id)) == str(there.get_map(made.id))
    assert here.store.check().is_ok


def test_a_map_whose_rows_no_store_can_keep_is_imported_too(
    there: Portia, here: Portia, tmp_path: Path
):
    made = there.map(doubled(), [{"x": object()}, {"x": 1}])
    there.store.export_to(tmp_path / "a.jsonl")
    assert here.store.import_from(tmp_path / "a.jsonl").refused == ()
    assert len(here.get_map(made.id).rows) == 2


def test_rows_of_a_map_that_is_not_kept_are_listed_as_runs(there: Portia):
    made = there.map(doubled(), [{"x": 1}, {"x": 3}])
    assert [each.id for each in there.runs()] == [made.id]
    there.store.delete_run(made.id)
    assert len(there.runs()) == 2


def test_a_map_that_runs_elsewhere_is_forgotten_by_force_only_and_whole(there: Portia):
    made = there.map(doubled(), [{"x": 1}, {"x": 3}])
    hold = there.store.claim(made.id, owner=this_process("another kernel"))
    with pytest.raises(RunHeldElsewhere, match="--force"):
        there.forget(made.id)
    assert len(there.store.find_runs()) == 3
    there.forget(made.id, force=True)
    assert there.store.find_runs() == []
    there.store.release(hold)


FORGED: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "rows without end": (
        lambda events: events[1]["event"].update(value=10**12),
        "its rows don't add up",
    ),
    "no rows": (lambda events: events[0]["event"]["inputs"].pop("columns"), "don't add up"),
    "another row": (
        lambda events: next(e for e in events if e["event"].get("path") == "row[0]")[
            "event"
        ].update(path="row[7]"),
        "there is no row 7",
    ),
    "a run that is none": (
        lambda events: next(e for e in events if "/run" in str(e["event"].get("path")))[
            "event"
        ].update(value={"a": 1}),
        "a row's run is {'a': 1}",
    ),
    "no beginning": (lambda events: events[0].update(event=events[1]["event"]), "done twice"),
}


@pytest.mark.parametrize(("change", "why"), FORGED.values(), ids=FORGED)
def test_the_record_of_a_map_that_no_map_wrote_is_refused(
    here: Portia, tmp_path: Path, change: Callable[[list[Any]], Any], why: str
):
    there = Portia(Config(store="memory"), tools=[])
    made = there.map(doubled(), [{"x": 1}])
    lines = [json.loads(line) for line in there.store.export_lines(run_ids=[made.id])]
    change([line for line in lines if "event" in line])
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    report = here.store.import_from(tmp_path / "a.jsonl")
    assert report.added == ()
    assert why in str(report)


def test_a_map_is_salvaged_from_a_file_that_nothing_opens(there: Portia, tmp_path: Path):
    made = there.map(doubled(), [{"x": 1}, {"x": 3}])
    kept = str(there.get_map(made.id))
    there.store.close()
    path = tmp_path / "there" / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    there.store.export_to(tmp_path / "a.jsonl", salvage=True)
    here = Portia(Config(store="memory"), tools=[])
    assert here.store.import_from(tmp_path / "a.jsonl").refused == ()
    assert str(here.get_map(made.id)) == kept
