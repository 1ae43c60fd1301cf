"""The harness: a row goes on where it was, a hanging trial fails, and the table is kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from . import progress, report
from .__main__ import chosen
from .crew import Crew
from .progress import Progress
from .row import Facts, Row, Trial


def one(trial: Trial) -> Facts:
    assert Path.cwd() == trial.folder.resolve()
    assert 2 not in trial.numbers, "two is unlucky"
    return {"cases": trial.count, "max number": trial.first}


def row(**changes: object) -> Row:
    settings = {"id": "R7", "fault": "a fault", "full": 4, "trial": one, "sample": (0,)}
    return Row(**{"holds": "all is well", **settings, **changes})  # type: ignore[arg-type]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(progress, "FOLDER", tmp_path)
    return tmp_path


def outcome(number: int, failure: str | None = None) -> dict[str, object]:
    facts = {"cases": 1, "max number": number}
    return {"trial": number, "cases": 1, "facts": facts, "failure": failure, "seconds": 1.0}


def test_a_row_goes_on_after_the_trials_that_are_kept(results: Path):
    first = Progress.of(row())
    for number in (0, 2, 3):
        first.add(outcome(number), "abc")
    with first.path.open("a") as file:
        file.write('{"trial": 1, "cas')  # the machine went down here
    second = Progress.of(row())
    assert (second.left, second.done, second.verdict) == ([1], 3, "unfinished")
    assert second.figure == "cases 3; max number 3"
    assert Progress.of(row(), fresh=True).left == [0, 1, 2, 3]


def test_a_row_holds_only_where_every_trial_did(results: Path):
    found = Progress.of(row())
    for number in range(4):
        found.add(outcome(number, "AssertionError: no" if number == 2 else None), "abc")
    assert (found.verdict, found.done, found.left) == ("FAILS", 3, [])
    assert found.failures == ["trial 2: AssertionError: no"]
    assert "all is well" not in str(found)


def test_the_last_trial_has_what_is_left_of_the_cases():
    assert [row(full=25, batch=10).cases(number) for number in range(3)] == [10, 10, 5]


@pytest.mark.parametrize("number", [0, 2])
def test_a_trial_has_a_folder_of_its_own_and_fails_by_raising(number: int):
    before = Path.cwd()
    if number == 2:
        with pytest.raises(AssertionError, match="two is unlucky"):
            row().run(number)
    else:
        assert row().run(number) == {"cases": 1, "max number": 0}
    assert Path.cwd() == before


@pytest.mark.timeout(60)
def test_a_trial_that_hangs_is_killed_and_fails_and_the_others_are_done(
    results: Path, monkeypatch: pytest.MonkeyPatch
):
    (results / "tests_fault_rows.py").write_text(
        "import sys, json, time\n"
        "for line in sys.stdin:\n"
        "    time.sleep(60 * (int(line) == 1))\n"
        "    print(json.dumps({'trial': int(line), 'failure': None}), flush=True)\n"
    )
    monkeypatch.setattr("tests.faults.crew.PROGRAM", ["tests_fault_rows"])
    monkeypatch.setattr("tests.faults.crew.FOLDER", results)
    monkeypatch.setattr("tests.faults.crew.ROOT", results)
    monkeypatch.setattr("tests.faults.crew.START_S", 2.0)
    began = time.monotonic()
    found = list(Crew(row(trial_s=0.5), range(4)).outcomes())
    assert sorted((o["trial"], o["failure"] is None) for o in found) == [
        (0, True), (1, False), (2, True), (3, True),
    ]  # fmt: skip
    assert time.monotonic() - began < 30


def test_the_table_keeps_the_other_rows_of_the_same_machine(results: Path):
    page = results / "page.md"
    page.write_text(f"# Before\n\n{report.BEGIN}\n{report.END}\n\nAfter.\n")
    for name in ("R10", "R9"):
        report.write([Progress.of(row(id=name, fault="a | b"))], page)
    text = page.read_text()
    assert text.index("| R9 | a \\| b | 0/4 | unfinished |") < text.index("| R10 |")
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter.\n")
    assert os.uname().nodename not in report.machine()
    page.write_text(text.replace(report.machine(), "another machine"))
    report.write([Progress.of(row(id="R9"))], page)
    assert "| R10 |" not in page.read_text()


def test_a_row_that_is_not_there_is_refused_with_the_names_of_those_that_are():
    with pytest.raises(SystemExit, match=r"no row R99; the rows: R1\b"):
        chosen(["R99"])
    assert [found.id for found in chosen(["R1"])] == ["R1"]
