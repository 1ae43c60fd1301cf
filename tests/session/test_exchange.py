"""A folder of JSON files, as the reference keeps plans and runs, taken in and written out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from portia_nb import (
    InvalidPlanRunStateError,
    PlanBuilderV2,
    PlanRun,
    Portia,
    StepOutput,
    StorageError,
    Tool,
    tool,
)
from portia_nb.errors import StoreUnwritable
from portia_nb.session.opening import open_run

from .stage import portia

PLAN_ID = f"plan-{UUID(int=1)}"
RUN_ID = f"prun-{UUID(int=2)}"
ASKED = f"clar-{UUID(int=3)}"


def plan_file(**changes: Any) -> dict[str, Any]:
    """Return a plan as the reference writes it: keys of every field, many of them null."""
    empty = {"condition": None, "structured_output_schema": None}
    return {
        "id": PLAN_ID,
        "plan_context": {"query": "Double a number", "tool_ids": ["double"]},
        "steps": [
            {"task": "Double it", "inputs": [{"name": "$number", "description": "it"}],
             "tool_id": "double", "output": "$twice", **empty},
            {"task": "Double that", "inputs": [{"name": "$twice", "description": "that"}],
             "tool_id": "double", "output": "$four_times", **empty},
        ],
        "plan_inputs": [{"name": "$number", "description": "it", "value": None}],
        "structured_output_schema": None,
        **changes,
    }  # fmt: skip


def run_file(**changes: Any) -> dict[str, Any]:
    """Return a run as the reference writes it, killed after its first step."""
    return {
        "id": RUN_ID,
        "plan_id": PLAN_ID,
        "current_step_index": 1,
        "plan_run_inputs": {"$number": {"value": "21", "summary": None}},
        "state": "IN_PROGRESS",
        "end_user_id": "ada",
        "outputs": {
            "clarifications": [],
            "step_outputs": {"$twice": {"value": "42", "summary": None}},
            "final_output": None,
        },
        "structured_output_schema": None,
        **changes,
    }


def told(run: PlanRun) -> dict[str, Any]:
    """Return what a run prints."""
    return json.loads(run.model_dump_json())


def write(folder: Path, *documents: dict[str, Any]) -> Path:
    for document in documents:
        (folder / f"{document['id']}.json").write_text(json.dumps(document))
    return folder


@tool(side_effect=False)
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


def with_double(store: str = "memory") -> Portia:
    double_tool: Tool[Any] = double()
    return Portia(portia(store).config, tools=[double_tool])


def test_a_run_that_the_reference_finished_is_shown_as_it_was(tmp_path: Path):
    outputs = {
        "clarifications": [],
        "step_outputs": {
            "$twice": {"value": "42", "summary": "a number"},
            "$four_times": {"value": "84", "summary": None},
        },
        "final_output": {"value": "84", "summary": "eighty-four"},
    }
    ended = run_file(state="COMPLETE", outputs=outputs)
    ours = portia()
    done = ours.storage.import_folder(write(tmp_path, plan_file(), ended))
    assert (done.plans, done.runs, done.known, done.problems) == (1, 1, 0, [])
    run = ours.get_run(RUN_ID)
    assert json.loads(run.outputs.model_dump_json()) == outputs
    assert (run.state, run.current_step_index, run.end_user_id) == ("COMPLETE", 1, "ada")
    assert run.plan_run_inputs == {"number": "21"}
    assert run.outputs["twice"].value == "42"
    assert ours.resume(run) == run


def test_an_imported_plan_can_be_run(tmp_path: Path):
    plan = plan_file()
    plan["steps"] = [
        {**plan["steps"][0], "kind": "tool", "args": {"number": {"input": "number"}}},
    ]
    ours = with_double()
    ours.storage.import_folder(write(tmp_path, plan))
    run = ours.run_plan(PLAN_ID, plan_run_inputs={"number": 4})
    assert run.outputs.final_output is not None
    assert run.outputs.final_output.value == 8


@pytest.mark.parametrize("state", ["IN_PROGRESS", "READY_TO_RESUME", "FAILED"])
def test_an_imported_run_that_was_not_finished_goes_on_where_it_stood(tmp_path: Path, state: str):
    calls: list[int] = []

    @tool
    def double(number: str) -> int:
        """Double a number."""
        calls.append(int(number))
        return 2 * int(number)

    plan = plan_file()
    for step, given in zip(plan["steps"], ({"input": "number"}, {"step": "twice"}), strict=True):
        step.update(kind="tool", args={"number": given})
    final = {"value": "ToolHardError: no luck", "summary": None} if state == "FAILED" else None
    outputs = {**run_file()["outputs"], "final_output": final}
    ours = Portia(portia().config, tools=[double()])
    ours.storage.import_folder(write(tmp_path, plan, run_file(state=state, outputs=outputs)))
    run = ours.get_run(RUN_ID)
    assert (run.state, run.current_step_index) == (state, 1)
    if state == "FAILED":
        assert run.error is not None
        assert (run.error.message, run.error.step) == ("ToolHardError: no luck", "four_times")
    done = ours.resume(plan_run_id=RUN_ID)
    assert done.state == "COMPLETE", done.error
    assert done.outputs.final_output is not None
    assert (done.outputs.final_output.value, calls) == (84, [42])


def test_a_step_that_was_passed_over_before_the_file_was_written_is_not_run(tmp_path: Path):
    outputs = {**run_file()["outputs"], "step_outputs": {}}
    ours = with_double()
    skipped = run_file(state="READY_TO_RESUME", outputs=outputs)
    ours.storage.import_folder(write(tmp_path, plan_file(), skipped))
    run = open_run(ours.store, RUN_ID)
    assert run.steps["twice"].state == "skipped"
    assert "four_times" not in run.steps
    assert run.snapshot().current_step_index == 1


def test_an_imported_run_that_waits_for_an_answer_gets_it_and_goes_on(tmp_path: Path):
    question = {
        "id": ASKED, "plan_run_id": RUN_ID, "category": "Multiple Choice", "response": None,
        "step": 1, "user_guidance": "Which?", "resolved": False, "argument_name": "number",
        "options": ["1", "2"], "source": "a tool",
    }  # fmt: skip
    old = {**question, "id": f"clar-{UUID(int=4)}", "step": 0, "resolved": True, "response": "2"}
    outputs = {**run_file()["outputs"], "clarifications": [old, question]}
    seen: list[Any] = []

    @tool
    def double(number: str, ctx: Any) -> Any:
        """Double a number."""
        seen.append([asked.response for asked in ctx.clarifications])
        return 2

    plan = plan_file()
    for step in plan["steps"]:
        step.update(kind="tool", args={"number": {"value": "1"}})
    ours = Portia(portia().config, tools=[double()])
    waiting = run_file(state="NEED_CLARIFICATION", outputs=outputs)
    ours.storage.import_folder(write(tmp_path, plan, waiting))
    run = ours.get_run(RUN_ID)
    assert run.state == "NEED_CLARIFICATION"
    (asked,) = run.get_outstanding_clarifications()
    assert (asked.category, asked.path) == ("Multiple Choice", "four_times")
    with pytest.raises(InvalidPlanRunStateError):
        ours.resume(run)
    assert ours.resolve_clarification(asked, "1").state == "READY_TO_RESUME"
    assert ours.resume(run).state == "COMPLETE"
    assert seen == [["1"]]


def test_a_run_whose_plan_is_not_there_is_shown_and_does_not_go_on(tmp_path: Path):
    ours = portia()
    done = ours.storage.import_folder(write(tmp_path, run_file()))
    assert (done.plans, done.runs, done.problems) == (0, 1, [])
    run = ours.get_run(RUN_ID)
    assert (run.state, run.plan_id) == ("IN_PROGRESS", PLAN_ID)
    assert run.outputs["twice"].value == "42"
    ended = ours.resume(run)
    assert ended.state == "FAILED"
    assert ended.error is not None
    assert "the plan of this imported run is not here, so it can't go on" in ended.error.message


def test_a_value_that_the_reference_kept_elsewhere_comes_as_its_summary(tmp_path: Path):
    elsewhere = {"output_name": "$twice", "plan_run_id": RUN_ID, "summary": "a long list"}
    outputs = {**run_file()["outputs"], "step_outputs": {"$twice": elsewhere}}
    ours = portia()
    ours.storage.import_folder(write(tmp_path, plan_file(), run_file(outputs=outputs)))
    kept = ours.get_run(RUN_ID).outputs["twice"]
    assert (kept.value, kept.summary) == ("(not in this file) a long list", "a long list")


def test_importing_twice_changes_nothing(tmp_path: Path):
    ours = portia()
    folder = write(tmp_path, plan_file(), run_file())
    ours.storage.import_folder(folder)
    before = ours.get_run(RUN_ID)
    again = ours.storage.import_folder(folder)
    assert (again.plans, again.runs, again.known, again.problems) == (0, 0, 2, [])
    assert ours.get_run(RUN_ID) == before


def test_a_file_that_is_no_plan_or_run_is_named_and_the_others_come_over(tmp_path: Path):
    folder = write(tmp_path, plan_file(), run_file())
    names = [f"plan-{UUID(int=number)}.json" for number in (7, 8, 9)]
    (folder / names[0]).write_text("{half")
    (folder / names[1]).write_text("[]")
    (folder / names[2]).write_text('{"id": "plan-1", "steps": 3}')
    (folder / "notes.json").write_text("{}")
    (folder / "plan-notes.json").write_text("{}")
    done = portia().storage.import_folder(folder)
    assert (done.plans, done.runs) == (1, 1)
    assert [problem.split(":")[0] for problem in done.problems] == names
    assert "not an object" in done.problems[1]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(StorageError, match="none here"):
        portia().storage.import_folder(tmp_path / "none here")


def test_what_is_exported_comes_back_the_same(tmp_path: Path):
    def both() -> dict[str, Any]:
        return {"rows": [1, 2.5, None], "text": "å"}

    plan = (
        PlanBuilderV2("Make and take")
        .function_step(function=both, step_name="made")
        .user_input(message="Which?", options=[1, 2], step_name="which")
        .function_step(function=lambda x: x, args={"x": StepOutput("made", "rows.1")})
        .build()
    )
    first, second = portia(str(tmp_path / "first")), portia()
    waiting = first.run_plan(plan)
    first.resolve_clarification(waiting.get_outstanding_clarifications()[0], 2)
    complete = first.resume(waiting)
    stopped = first.run_plan(plan)
    out = tmp_path / "a" / "folder"
    done = first.storage.export_folder(out)
    first.store.close()
    assert (done.plans, done.runs, done.problems) == (1, 2, [])
    assert sorted(p.name for p in out.iterdir()) == sorted(
        f"{document}.json" for document in (plan.id, complete.id, stopped.id)
    )
    again = second.storage.import_folder(out)
    assert (again.plans, again.runs, again.problems) == (1, 2, [])
    for run in (complete, stopped):
        kept = second.get_run(run.id)
        assert told(kept) == told(run)
    assert second.storage.get_plan(plan.id).content_hash() == plan.content_hash()


def test_an_export_into_a_place_that_can_not_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("")
    ours = portia()
    ours.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())
    with pytest.raises(StoreUnwritable):
        ours.storage.export_folder(tmp_path / "file" / "below")


def test_a_half_written_file_is_never_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ours = portia()
    ours.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())

    def fail(*args: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StorageError):
        ours.storage.export_folder(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
