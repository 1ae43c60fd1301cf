"""Stores that can't be written or aren't what was written; runs whose functions are missing."""

from __future__ import annotations

import contextlib
import os
import runpy
import sqlite3
from pathlib import Path

import pytest

from portia_nb import Plan, PlanBuilderV2, PlanRunState
from portia_nb.errors import (
    FunctionsMissing,
    PlanError,
    PlanRunNotFoundError,
    StoreDamaged,
    StoreUnwritable,
)

from .conftest import EARLY, Story
from .programs import output_of

READ_ONLY = """
from portia_nb import PlanBuilderV2, Portia
from portia_nb.errors import StoreUnwritable

calls = []
plan = PlanBuilderV2().function_step(function=lambda: calls.append("called")).build()
try:
    Portia().run_plan(plan)
except StoreUnwritable as error:
    print(error)
print(calls)
"""
# No folder is read-only for root, except without this right.
AS_USER = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()


@pytest.mark.timeout(60)
def test_a_read_only_folder_is_an_error_that_offers_memory_before_anything_is_called(story: Story):
    (story.folder / "main.py").write_text(READ_ONLY)
    story.folder.chmod(0o555)
    try:
        said, calls = output_of(story.folder, READ_ONLY, prefix=AS_USER).splitlines()
    finally:
        story.folder.chmod(0o755)
    assert calls == "[]"
    story.says(said, f"{story.folder}/.portia can't be written to", 'Config(store="memory")')
    assert not (story.folder / ".portia").exists()


def test_a_file_where_the_store_s_folder_should_be_is_named(story: Story):
    (story.folder / ".portia").write_text("mine")
    with pytest.raises(StoreUnwritable) as caught:
        story.portia().run_plan(story.builder().build())
    story.says(caught.value, ".portia", "set store= to a folder of yours", "PORTIA_STORE=memory")
    assert story.early_calls == 0
    run = story.portia(store="memory").run_plan(story.builder().build())
    assert run.outputs["early"].value == EARLY


# -- damage --------------------------------------------------------------------------------------


def kept_run(story: Story) -> tuple[str, Path]:
    """Run and close; return the run's id and the journal's file."""
    portia = story.portia()
    run = portia.run_plan(story.builder().build())
    assert run.state is PlanRunState.COMPLETE
    portia.store.close()
    return run.id, story.folder / ".portia" / "journal.sqlite"


DAMAGES = {
    "emptied": lambda data: b"",
    "another file": lambda data: b"# notes of mine\n" * 100,
    "cut in the middle": lambda data: data[: len(data) // 2],
    "its first page overwritten": lambda data: data[:100] + b"\xff" * 3_000 + data[3_100:],
    "every page but the first overwritten": lambda data: data[:4_096] + b"\xaa" * 20_000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named_with_the_way_on_and_stays_as_it_is(story: Story, damage):
    run_id, journal = kept_run(story)
    damaged = damage(journal.read_bytes())
    journal.write_bytes(damaged)
    with pytest.raises(StoreDamaged) as caught:
        story.portia().get_run(run_id)
    story.says(caught.value, str(journal), "Nothing was changed", f"mv '{journal}'")
    with pytest.raises(StoreDamaged):
        story.portia().run_plan(story.builder().build())
    assert journal.read_bytes() == damaged, "what can be saved of it is still there"

    journal.rename(journal.with_name("journal.sqlite.damaged"))
    again = story.portia().run_plan(story.builder().build())
    assert again.outputs["early"].value == EARLY


def test_a_damaged_event_is_told_by_run_and_number_and_other_runs_still_open(story: Story):
    portia = story.portia()
    first, second = (portia.run_plan(story.builder().build()) for _ in range(2))
    portia.store.close()
    journal = story.folder / ".portia" / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(journal)) as connection, connection:
        changed = connection.execute(
            "UPDATE event SET body = replace(body, 'before the bad', 'after the good ')"
            " WHERE kind = 'step_done' AND run = (SELECT number FROM run WHERE id = ?)",
            (first.id,),
        )
        assert changed.rowcount == 1
    with pytest.raises(StoreDamaged) as caught:
        story.portia().get_run(first.id)
    story.says(caught.value, f"of run {first.id} is damaged", "checksum")
    assert story.portia().get_run(second.id).outputs["early"].value == EARLY


def test_a_run_that_is_not_kept_is_named_with_the_place_that_was_looked_in(story: Story):
    with pytest.raises(PlanRunNotFoundError) as caught:
        story.portia().resume(plan_run_id="prun-misspelt")
    story.says(caught.value, "'prun-misspelt'", ".portia")


# -- functions -----------------------------------------------------------------------------------

FUNCTIONS = """
import sys
from pathlib import Path
from portia_nb import PlanBuilderV2, Portia, StepOutput


def look_up():
    with Path("calls.txt").open("a") as calls:
        calls.write("look_up\\n")
    return {"found": "before the bad thing", "rows": [1, 2, 3]}


def send(what):
    if not Path("up").exists():
        raise RuntimeError("the line is down")
    return f"sent {what['rows']}"


def build():
    return (
        PlanBuilderV2("Send what was found")
        .function_step(function=look_up, step_name="early")
        .function_step(function=send, args={"what": StepOutput("early")}, step_name="send")
        .build()
    )


if __name__ == "__main__":
    print(Portia().run_plan(build()).id)
"""


def build_of(source: str, file: Path) -> Plan:
    """Return the plan that a program builds, in this process."""
    file.write_text(source)
    return runpy.run_path(str(file), run_name="cell")["build"]()


@pytest.mark.timeout(60)
def test_a_run_without_its_functions_says_which_and_what_to_do_and_goes_on_with_them(
    story: Story,
):
    run_id = output_of(story.folder, FUNCTIONS).strip()
    portia = story.portia()
    run = portia.get_run(run_id)
    assert run.error is not None
    assert run.error.message == "the line is down"
    story.still_keeps_the_early_output(run)

    with pytest.raises(FunctionsMissing) as caught:
        portia.resume(plan_run_id=run_id)
    story.says(caught.value, run_id, "send", "run the cell that builds the plan, then resume")
    assert caught.value.facts["names"] == ("send",), "the early step needs none any more"

    changed = build_of(FUNCTIONS.replace("sent", "posted"), story.folder / "changed.py")
    with pytest.raises(PlanError) as other:
        portia.resume(plan_run_id=run_id, plan=changed)
    story.says(other.value, run_id, "step 'send' differs in function", "Build the same plan again")
    shorter = PlanBuilderV2("Send what was found").function_step(function=dict).build()
    with pytest.raises(PlanError) as fewer:
        portia.resume(plan_run_id=run_id, plan=shorter)
    story.says(fewer.value, run_id, "no step 'early'")

    (story.folder / "up").touch()
    plan = build_of(FUNCTIONS, story.folder / "main.py")
    ended = portia.resume(plan_run_id=run_id, plan=plan)
    assert ended.state is PlanRunState.COMPLETE, ended.error
    assert ended.outputs["send"].value == "sent [1, 2, 3]"
    assert (story.folder / "calls.txt").read_text() == "look_up\n"
