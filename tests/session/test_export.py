"""N19, N28, N29: a run as one file to hand on, without its secrets; a recorded run as a test."""

import html.parser
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from portia_nb import (
    Config,
    ExecutionHooks,
    Input,
    Plan,
    PlanBuilderV2,
    PlanRun,
    Portia,
    StepOutput,
    tool,
)
from portia_nb.errors import InvalidOption, StorageError, StoreTooNew
from portia_nb.model.codecs import Unkept
from portia_nb.session.exporting import ExportedFile
from tests.drawing.hostile import PAYLOADS

KEY = "sk-planted-0123456789abcdef"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def portia(**settings: Any) -> Portia:
    return Portia(Config(store="memory", **settings), tools=[])


def asking_plan() -> Plan:
    tries: list[int] = []

    def fetch(url: str, headers: dict[str, str]) -> dict[str, Any]:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the line was cut")
        return {"from": url, "headers": headers, "rows": [{"a": 1, "b": "x"}, {"a": 2}]}

    def picture() -> bytes:
        return PNG

    return (
        PlanBuilderV2("Fetch what is there")
        .input(name="who")
        .function_step(
            function=fetch,
            args={"url": f"https://me:pw@host/{Input('who')}", "headers": {"X-Api-Key": KEY}},
            step_name="fetch",
            retries=1,
            side_effect=False,
        )
        .user_input(message="Which row? ada@example.org may know", step_name="which")
        .function_step(
            function=lambda got, n: got["rows"][int(n)],
            args={"got": StepOutput("fetch"), "n": StepOutput("which")},
            step_name="row",
        )
        .function_step(function=picture, step_name="picture")
        .function_step(function=lambda: pd.DataFrame({"t": [1, 2]}), step_name="table")
        .build()
    )


def done_run(made: Portia, plan: Plan | None = None) -> PlanRun:
    run = made.run_plan(plan or asking_plan(), plan_run_inputs={"who": "ada"})
    [asked] = run.get_outstanding_clarifications()
    run = made.resume(made.resolve_clarification(asked, "0", run))
    assert run.state == "COMPLETE", run.error
    return run


class Text(html.parser.HTMLParser):
    """What a page says, and which elements and attributes it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in ("src", "href", "action", "data", "srcset"):
                self.links.append(str(value))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_N28_a_page_tells_the_whole_story_without_script_or_request(tmp_path: Path):
    made = portia()
    run = done_run(made)
    done = made.export(run, tmp_path / "run.html")
    page = Text(done.path.read_text())
    for word in (
        "Fetch what is there",
        "✓ done",
        "Attempt 1 of 2 failed",
        "the line was cut",
        "Which row?",
        "answered by the caller",
        "2 rows",
        "Timeline",
        "No model was asked",
        str(run.id),
        "Hash of the plan's content",
        "5 of 5 steps",
    ):
        assert word in page.text, word
    assert not {"script", "link", "iframe", "object", "form", "a", "base"} & page.tags
    assert all(
        each.startswith(("data:image/svg+xml,", "data:image/png;base64,")) for each in page.links
    )
    assert len(page.links) == 3
    assert "default-src 'none'" in done.path.read_text()[:400]
    assert done.path.stat().st_mode & 0o077 == 0


def test_N28_secrets_are_taken_out_and_a_preview_lists_each_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "correct-horse-battery")
    made = portia(openai_api_key="sk-config-0123456789")
    plan = (
        PlanBuilderV2("Log in as correct-horse-battery")
        .function_step(
            function=lambda **given: given,
            args={
                "password": "hunter2!x",
                "said": "it is hunter2!x",
                "key": KEY,
                "header": "Authorization: Basic dXNlcjpwYXNzd29yZDEyMw==",
                "mail": "ada@example.org",
                "mine": "sk-config-0123456789",
            },
        )
        .build()
    )
    run = made.run_plan(plan)
    secrets = ("correct-horse", "hunter2", KEY, "dXNlcjpw", "sk-config")
    target = tmp_path / "run.json"
    preview = made.export(run, target, preview=True)
    assert not target.exists()
    assert not preview.is_written
    why = {(each.place, each.why) for each in preview.redacted}
    assert ("plan: plan_context.query", "a key or password that is set here") in why
    assert ("plan: steps.0.args.password.value", "its name says that it is secret") in why
    assert ("plan: steps.0.args.key.value", "it has the form of a key") in why
    assert ("plan: steps.0.args.header.value", "an authorization header") in why
    assert any("value.said" in place for place, _ in why)
    assert "would be redacted. Nothing is written yet." in repr(preview)
    assert list(preview.to_frame()["place"]) == [each.place for each in preview.redacted]
    for kind in ("html", "json", "jsonl"):
        text = made.export(run, tmp_path / f"run.{kind}").path.read_text()
        assert not any(secret in text for secret in secrets)
        assert "ada@example.org" in text
        assert f"process {os.getpid()}" not in text
    hidden = made.export(run, tmp_path / "no.json", emails=True).path.read_text()
    assert "ada@" not in hidden
    whole = made.export(run, tmp_path / "all.json", redact=False)
    assert whole.redacted == ()
    assert KEY in whole.path.read_text()
    script = made.export(plan, tmp_path / "plan.py").path.read_text()
    assert not any(secret in script for secret in secrets)


@pytest.mark.parametrize("kind", ["html", "json", "jsonl"])
def test_N28_two_exports_of_one_run_are_the_same_bytes(kind: str, tmp_path: Path):
    made = portia()
    run = done_run(made)
    one, two = (made.export(run, tmp_path / f"{n}.{kind}") for n in "ab")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert made.export(run, one.path).is_written  # nothing to replace
    one.path.write_text("mine")
    with pytest.raises(StorageError, match="something else in it"):
        made.export(run, one.path)
    made.export(run, one.path, overwrite=True)
    assert one.path.read_bytes() == two.path.read_bytes()


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("values", [True, False])
def test_N28_N19_what_was_exported_is_imported_and_shown_again(
    kind: str, values: bool, tmp_path: Path
):
    made = portia()
    run = done_run(made)
    done = made.export(run, tmp_path / f"run.{kind}", values=values)
    other = Portia(Config(store=str(tmp_path / "other")), tools=[])
    report = other.store.import_from(done.path)
    assert report.added == (run.id,)
    again = other.get_run(run.id)
    assert (again.state, list(again.outputs.step_outputs)) == (
        run.state,
        list(run.outputs.step_outputs),
    )
    if values:
        assert again.outputs["row"].value == {"a": 1, "b": "x"}
        assert list(again.outputs["table"].value["t"]) == [1, 2]
    else:
        assert isinstance(again.outputs["row"].value, Unkept)
        assert '"x"' not in done.path.read_text()
    assert other.runs()[0].steps_done == 5
    assert "Fetch what is there" in other.export(again, tmp_path / "p.html").path.read_text()
    other.store.close()


def test_N19_a_trace_is_a_line_of_json_for_each_event(tmp_path: Path):
    made = portia()
    run = done_run(made)
    lines = [
        json.loads(line)
        for line in made.export(run, tmp_path / "trace.jsonl").path.read_text().splitlines()
    ]
    events = [line["event"]["kind"] for line in lines if "event" in line]
    whole = json.loads(made.export(run, tmp_path / "run.json").path.read_text())
    assert [each["event"]["kind"] for each in whole["events"]] == events
    assert (events[0], events[-1]) == ("run_created", "run_completed")
    assert (whole["format"], whole["version"]) == ("portia-nb-run", 1)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"version": 9}, StoreTooNew, "upgrade portia_nb"),
        ({"run": None}, StorageError, "no version, or no run"),
        ({"events": "x"}, StorageError, "no list of events"),
        ({"plan": "x"}, None, "can't be read"),
    ],
)
def test_N28_a_document_that_is_not_whole_is_refused(
    change: dict[str, Any], error: Any, says: str, tmp_path: Path
):
    made = portia()
    done = made.export(
        made.run_plan(PlanBuilderV2().function_step(function=dict).build()), tmp_path / "run.json"
    )
    done.path.write_text(json.dumps({**json.loads(done.path.read_text()), **change}))
    other = portia()
    if error is not None:
        with pytest.raises(error, match=says):
            other.store.import_from(done.path)
    else:
        assert says in str(other.store.import_from(done.path).refused)


def test_N28_a_failed_and_a_waiting_run_and_one_that_never_ran_have_a_page(tmp_path: Path):
    made = portia()

    def bad() -> None:
        raise ValueError("<b>no</b>")

    failed = made.run_plan(PlanBuilderV2("f").function_step(function=bad, step_name="bad").build())
    plan = PlanBuilderV2("w").user_input(message="Who?").function_step(function=dict).build()
    waiting, fresh = made.run_plan(plan), made.create_plan_run(plan)
    texts = [
        Text(made.export(run, tmp_path / f"{n}.html").path.read_text()).text
        for n, run in enumerate((failed, waiting, fresh))
    ]
    assert "<b>no</b>" in texts[0]
    assert "Failed in step bad" in texts[0]
    assert "no answer yet" in texts[1]
    assert "not started" in texts[2]


def test_N28_hostile_text_stays_text_on_the_page(tmp_path: Path):
    made = portia()
    values = [*PAYLOADS, "x" * 300_000]
    plan = (
        PlanBuilderV2("".join(PAYLOADS[:9]))
        .function_step(function=lambda: values, step_name="<img src=x onerror=alert(1)>")
        .function_step(function=lambda: [{p: p} for p in PAYLOADS[:20]], step_name="rows")
        .build()
    )
    done = made.export(made.run_plan(plan), tmp_path / "run.html")
    page = done.path.read_text()
    assert done.size < 1_000_000
    assert not {"script", "svg", "style>"} & (Text(page).tags - {"style"})
    assert not {"\x1b", "‮", "\x00"} & set(page)
    assert "more characters" in page


def test_N28_what_a_file_becomes_is_said_where_its_name_does_not_say_it():
    made = portia()
    run = made.run_plan(PlanBuilderV2().function_step(function=dict).build())
    with pytest.raises(InvalidOption, match=r"\.html: a page for people"):
        made.export(run, "run.pdf")
    with pytest.raises(InvalidOption, match=r"\.py: a script"):
        made.export(made.storage.get_plan(run.plan_id), "plan.html")
    with pytest.raises(InvalidOption, match="no record is named"):
        made.export(run, "test_run.py")


def test_N28_a_file_that_can_not_be_written_is_told_from_a_broken_store(tmp_path: Path):
    made = portia()
    run = made.run_plan(PlanBuilderV2().function_step(function=dict).build())
    with pytest.raises(StorageError, match=f"there is no folder {tmp_path}/nowhere") as caught:
        made.export(run, tmp_path / "nowhere" / "run.html")
    assert type(caught.value) is StorageError
    (tmp_path / "run.html").mkdir()
    with pytest.raises(StorageError, match=r"can't be written \(Is a directory\)") as caught:
        made.export(run, tmp_path / "run.html", overwrite=True)
    assert type(caught.value) is StorageError
    assert "store" not in str(caught.value)


@tool(side_effect=True)
def weather(city: str, days: int = 2) -> dict[str, Any]:
    """Tell the weather.

    Args:
        city: where.
        days: how many.
    """
    return {"city": city, "c": 21.5, "days": days}


def recorded(tmp_path: Path, *, fails: bool = False) -> tuple[Portia, PlanRun]:
    def judge(sky: dict[str, Any], why: str) -> str:
        if fails:
            raise ValueError("too warm")
        return f"{why}: {sky['c']}"

    plan = (
        PlanBuilderV2("Is it warm? '''\"\"\"")
        .input(name="city")
        .invoke_tool_step(tool=weather, args={"city": Input("city")}, step_name="sky")
        .user_input(message="Why?", step_name="why")
        .function_step(
            function=judge,
            args={"sky": StepOutput("sky"), "why": StepOutput("why")},
            step_name="judge",
        )
        .build()
    )
    made = portia().recording(tmp_path / "record.json")
    run = made.run_plan(plan, plan_run_inputs={"city": "Oslo'); import os"})
    run = made.resume(
        made.resolve_clarification(run.get_outstanding_clarifications()[0], "because", run)
    )
    return made, run


@pytest.mark.timeout(90)
def test_N29_a_recorded_run_becomes_a_test_that_passes_without_network(tmp_path: Path):
    for name, fails in (("done", False), ("failed", True)):
        (tmp_path / name).mkdir()
        made, run = recorded(tmp_path / name, fails=fails)
        target = tmp_path / f"test_{name}.py"
        done: ExportedFile = made.export(run, target, record=tmp_path / name / "record.json")
        assert done.also == (tmp_path / f"test_{name}.record.json",)
        (tmp_path / name / "record.json").unlink()
    # Sockets are refused for the whole of it, and there is no key.
    (tmp_path / "conftest.py").write_text(
        "import socket\n"
        "def refuse(*_, **__):\n    raise OSError('no network here')\n"
        "socket.socket.connect = socket.socket.connect_ex = refuse\n"
        "socket.getaddrinfo = refuse\n"
    )
    changed = (tmp_path / "test_done.py").read_text().replace("21.5", "99.5")
    (tmp_path / "test_changed.py").write_text(
        changed.replace(
            "RECORD = ", "RECORD = Path(__file__).with_name('test_done.record.json') or "
        )
    )
    said = pytest_in(tmp_path)
    assert "1 failed, 2 passed" in said, said
    assert "FAILED test_changed.py" in said


def pytest_in(folder: Path) -> str:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_N29_only_what_can_be_compared_becomes_a_test(tmp_path: Path):
    made = portia(record=tmp_path / "r.json")
    waiting = made.run_plan(PlanBuilderV2().user_input(message="Who?").build())
    with pytest.raises(InvalidOption, match="has not ended"):
        made.export(waiting, tmp_path / "test_it.py")
    with pytest.raises(InvalidOption, match="compares values"):
        made.export(waiting, tmp_path / "test_it.py", values=False)


async def test_N28_export_has_an_async_twin(tmp_path: Path):
    made = Portia(Config(store="memory"), tools=[], execution_hooks=ExecutionHooks())
    run = await made.arun_plan(PlanBuilderV2().function_step(function=dict).build())
    assert (await made.aexport(run, tmp_path / "x.json")).is_written
