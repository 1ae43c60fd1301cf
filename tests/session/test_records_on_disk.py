"""The file of a recording: never half, never with a secret, never trusted."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portia_nb import (
    Config,
    InvalidConfigError,
    Plan,
    PlanBuilderV2,
    PlanRunState,
    Portia,
    StepOutput,
    StorageError,
    ToolHardError,
    tool,
)
from portia_nb.llm.recorder import Recorder
from portia_nb.llm.records import RecordedOutput
from tests.servers.openai_server import OpenAIServer
from tests.session.test_recording import KEY, Booking, Thermometer, portia, values
from tests.stories.programs import Program


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lesson.json"


def asking(city: str, heat: Thermometer | None = None) -> Plan:
    made = (heat or Thermometer()).tool
    return PlanBuilderV2("x").invoke_tool_step(tool=made, args={"city": city}).build()


def cities(file: Path) -> list[str]:
    return [each["arguments"]["city"] for each in json.loads(file.read_text())["outputs"]]


# -- one file, many runs -------------------------------------------------------------------------


def test_every_run_of_a_process_goes_into_the_one_record_whichever_portia_made_it(file: Path):
    recorder = portia().recording(file)
    for city in ("Oslo", "Rome"):
        recorder.run_plan(asking(city))
    portia(record=file).run_plan(asking("Bonn"))
    assert cities(file) == ["Oslo", "Rome", "Bonn"]
    player = portia().replaying(file)
    for city in ("Bonn", "Oslo", "Rome"):
        assert values(player.run_plan(asking(city)))["$step_0_output"]["city"] == city


RECORD_ONE = """
import sys
from portia_nb import Config, PlanBuilderV2, Portia

plan = PlanBuilderV2("x").invoke_tool_step(
    tool="calculator_tool", args={"math_question": sys.argv[1]}, step_name="sum"
)
if len(sys.argv) > 2:
    plan.user_input(message="And?", step_name="more")
portia = Portia(Config(record="lesson.json"))
run = portia.run_plan(plan.build())
print(run.id)
"""

RESUME = """
import sys
from portia_nb import Config, Portia

portia = Portia(Config(record="lesson.json"))
run = portia.get_run(sys.argv[1])
(question,) = run.get_outstanding_clarifications()
portia.resolve_clarification(question, "no", run)
plan_run = portia.resume(plan_run_id=run.id)
assert plan_run.state == "COMPLETE", plan_run
"""


def run_program(folder: Path, source: str, *arguments: str) -> str:
    (folder / "main.py").unlink(missing_ok=True)
    with Program(folder, source, *arguments) as program:
        code, out, err = program.end()
    assert code == 0, err
    return out.strip()


@pytest.mark.timeout(60)
def test_a_new_process_begins_the_record_anew_and_a_resume_adds_to_it(project: Path):
    def questions() -> list[str]:
        outputs = json.loads((project / "lesson.json").read_text())["outputs"]
        return [each["arguments"]["math_question"] for each in outputs]

    run_program(project, RECORD_ONE, "1 + 1")
    assert questions() == ["1 + 1"]
    run_id = run_program(project, RECORD_ONE, "2 + 2", "and ask")
    assert questions() == ["2 + 2"]
    run_program(project, RESUME, run_id)
    assert questions() == ["2 + 2"]
    assert [path.name for path in project.glob("lesson*")] == ["lesson.json"]


def test_a_record_that_was_thrown_away_is_begun_anew(file: Path):
    recorder = portia().recording(file)
    recorder.run_plan(asking("Oslo"))
    file.unlink()
    recorder.run_plan(asking("Rome"))
    assert cities(file) == ["Rome"]


def test_what_somebody_takes_out_of_a_record_by_hand_stays_out(file: Path):
    recorder = portia().recording(file)
    for city in ("Oslo", "Rome"):
        recorder.run_plan(asking(city))
    by_hand = json.loads(file.read_text())
    del by_hand["outputs"][0]
    file.write_text(json.dumps({**by_hand, "about": "a lesson"}))
    recorder.run_plan(asking("Bonn"))
    assert cities(file) == ["Rome", "Bonn"]
    assert json.loads(file.read_text())["about"] == "a lesson"
    file.write_text('{"outputs": [')
    with pytest.raises(InvalidConfigError, match=r"lesson\.json.*is not a record"):
        recorder.run_plan(asking("Paris"))
    assert file.read_text() == '{"outputs": ['


def test_two_processes_that_record_into_one_file_lose_nothing(file: Path):
    asked: list[str] = []

    @tool(side_effect=False)
    def temperature(city: str) -> str:
        """Tell the temperature, while another process records."""
        asked.append(city)
        if city == "Oslo":
            another = Recorder(file)
            take = another.begin(())
            another.add(take, RecordedOutput(tool_id="temperature", arguments={"city": "Rome"}))
            another.flush()
        return city

    builder = PlanBuilderV2("x")
    for city in ("Oslo", "Bonn"):
        builder.invoke_tool_step(tool=temperature(), args={"city": city}, step_name=city)
    portia(max_parallel_steps=1).recording(file).run_plan(builder.build())
    assert asked == ["Oslo", "Bonn"]
    assert sorted(cities(file)) == ["Bonn", "Oslo", "Rome"]


def test_steps_side_by_side_stand_in_the_file_in_the_order_of_their_paths(file: Path):
    import threading

    gates = [threading.Event() for _ in range(12)]

    @tool(side_effect=False)
    def late(number: int) -> int:
        """Come back after the next one."""
        if number + 1 < len(gates):
            gates[number + 1].wait(5)
        gates[number].set()
        return number

    builder = PlanBuilderV2("x")
    for number in range(12):
        builder.invoke_tool_step(tool=late(), args={"number": number}, step_name=f"s{number}")
    portia().recording(file).run_plan(builder.build())
    outputs = json.loads(file.read_text())["outputs"]
    assert [each["step"] for each in outputs] == [f"s{n}" for n in range(12)]


KILLED = """
import os
from portia_nb import Config, PlanBuilderV2, Portia

def die():
    os.kill(os.getpid(), 9)

plan = PlanBuilderV2("x")
for number in range(20):
    plan.invoke_tool_step(tool="calculator_tool", args={"math_question": f"{number} + 1"})
plan.function_step(function=die)
Portia(Config(store="memory", record="lesson.json")).run_plan(plan.build())
"""


def test_a_kill_leaves_a_whole_record_of_what_came_before(project: Path):
    with Program(project, KILLED) as program:
        code, _, _ = program.end()
    assert code == -9
    kept = json.loads((project / "lesson.json").read_text())["outputs"]
    # Saving takes a twentieth of the time: the last few answers may be missing.
    assert len(kept) >= 1
    assert all(each["output"] is not None for each in kept)


# -- places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['{"name": "mine"}', "notes", '{"format": "portia-nb-record"'])
def test_a_file_of_somebody_elses_is_refused_before_anything_runs_and_left_alone(
    file: Path, text: str
):
    file.write_text(text)
    heat = Thermometer()
    with pytest.raises(InvalidConfigError, match=r"lesson\.json.*is not a record.*choose another"):
        portia().recording(file).run_plan(asking("Oslo", heat))
    assert file.read_text() == text
    assert heat.calls == []


def test_an_old_record_stays_until_there_is_something_new_to_keep(file: Path):
    portia().recording(file).run_plan(asking("Oslo"))
    text = file.read_text()
    portia().recording(file).run_plan(PlanBuilderV2("x").function_step(function=dict).build())
    assert file.read_text() == text


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path):
    heat = Thermometer()
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "lesson.json"):
        with pytest.raises((StorageError, InvalidConfigError), match="record"):
            portia().recording(place).run_plan(asking("Oslo", heat))
    assert heat.calls == []


def test_a_record_on_a_disk_that_has_become_read_only_is_refused_before_anything_runs(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    portia().recording(file).run_plan(asking("Oslo"))
    heat, other, opened = Thermometer(), file.with_name("other.json"), os.open
    other.write_bytes(file.read_bytes())  # its recorder has not looked at it yet

    def read_only(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT and Path(path).parent == file.parent:
            raise OSError(30, "Read-only file system")
        return opened(path, flags, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        with pytest.raises(StorageError, match=r"can't be written to \(Read-only file system\)"):
            portia().recording(other).run_plan(asking("Rome", heat))
    assert heat.calls == []
    assert cities(other) == ["Oslo"]


def test_a_disk_that_fills_up_costs_the_record_and_not_the_run(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    recorder = portia().recording(file)
    recorder.run_plan(asking("Oslo"))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        run = recorder.run_plan(asking("Rome"))
    assert run.state is PlanRunState.COMPLETE
    assert caplog.text.count("what was recorded is not saved: can't write the record") == 1
    assert cities(file) == ["Oslo"]
    assert [path.name for path in file.parent.iterdir()] == ["lesson.json"]
    recorder.run_plan(asking("Bonn"))
    assert cities(file) == ["Oslo", "Rome", "Bonn"]


def test_to_record_and_to_replay_at_once_is_refused(file: Path):
    with pytest.raises(InvalidConfigError, match="both set"):
        Config(record=file, replay=file)
    assert portia(replay=file).recording(file).config.replay is None


# -- secrets -------------------------------------------------------------------------------------

OWN = "own-canary-4fQ9/xL+7z="


def test_no_secret_gets_into_a_record_and_what_was_blotted_out_still_matches(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MY_SERVICE_TOKEN", OWN)

    @tool(side_effect=False)
    def fetch(address: str, headers: dict[str, str]) -> dict[str, Any]:
        """Fetch a page, and tell too much."""
        return {"you sent": {**headers}, "from": address, "raw": f"token={OWN}".encode()}

    @tool(side_effect=False)
    def curse(password: str) -> str:
        """Fail as careless clients do."""
        raise ToolHardError(f"GET https://me:{password}@host failed, Authorization: Bearer {OWN}")

    address = f"https://me:pa55word@host.example/?api_key=abcd1234&t={OWN}"
    plan = (
        PlanBuilderV2(f"Never say {KEY}")
        .invoke_tool_step(
            tool=fetch(),
            args={"address": address, "headers": {"Authorization": f"Bearer {OWN}"}},
            step_name="page",
        )
        .llm_step(task=f"Read it with {KEY}", inputs=[StepOutput("page")], step_name="read")
        .invoke_tool_step(
            tool=curse(), args={"password": "hunter2"}, after=["read"], step_name="fail"
        )
        .build()
    )
    with OpenAIServer(lambda _: f"I read {OWN} and {KEY}") as server:
        recorded = portia(server).recording(file).run_plan(plan)
    assert recorded.state is PlanRunState.FAILED
    text = file.read_text()
    for secret in (OWN, KEY, "pa55word", "abcd1234", "hunter2"):
        plain = secret.encode()
        for spelled in (plain, *(base64.b64encode(b"x" * n + plain)[4:-4] for n in range(3))):
            assert spelled not in text.encode(), spelled
    assert text.count("***") >= 8
    monkeypatch.delenv("MY_SERVICE_TOKEN")
    monkeypatch.setenv("MY_SERVICE_TOKEN", OWN)
    player = portia(openai_api_key=KEY).replaying(file)
    again = player.run_plan(plan)
    assert again.error is not None and recorded.error is not None
    # The page's bytes hold the secret, so that step alone is made again: it only reads.
    assert again.outputs.step_outputs["$step_1_output"].value == "I read *** and ***"
    assert (again.error.type, again.error.step) == ("ToolHardError", "fail")
    assert player.unused_calls() == ()


def test_a_password_that_a_person_types_is_not_kept(file: Path):
    plan = PlanBuilderV2("x").user_input(message="Well?", step_name="password").build()

    from portia_nb import ExecutionHooks
    from tests.session.test_recording import Person

    class Typist(Person):
        def handle(self, clarification: Any, on_resolution: Any, on_error: Any) -> None:
            on_resolution(clarification, "hunter2")

    hooks = ExecutionHooks(clarification_handler=Typist())
    run = portia(hooks=hooks).recording(file).run_plan(plan)
    assert values(run) == {"$step_0_output": "hunter2"}
    assert "hunter2" not in file.read_text()
    assert values(portia().replaying(file).run_plan(plan)) == {"$step_0_output": "***"}


# -- records from others -------------------------------------------------------------------------


def record_with(file: Path, **more: Any) -> Path:
    file.write_text(json.dumps({"format": "portia-nb-record", "version": 1, **more}))
    return file


def output(value: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"tool_id": "temperature", "arguments": {"city": "Oslo"}, "output": value, **more}]


HOSTILE_FILES: dict[str, Callable[[Path], Any]] = {
    "no JSON": lambda f: f.write_text("{"),
    "not text": lambda f: f.write_bytes(b"\xff\xfe\0"),
    "another format": lambda f: record_with(f, format="other"),
    "a later version": lambda f: record_with(f, version=2),
    "a wrong type": lambda f: record_with(f, outputs={"a": 1}),
    "a field too much": lambda f: record_with(f, outputs=output(1, run="rm")),
    "a forged error": lambda f: record_with(f, outputs=output(1, error={"type": 7})),
    "nested deep": lambda f: f.write_text('{"outputs":' + "[" * 100_000),
    "nested": lambda f: record_with(f, outputs=output(json.loads("[" * 400 + "]" * 400))),
    "a folder": lambda f: f.mkdir(),
    "a pipe": lambda f: os.mkfifo(f),
    "huge": lambda f: (f.touch(), os.truncate(f, 300_000_000)),
}


@pytest.mark.parametrize("make", HOSTILE_FILES.values(), ids=HOSTILE_FILES)
def test_a_hostile_file_is_refused_by_name_before_anything_runs(
    file: Path, make: Callable[[Path], Any]
):
    make(file)
    heat = Thermometer()
    with pytest.raises(InvalidConfigError, match=r"lesson\.json"):
        portia().replaying(file).run_plan(asking("Oslo", heat))
    assert heat.calls == []


HOSTILE_VALUES = {
    "an unknown codec": {"$": "pickle", "v": "gASVKg=="},
    "a broken codec": {"$": "date", "v": "yesterday"},
    "an array with objects": {"$": "ndarray", "v": base64.b64encode(b"\x93NUMPY").decode()},
    "a codec without value": {"$": "bytes"},
    "nested deep": json.loads("[" * 120 + "]" * 120),
}


@pytest.mark.parametrize("value", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES)
def test_a_hostile_value_fails_its_step_by_name_and_nothing_is_called(file: Path, value: Any):
    record_with(file, outputs=output(value))
    heat = Thermometer()
    run = portia().replaying(file).run_plan(asking("Oslo", heat))
    if run.state is PlanRunState.COMPLETE:  # only deep, which does no harm
        assert value == values(run)["$step_0_output"]
    else:
        assert run.error is not None and run.error.type == "RecordDrift"
        assert "lesson.json: the recorded call of 'temperature'" in run.error.message
    assert heat.calls == []


@pytest.mark.parametrize(
    "name", ["SystemExit", "KeyboardInterrupt", "Portia", "__import__", "os.system", "a b", "class"]
)
def test_a_forged_error_is_an_ordinary_error_whatever_its_name(file: Path, name: str):
    record_with(file, outputs=output(None, error={"type": name, "message": "boo"}))
    run = portia().replaying(file).run_plan(asking("Oslo"))
    assert run.error is not None
    assert run.error.message == "boo"
    assert run.state is PlanRunState.FAILED


def test_a_forged_question_or_answer_is_no_more_than_that(file: Path):
    plan = PlanBuilderV2("x").invoke_tool_step(tool=Booking(), step_name="book").build()
    call: dict[str, Any] = {"tool_id": "book", "arguments": {}}
    evil = {"category": "Action", "action_url": "javascript:alert(1)"}
    record_with(file, outputs=[{**call, "questions": [evil]}])
    run = portia().replaying(file).run_plan(plan)
    assert run.error is not None and "can't be read" in run.error.message
    choice = {"category": "Multiple Choice", "user_guidance": "Which?", "options": ["a", "b"]}
    answer = {"category": "Multiple Choice", "question": "Which?", "response": "c"}
    record_with(file, outputs=[{**call, "questions": [choice]}], answers=[answer])
    run = portia().replaying(file).run_plan(plan)
    assert run.state is PlanRunState.NEED_CLARIFICATION


def test_a_record_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InvalidConfigError, match=r"can't read the record .*gone\.json"):
        Portia(Config(store="memory", replay=tmp_path / "gone.json"), tools=[]).run("x")
