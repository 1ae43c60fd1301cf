"""N16: all runs of a project, filterable, as a DataFrame too (N35)."""

import builtins
import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, Plan, PlanBuilderV2, PlanRun, Portia, ReActAgentStep
from portia_nb.errors import InvalidOption
from portia_nb.model.events import ModelReplied, Recorded, RunCreated, RunStarted, StepDone
from portia_nb.model.language import Usage
from portia_nb.model.run import PlanRunState
from portia_nb.notebook.view_rows import state_words
from portia_nb.session.history import WORDS
from portia_nb.storage.history import names_tool
from portia_nb.storage.owner import Owner, this_process

from .stage import Work


def sums(goal: str = "Add two numbers", fails: bool = False) -> Plan:
    def add() -> int:
        if fails:
            raise ValueError("no numbers")
        return 3

    builder = PlanBuilderV2(goal).function_step(function=add, step_name="add")
    with builder.loop(over=[1, 2], step_name="each"):
        builder.function_step(function=lambda: 1, step_name="one")
    return builder.build()


@pytest.fixture(params=["disk", "memory"])
def portia(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = Portia(Config(store=str(tmp_path) if request.param == "disk" else "memory"), tools=[])
    yield made
    made.store.close()


def keep(portia: Portia, plan: Plan, *events: Any, owner: Owner | None = None) -> str:
    """Keep a run that another process was at work on, as `owner`."""
    run_id = f"prun-00000000-0000-4000-8000-{len(portia.runs(limit=None)):012}"
    hold = portia.store.create_run(run_id, plan, owner=owner or this_process())
    started = (RunCreated(str(plan.id), {}), RunStarted("somebody"), *events)
    for seq, event in enumerate(started, 1):
        portia.store.append(hold, Recorded(seq, 1_700_000_000.0 + seq, run_id, event))
    portia.store.kept_blocking(hold)
    return run_id


def test_N16_runs_are_listed_newest_first_with_what_they_did(portia: Portia):
    plan = sums()
    first = portia.run_plan(plan)
    fork = portia.fork(first, "add", plan=plan)
    assert isinstance(fork, PlanRun)
    newest, oldest = portia.runs()
    assert (newest.id, oldest.id) == (fork.id, first.id)
    assert (oldest.goal, oldest.state, oldest.plan_id) == ("Add two numbers", "done", first.plan_id)
    assert (oldest.steps_done, oldest.steps) == (3, 3)
    assert (newest.fork_of, oldest.fork_of) == (first.id, None)
    assert oldest.started is not None
    assert abs(dt.datetime.now(dt.UTC) - oldest.started) < dt.timedelta(minutes=1)
    assert (oldest.calls, oldest.cost, oldest.held_by) == (0, 0.0, None)


def usage(calls: int, sent: int, back: int) -> Usage:
    return Usage(calls=calls, input_tokens=sent, output_tokens=back)


def test_N16_calls_tokens_and_cost_are_added_up(portia: Portia):
    plan = PlanBuilderV2("Ask").llm_step(task="Ask.", step_name="ask").build()
    replies = [
        ModelReplied("", "planning", "openai/gpt-5.4", 0.1, usage(2, 1_000, 100)),
        ModelReplied("ask", "execution", "openai/gpt-5.4", 0.1, usage(1, 1_000, 100)),
    ]
    keep(portia, plan, *replies, StepDone("ask", 1, "x" * 100))
    [run] = portia.runs()
    assert (run.calls, run.input_tokens, run.output_tokens) == (3, 2_000, 200)
    assert run.cost == pytest.approx(0.008)
    assert (run.steps_done, run.steps, run.seconds) == (1, 1, 3.0)
    keep(portia, plan, ModelReplied("ask", "execution", "openai/nobody", 0.1, usage(1, 10, 1)))
    assert portia.runs()[0].cost is None
    assert "unknown" in repr(portia.runs())


def test_N16_a_step_whose_output_could_not_be_kept_is_done_all_the_same(portia: Portia):
    portia.run_plan(PlanBuilderV2().function_step(function=object, step_name="o").build())
    assert portia.runs()[0].steps_done == 1


def test_N16_a_run_whose_process_died_says_so_and_not_running(portia: Portia):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    dead = keep(portia, sums(), owner=Owner(this_process().host, child.pid, "long ago"))
    alive = keep(portia, sums())
    assert [run.state for run in portia.runs()] == ["running", "process died"]
    assert [run.id for run in portia.runs(state="process died")] == [dead]
    assert [run.id for run in portia.runs(state="running")] == [alive]
    assert [run.id for run in portia.runs(state=PlanRunState.IN_PROGRESS)] == [alive]
    elsewhere = Owner("another-machine", os.getpid(), "now", label="a kernel")
    keep(portia, sums(), owner=elsewhere)
    assert "held by a kernel" in repr(portia.runs())


def test_N16_filters_leave_out_what_does_not_match(portia: Portia):
    plan = sums("Which grew FASTER?")
    done = portia.run_plan(plan)
    failed = portia.run_plan(sums("Which is faster?", fails=True))
    other = portia.run_plan(sums("Weather in Straße"))

    def found(**wanted: Any) -> list[str]:
        return [str(run.id) for run in portia.runs(**wanted)]

    assert found(goal="faster") == [failed.id, done.id]
    assert found(goal="STRASSE") == [other.id]
    assert found(state="failed") == found(state=PlanRunState.FAILED) == [failed.id]
    assert found(state=["failed", "complete"], goal="faster") == [failed.id, done.id]
    assert found(since="1h") == found(since=dt.timedelta(hours=1)) == [other.id, failed.id, done.id]
    tomorrow = dt.date.today() + dt.timedelta(days=2)
    assert found(since=tomorrow) == found(since=tomorrow.isoformat()) == []
    assert found(since=dt.datetime.now(dt.UTC) - dt.timedelta(days=1)) == found()
    fork = portia.fork(done, "add", plan=plan)
    assert found(forked_from=done) == found(forked_from=str(done.id)) == [fork.id]


def test_N16_a_tool_finds_the_runs_whose_plans_use_it(portia: Portia):
    built = PlanBuilderV2("calculator_tool in words only").llm_step(task="calculator_tool").build()
    keep(portia, built)
    builder = PlanBuilderV2("In a branch of a loop")
    with builder.loop(over=[1]), builder.if_(True):
        builder.invoke_tool_step(tool="calculator_tool", args={"math_question": "1 + 1"})
    inside = keep(portia, builder.build())
    agent = ReActAgentStep(name="a", task="Count.", tool_ids=("calculator_tool", "search_tool"))
    agents = keep(portia, PlanBuilderV2("An agent").add_step(agent).build())
    assert [run.id for run in portia.runs(tool="calculator_tool")] == [agents, inside]
    assert [run.id for run in portia.runs(tool="search_tool")] == [agents]
    assert not portia.runs(tool="nobody")
    assert names_tool(Plan(steps=(agent,)), "search_tool")


def test_N16_long_lists_come_in_pages(portia: Portia):
    runs = [portia.run_plan(sums()).id for _ in range(5)][::-1]
    first = portia.runs(limit=2)
    assert ([run.id for run in first], first.total, first.pages) == (runs[:2], 5, 3)
    assert [run.id for run in portia.runs(limit=2, page=3)] == runs[4:]
    assert list(portia.runs(limit=2, page=9)) == []
    assert [run.id for run in portia.runs(limit=None)] == runs
    assert [run.id for run in first[:1]] == runs[:1]
    assert "Page 1 of 3, of 5 runs in all." in repr(first)
    assert "Page 1 of 3" in first._repr_html_()


def test_N16_the_list_is_a_data_frame_too(portia: Portia):
    portia.run_plan(sums())
    portia.run_plan(sums("Second", fails=True))
    table = portia.runs().to_frame()
    assert list(table["goal"]) == ["Second", "Add two numbers"]
    assert list(table["state"]) == ["failed", "done"]
    assert {"started", "seconds", "steps_done", "steps", "calls", "cost", "fork_of"} <= set(table)
    assert table["started"].dtype.kind == "M"
    assert list(portia.runs(goal="nothing").to_frame().columns) == list(table.columns)


def test_N16_without_pandas_the_error_says_what_to_do(
    portia: Portia, monkeypatch: pytest.MonkeyPatch
):
    real = builtins.__import__

    def refuse(name: str, *more: Any, **named: Any) -> Any:
        if name == "pandas":
            raise ImportError("No module named 'pandas'")
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="pip install pandas"):
        portia.runs().to_frame()


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"state": "lost"}, "no state 'lost'; the states: not started, running"),
        ({"since": "yesterday"}, "'yesterday' is no time"),
        ({"limit": 0}, "at least 1"),
        ({"page": 0}, "the first page is 1"),
    ],
)
def test_N16_what_can_not_be_meant_is_refused(wanted: dict[str, Any], says: str):
    with pytest.raises(InvalidOption, match=says):
        Portia(Config(store="memory"), tools=[]).runs(**wanted)


def test_N16_the_states_have_the_words_of_the_views():
    for state, word in WORDS.items():
        # What is drawn once can't tell what became of a run that was under way.
        drawn = f"was {word}" if state is PlanRunState.IN_PROGRESS else word
        assert state_words({"kind": "run", "state": state.value})[1] == drawn


async def test_N16_a_goal_is_only_text_wherever_it_is_shown():
    portia = Portia(Config(store="memory"), tools=[])
    await portia.arun_plan(sums("<img src=x onerror=alert(1)>\n\x1b[31m‮ $a$"))
    found = await portia.aruns()
    html = found._repr_html_()
    assert "<img" not in html
    assert "\n" not in html
    assert not {"\x1b", "‮"} & set(html + repr(found))
    assert len(repr(found).splitlines()) == 2


def test_N16_a_run_under_way_is_running_and_not_held_by_another():
    work = Work(is_async=False)
    portia = Portia(Config(store="memory"), tools=[])
    live = portia.start_run(work.plan())
    assert work.started.wait(10)
    [run] = portia.runs()
    assert (run.state, run.held_by, run.steps_done) == ("running", None, 1)
    work.gate.set()
    live.done.result(10)
    assert portia.runs()[0].state == "done"
