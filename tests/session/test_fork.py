"""Forks and retries: what runs again, what is reused, what is asked, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from portia_nb import (
    Config,
    Input,
    Plan,
    PlanBuilderV2,
    PlanRun,
    PlanRunState,
    Portia,
    StepOutput,
    tool,
)
from portia_nb.errors import (
    InvalidPlanRunStateError,
    PlanCheckError,
    PlanError,
    PlanRunNotFoundError,
    StepNotFoundError,
    ValueNotKept,
)
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import StepDone
from portia_nb.session.forking import fork_approval

from .stage import Work, portia


class Calls(list[str]):
    """Functions that note their calls."""

    def function(self, name: str, make: Callable[..., Any] = lambda **given: dict(given)) -> Any:
        def work(**given: Any) -> Any:
            self.append(name)
            return make(**given)

        work.__qualname__ = name
        return work

    def since(self) -> list[str]:
        """Return the calls since this was last asked."""
        found = self[:]
        self.clear()
        return found


@pytest.fixture
def calls() -> Calls:
    return Calls()


def chain(calls: Calls, *names: str, effects: dict[str, bool] | None = None) -> Plan:
    """Return a plan whose steps each refer to the one before."""
    builder = PlanBuilderV2().input(name="currency", default_value="USD")
    for number, name in enumerate(names):
        before: Any = StepOutput(names[number - 1]) if number else Input("currency")
        builder.function_step(
            function=calls.function(name, lambda before, **_: f"{before}."),
            args={"before": before},
            step_name=name,
            side_effect=(effects or {}).get(name),
        )
    return builder.build()


# -- what runs again -------------------------------------------------------------------------------


def test_a_fork_is_a_new_run_that_says_where_it_comes_from_and_what_was_changed(calls: Calls):
    home = portia()
    run = home.run_plan(chain(calls, "a", "b", "c"))
    calls.since()
    forked = home.fork(run, "b", args={"before": "x"})
    assert calls.since() == ["b", "c"]
    assert forked.final_output is not None
    assert forked.final_output.value == "x.."
    assert (forked.forked_from, forked.id != run.id) == (run.id, True)
    assert (forked.reused, run.reused) == (("$step_0_output",), ())
    created = home.store.load_events(forked.id)[0].event
    assert (created.forked_at, created.edits) == ("b", ["b.args"])
    assert home.store.find_run(forked.id).forked_from == run.id
    assert home.get_run(run.id) == run
    reused = {
        each.event.path: each.event.reused
        for each in home.store.load_events(forked.id)
        if isinstance(each.event, StepDone)
    }
    assert reused == {"a": "fork", "b": "", "c": ""}


def test_an_output_by_hand_lets_only_what_refers_to_it_run(calls: Calls):
    home = portia()
    run = home.run_plan(chain(calls, "a", "b", "c"))
    calls.since()
    forked = home.fork(str(run.id), "b", output="mine")
    assert calls.since() == ["c"]
    assert [o.value for o in forked.outputs.step_outputs.values()] == ["USD.", "mine", "mine."]


def test_changed_inputs_run_what_refers_to_them(calls: Calls):
    home = portia()
    run = home.run_plan(
        PlanBuilderV2()
        .input(name="currency")
        .input(name="city")
        .function_step(function=calls.function("a"), args={"x": Input("city")}, step_name="a")
        .function_step(function=calls.function("b"), args={"x": Input("currency")}, step_name="b")
        .build(),
        plan_run_inputs={"currency": "USD", "city": "Oslo"},
    )
    calls.since()
    forked = home.fork(run, inputs={"$currency": "EUR"})
    assert calls.since() == ["b"]
    assert forked.plan_run_inputs == {"currency": "EUR", "city": "Oslo"}
    assert home.fork(run, inputs=[{"name": "city", "value": "Rome"}]).outputs["a"].value == {
        "x": "Rome"
    }


def test_a_whole_plan_is_compared_step_by_step_and_by_the_source_of_functions(calls: Calls):
    home = portia()
    run = home.run_plan(chain(calls, "a", "b", "c"))
    calls.since()

    def louder(before: str) -> str:
        calls.append("louder")
        return before.upper()

    same = chain(calls, "a", "b", "c")
    with pytest.raises(InvalidPlanRunStateError, match="nothing differs"):
        home.fork(run, plan=same)
    edited = home.work_out_fork(run, "b", function=louder).plan
    home.fork(run, plan=edited)
    assert calls.since() == ["louder", "c"]
    home.fork(run, plan=chain(calls, "a", "b", "c", "d"))
    assert calls.since() == ["d"]


def test_arguments_that_a_function_holds_already_are_part_of_it(calls: Calls):
    home = portia()

    def plan(rate: int, other: object) -> Plan:
        builder = PlanBuilderV2()
        for name, given in {"rated": rate, "with_what_cannot_be_kept": other}.items():
            function = partial(calls.function(name), x=given)
            builder.function_step(function=function, step_name=name)
        return builder.build()

    assert plan(2, 1).content_hash() == plan(2, 1).content_hash()
    assert plan(2, object()).content_hash() == plan(2, object()).content_hash()
    run = home.run_plan(plan(2, 1))
    calls.since()
    forked = home.fork(run, plan=plan(3, 1))
    assert (calls.since(), forked.outputs["rated"].value) == (["rated"], {"x": 3})


def test_functions_without_source_are_told_apart_by_their_constants(calls: Calls):
    def plan(number: int) -> Plan:
        made: dict[str, Any] = {}
        exec(f"def answer(): return {number}", made)
        return PlanBuilderV2().function_step(function=made["answer"], step_name="a").build()

    home = portia()
    run = home.run_plan(plan(1))
    assert plan(1).content_hash() == plan(1).content_hash()
    assert home.fork(run, plan=plan(2)).outputs["a"].value == 2


def test_a_failed_run_is_forked_with_its_outputs_and_goes_on(calls: Calls):
    home = portia()
    works: list[bool] = []

    def fragile(before: str) -> str:
        calls.append("fragile")
        if not works:
            raise ValueError("broken")
        return before

    run = home.run_plan(
        PlanBuilderV2()
        .function_step(function=calls.function("a"), step_name="a")
        .function_step(function=fragile, args={"before": StepOutput("a")}, step_name="b")
        .build()
    )
    assert run.state is PlanRunState.FAILED
    works.append(True)
    assert home.fork(run).state is PlanRunState.COMPLETE
    assert calls.since() == ["a", "fragile", "fragile"]
    assert home.get_run(run.id).state is PlanRunState.FAILED


def test_a_run_under_way_can_be_forked():
    work, home = Work(is_async=False), portia()
    live = home.start_run(work.plan())
    assert work.started.wait(10)
    forked = home.start_fork(home.work_out_fork(live.id, "early", output="other"))
    work.gate.set()
    assert forked.done.result(10).outputs["late"].value == "other, long, late"
    assert live.done.result(10).outputs["late"].value == "early, long, late"
    assert work.calls.count("early") == 1


def test_a_fork_takes_over_values_that_only_this_process_has(tmp_path: Path, calls: Calls):
    home = portia(str(tmp_path))
    lock = threading.Lock()
    plan = (
        PlanBuilderV2()
        .function_step(function=calls.function("a", lambda: lock), step_name="a")
        .function_step(
            function=calls.function("b", lambda x: x is lock),
            args={"x": StepOutput("a")},
            step_name="b",
        )
        .build()
    )
    run = home.run_plan(plan)
    calls.since()
    assert home.fork(run, "b").outputs["b"].value is True
    assert calls.since() == ["b"]
    # By its id alone the value is gone; what may do more than read isn't repeated unasked.
    with pytest.raises(ValueNotKept, match=r"output of step 'a' .*lock\).* fork from 'a'"):
        home.fork(run.id, "b")
    assert home.fork(run.id, "b", edits={"a": {"output": lock}}).outputs["b"].value is True
    home.store.close()


def test_a_value_that_is_gone_is_made_anew_by_a_step_that_only_reads(tmp_path: Path, calls: Calls):
    home = portia(str(tmp_path))
    plan = (
        PlanBuilderV2()
        .function_step(
            function=calls.function("a", threading.Lock), step_name="a", side_effect=False
        )
        .function_step(
            function=calls.function("b", lambda x: x.locked()),
            args={"x": StepOutput("a")},
            step_name="b",
        )
        .function_step(
            function=calls.function("c", lambda x: x.locked()),
            args={"x": StepOutput("a")},
            step_name="c",
        )
        .build()
    )
    run = home.run_plan(plan)
    calls.since()
    fork = home.work_out_fork(run.id, "c")
    assert (fork.again, fork.reused) == (("a", "c"), ("b",))
    assert home.start_fork(fork).done.result(10).state is PlanRunState.COMPLETE
    assert calls.since() == ["a", "c"]
    home.store.close()


# -- the world -------------------------------------------------------------------------------------


def test_a_side_effect_that_is_not_touched_is_never_repeated(calls: Calls):
    home = portia()
    plan = (
        PlanBuilderV2()
        .function_step(function=calls.function("a"), args={"k": 1}, step_name="a")
        .function_step(function=calls.function("send"), step_name="send", side_effect=True)
        .function_step(function=calls.function("read"), step_name="read", side_effect=False)
        .build()
    )
    run = home.run_plan(plan)
    calls.since()
    fork = home.work_out_fork(run, "a")
    assert fork.takeover.changing == ()
    home.start_fork(fork).done.result(10)
    assert calls.since() == ["a"]
    # What comes after a change of the world that is made again may see it.
    fork = home.work_out_fork(run, "send")
    assert (fork.again, fork.takeover.changing) == (("send", "read"), ("send",))


def test_a_call_left_in_the_middle_is_asked_about_by_the_fork_too(calls: Calls):
    work, home = Work(is_async=False, effect=True), portia()
    live = home.start_run(work.plan())
    assert work.started.wait(10)
    forked = home.fork(live.id)
    (asked,) = forked.get_outstanding_clarifications()
    assert "'long' called" in asked.user_guidance
    # Named, it is called without that question: who approves it is told.
    text, _ = fork_approval(home.work_out_fork(live.id, "long"))
    assert text is not None and text.endswith(
        "may have been done, and would be called again: long."
    )
    unnamed, _ = fork_approval(home.work_out_fork(live.id))
    assert unnamed is not None and "may have been done" not in unnamed
    work.gate.set()
    live.done.result(10)
    assert work.calls.count("long") == 1


# -- questions -------------------------------------------------------------------------------------


def asking(calls: Calls) -> Plan:
    return (
        PlanBuilderV2()
        .user_input(message="Which city?", step_name="city")
        .function_step(
            function=calls.function("look"), args={"x": StepOutput("city")}, step_name="look"
        )
        .user_input(message="How many?", step_name="count")
        .build()
    )


def answer(home: Portia, run: PlanRun, response: str) -> PlanRun:
    (asked,) = run.get_outstanding_clarifications()
    return home.resume(home.resolve_clarification(asked, response))


def test_an_answer_is_reused_unless_its_step_runs_again(calls: Calls):
    home = portia()
    run = answer(home, home.run_plan(asking(calls)), "Oslo")
    run = answer(home, run, "two")
    assert run.state is PlanRunState.COMPLETE
    forked = home.fork(run, "look")
    assert forked.state is PlanRunState.COMPLETE
    assert [c.response for c in forked.outputs.clarifications] == ["Oslo", "two"]
    assert {c.plan_run_id for c in forked.outputs.clarifications} == {forked.id}
    forked = home.fork(run, "city")
    (asked,) = forked.get_outstanding_clarifications()
    assert asked.user_guidance == "Which city?"
    forked = answer(home, forked, "Rome")
    assert forked.state is PlanRunState.COMPLETE
    assert forked.outputs["look"].value == {"x": "Rome"}
    assert run.outputs["look"].value == {"x": "Oslo"}


def test_a_waiting_run_can_be_forked_and_its_fork_answered(calls: Calls):
    home = portia()
    run = answer(home, home.run_plan(asking(calls)), "Oslo")
    assert run.state is PlanRunState.NEED_CLARIFICATION
    forked = home.fork(run, "look", args={"x": "Rome"})
    assert forked.state is PlanRunState.NEED_CLARIFICATION
    assert answer(home, forked, "3").outputs["count"].value == "3"
    assert isinstance(home.get_run(run.id).get_outstanding_clarifications()[0], InputClarification)


# -- control flow ----------------------------------------------------------------------------------


def looped(calls: Calls) -> Plan:
    builder = PlanBuilderV2()
    builder.function_step(function=calls.function("unit", lambda: "m"), step_name="unit")
    builder.loop(over=["x", "y", "z"], step_name="each")
    builder.function_step(
        function=calls.function("get", lambda at: at * 2),
        args={"at": StepOutput("each")},
        step_name="get",
    )
    builder.function_step(
        function=calls.function("say", lambda got, unit: f"{got}{unit}"),
        args={"got": StepOutput("get"), "unit": StepOutput("unit")},
        step_name="say",
    )
    builder.end_loop()
    builder.function_step(
        function=calls.function("all", lambda said: said),
        args={"said": StepOutput("say", full=True)},
        step_name="all",
    )
    return builder.build()


@pytest.mark.parametrize(
    ("step", "runs"),
    [
        ("unit", ["unit", "say", "say", "say", "all"]),
        ("say", ["say", "say", "say", "all"]),
        ("each/say", ["say", "say", "say", "all"]),
        ("each[1]/get", ["get", "say", "all"]),
        ("each[1]", ["get", "say", "all"]),
        ("each", ["get", "say", "get", "say", "get", "say", "all"]),
        (2, ["all"]),
        (-1, ["all"]),
        ("$step_5_output", ["all"]),
    ],
)
def test_a_step_in_a_loop_runs_in_all_rounds_or_in_the_one_that_is_named(
    calls: Calls, step: str | int, runs: list[str]
):
    home = portia()
    run = home.run_plan(looped(calls))
    calls.since()
    forked = home.fork(run, step)
    assert calls.since() == runs
    assert forked.outputs["all"].value == ["xxm", "yym", "zzm"]


def test_one_rounds_output_can_be_given_by_hand(calls: Calls):
    home = portia()
    run = home.run_plan(looped(calls))
    calls.since()
    forked = home.fork(run, "each[1]/get", output="?")
    assert (calls.since(), forked.outputs["all"].value) == (["say", "all"], ["xxm", "?m", "zzm"])


def test_an_exit_is_reached_again(calls: Calls):
    home = portia()
    plan = (
        PlanBuilderV2()
        .function_step(function=calls.function("a", lambda k: k), args={"k": 1}, step_name="a")
        .if_(lambda x: x == 1, {"x": StepOutput("a")})
        .exit(message="left")
        .endif()
        .function_step(function=calls.function("b", lambda: "to the end"), step_name="b")
        .build()
    )
    run = home.run_plan(plan)
    assert run.final_output is not None
    assert run.final_output.value == "left"
    forked = home.fork(run, "a", args={"k": 2})
    assert calls.since() == ["a", "a", "b"]
    assert forked.final_output is not None
    assert forked.final_output.value == "to the end"
    again = home.fork(forked, "a", args={"k": 1})
    assert again.final_output is not None
    assert again.final_output.value == "left"


def test_what_is_seen_of_a_branch_from_outside_hangs_on_the_branch_that_is_taken(calls: Calls):
    home = portia()
    plan = (
        PlanBuilderV2()
        .function_step(function=calls.function("a", lambda k: k), args={"k": 1}, step_name="a")
        .if_(lambda x: x == 1, {"x": StepOutput("a")})
        .function_step(function=calls.function("in", lambda: "taken"), step_name="in")
        .endif()
        .function_step(
            function=calls.function("out", lambda x: x),
            args={"x": StepOutput("in")},
            step_name="out",
        )
        .build()
    )
    run = home.run_plan(plan)
    calls.since()
    forked = home.fork(run, "a", args={"k": 2})
    assert (calls.since(), forked.outputs["out"].value) == (["a", "out"], None)
    with pytest.raises(StepNotFoundError):
        forked.outputs["in"]
    # And back: what the branch had put out is gone, so it runs.
    again = home.fork(forked, "a", args={"k": 1})
    assert (calls.since(), again.outputs["out"].value) == (["a", "in", "out"], "taken")
    # In the branch that is taken again nothing runs again.
    home.fork(run, "a")
    assert calls.since() == ["a", "out"]


# -- refusals --------------------------------------------------------------------------------------


@dataclass
class Wrong:
    given: dict[str, Any]
    error: type[Exception]
    says: str


WRONG = [
    Wrong({"step": "bb"}, StepNotFoundError, "no step 'bb' in this plan: did you mean 'b'"),
    Wrong({"step": 7}, StepNotFoundError, "no step 7 in this plan, counted from 0: 0 a, 1 b"),
    Wrong({"step": "b[0]"}, StepNotFoundError, r"no step 'b\[0\]'"),
    Wrong({"step": "b", "argz": {}}, PlanError, r"'b' \(function\) has no field 'argz'.*'args'"),
    Wrong({"step": "b", "args": 7}, PlanError, "'b': args can't be that: a dict by argument"),
    Wrong({"step": "b", "retries": -1}, PlanError, "'b': retries can't be that: .* greater than"),
    Wrong({"step": "b", "name": "x"}, PlanError, "has no field 'name' to change"),
    Wrong({"inputs": {"curency": 1}}, PlanError, "no input 'curency': did you mean 'currency'"),
    Wrong({"output": 1}, PlanError, "output: of which step"),
    Wrong({}, InvalidPlanRunStateError, r"complete and nothing differs.*fork from \(a, b, c\)"),
    Wrong({"inputs": {"currency": "USD"}}, InvalidPlanRunStateError, "nothing differs"),
    Wrong({"step": "b", "args": {"before": StepOutput("z")}}, PlanCheckError, "'z'"),
    Wrong({"step": "a", "args": {"before": StepOutput("c")}}, PlanCheckError, "'?c'?"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.says[:30])
def test_what_cannot_be_forked_is_refused_before_anything_runs(calls: Calls, wrong: Wrong):
    home = portia()
    run = home.run_plan(chain(calls, "a", "b", "c"))
    calls.since()
    with pytest.raises(wrong.error, match=wrong.says):
        home.fork(run, **wrong.given)
    assert calls.since() == []
    assert len(home.store.find_runs()) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"step": StepOutput("b")}, "by its name or its index, not by StepOutput"),
        ({"step": True}, "by its name or its index, not by True"),
        ({"inputs": [1]}, r"^inputs is a dict of values by name"),
        ({"inputs": "EUR"}, r"^inputs is a dict of values by name"),
        ({"edits": ["b"]}, "edits is a dict by step of dicts by field"),
        ({"edits": {"b": 3}}, "edits is a dict by step of dicts by field"),
    ],
)
def test_what_is_given_in_another_shape_is_told_what_the_shape_is(
    calls: Calls, wrong: dict[str, Any], says: str
):
    home = portia()
    run = home.run_plan(chain(calls, "a", "b"))
    with pytest.raises((PlanError, StepNotFoundError), match=says):
        home.fork(run, **wrong)
    given = {"name": "currency", "value": "EUR"}
    assert home.fork(run, inputs=given).plan_run_inputs == {"currency": "EUR"}


def test_what_is_no_run_is_told_by_what_it_is(calls: Calls):
    home = portia()
    plan = chain(calls, "a", "b")
    run = home.run_plan(plan)
    for given, said in [(plan, "is a plan"), (str(plan.id), "is a plan"), (None, "None is none")]:
        for again in (home.fork, home.retry):
            with pytest.raises(PlanRunNotFoundError, match=rf"needs a run.*{said}$"):
                again(given, "b")  # pyright: ignore[reportArgumentType]
    mapped = home.map(plan, [{"currency": "EUR"}])
    with pytest.raises(PlanRunNotFoundError, match="is a map, which is many runs"):
        home.fork(mapped.id, "b")
    assert home.fork(str(run.id)[:18], "b").forked_from == run.id
    live = home.start_run(plan)
    live.done.result(10)
    assert home.fork(live, "b").forked_from == live.id  # pyright: ignore[reportArgumentType]


def test_a_run_that_is_not_there_cannot_be_forked():
    with pytest.raises(PlanRunNotFoundError):
        portia().fork("prun-00000000-0000-0000-0000-000000000000", "a")


async def test_the_async_twin_runs_coroutine_functions_on_the_callers_loop():
    import asyncio

    here, seen = asyncio.get_running_loop(), []

    async def work(k: int) -> int:
        seen.append(asyncio.get_running_loop() is here)
        return k

    home = portia()
    plan = PlanBuilderV2().function_step(function=work, args={"k": 1}, step_name="a").build()
    run = await home.arun_plan(plan)
    forked = await home.afork(run, "a", args={"k": 2})
    assert (forked.outputs["a"].value, seen) == (2, [True, True])


# -- tools, models, schemas ------------------------------------------------------------------------


@tool(side_effect=False)
def add(left: int, right: int = 0) -> int:
    """Add two numbers."""
    return left + right


@tool(side_effect=False)
def multiply(left: int, right: int = 1) -> int:
    """Multiply two numbers."""
    return left * right


def test_tools_can_be_exchanged_and_arguments_not_named_stay():
    home = Portia(Config(store="memory"), tools=[add()])
    run = home.run_plan(
        PlanBuilderV2()
        .invoke_tool_step(tool="add", args={"left": 2, "right": 3}, step_name="sum")
        .build()
    )
    assert home.fork(run, "sum", args={"right": 5}).outputs["sum"].value == 7
    forked = home.fork(run, "sum", tool=multiply(), output_schema=float)
    assert forked.outputs["sum"].value == 6.0
    assert home.work_out_fork(run, "sum", tool=multiply()).plan.step("sum").task == "Call multiply"
    with pytest.raises(PlanCheckError, match="multiply"):
        home.fork(run, "sum", tool="multiply")


@tool(side_effect=False)
def halve(whole: int) -> float:
    """Halve."""
    return whole / 2


def test_with_another_tool_go_arguments_that_it_does_not_take():
    home = Portia(Config(store="memory"), tools=[add(), halve()])
    run = home.run_plan(
        PlanBuilderV2()
        .invoke_tool_step(tool="add", args={"left": 2, "right": 3}, step_name="sum")
        .build()
    )
    for other in ("halve", halve(), halve):
        assert home.fork(run, "sum", tool=other, args={"whole": 9}).outputs["sum"].value == 4.5
    with pytest.raises(PlanCheckError, match="'wole' is not an argument: did you mean 'whole'"):
        home.fork(run, "sum", tool="halve", args={"wole": 9})
    with pytest.raises(PlanCheckError, match="argument 'whole' is missing"):
        home.fork(run, "sum", tool="halve")


# -- other processes -------------------------------------------------------------------------------

ELSEWHERE = """
import sys
from pathlib import Path
from portia_nb import *
from portia_nb.errors import FunctionsMissing

class City(__import__("pydantic").BaseModel):
    name: str

def find() -> City:
    print("find")
    return City(name="Oslo")

def look(city: City) -> str:
    print("look at", city.name)
    return city.name

def say(text: str) -> str:
    print("say", text)
    return text

def plan():
    return (
        PlanBuilderV2()
        .function_step(function=find, step_name="find")
        .function_step(function=look, args={"city": StepOutput("find")}, step_name="look")
        .function_step(function=say, args={"text": StepOutput("look")}, step_name="say")
        .build()
    )

portia = Portia(Config(store=sys.argv[1], default_log_level="ERROR"), tools=[])
run, built = sys.argv[3:] and sys.argv[3], None
for action in sys.argv[2].split(","):
    match action:
        case "run":
            print(portia.run_plan(plan()).id)
        case "missing":
            try:
                portia.fork(run, "look")
            except FunctionsMissing as error:
                print(error.names, error)
        case "given":
            portia.fork(run, "look", plan=plan())
        case "built":
            built = plan()
            print(portia.fork(run, "say").id)
        case "forget":
            portia.store.delete_run(run)
        case "show":
            shown = portia.resume(plan_run_id=run, plan=plan())
            print([output.value for output in shown.outputs.step_outputs.values()])
"""


def test_a_run_of_another_process_is_forked_with_its_plan_and_outlives_it(tmp_path: Path):
    path = tmp_path / "elsewhere.py"
    path.write_text(ELSEWHERE)

    def call(*words: str) -> list[str]:
        command = [sys.executable, str(path), str(tmp_path / "store"), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    *_, run = call("run")
    missing, *given, first, forked = call("missing,given,built,forget", run)
    assert missing.startswith("('look', 'say') run")
    assert missing.endswith("run the cell that builds the plan, then fork")
    assert given == ["look at Oslo", "say Oslo"]
    assert first == "say Oslo"
    # The fork's own record holds all that it took over: the first run is forgotten.
    assert call("show", forked) == ["[City(name='Oslo'), 'Oslo', 'Oslo']"]


# -- retry -----------------------------------------------------------------------------------------


def failing(calls: Calls, works: list[bool]) -> Plan:
    def fragile(before: Any, at: str = "first") -> str:
        calls.append("fragile")
        if not works and at == "first":
            raise ValueError("broken")
        return at

    return (
        PlanBuilderV2()
        .function_step(function=calls.function("a"), step_name="a")
        .function_step(function=fragile, args={"before": StepOutput("a")}, step_name="b")
        .function_step(function=calls.function("c"), args={"x": StepOutput("b")}, step_name="c")
        .build()
    )


def test_a_retry_goes_on_with_the_same_run_from_the_failed_step(calls: Calls):
    home, works = portia(), list[bool]()
    run = home.run_plan(failing(calls, works))
    works.append(True)
    calls.since()
    again = home.retry(run)
    assert (again.id, again.state, calls.since()) == (
        run.id,
        PlanRunState.COMPLETE,
        ["fragile", "c"],
    )


def test_a_retry_with_edits_is_a_fork_from_the_failed_step(calls: Calls):
    home = portia()
    run = home.run_plan(failing(calls, []))
    calls.since()
    again = home.retry(run, args={"at": "second"})
    assert (again.forked_from, again.outputs["b"].value) == (run.id, "second")
    assert calls.since() == ["fragile", "c"]
    assert home.get_run(run.id).state is PlanRunState.FAILED


def test_a_step_of_a_loop_that_failed_in_one_round_is_tried_again_by_its_name_and_changed():
    def look(x: int) -> int:
        if x == 2:
            raise ValueError("not two")
        return x

    home = portia()
    run = home.run_plan(
        PlanBuilderV2()
        .loop(over=[1, 2, 3], step_name="each")
        .function_step(function=look, args={"x": StepOutput("each")}, step_name="look")
        .end_loop()
        .function_step(
            function=lambda seen: seen, args={"seen": StepOutput("look", full=True)}, step_name="s"
        )
        .build()
    )
    assert home.failed_step(run, "look") == home.failed_step(run) == "each[1]/look"
    for named in (None, "look", "each/look", "each[1]/look"):
        changed = home.retry(run, named, function=lambda x: -x)
        assert changed.outputs["s"].value == [-1, -2, -3]
        assert home.retry(run, named, output=0).outputs["s"].value == [1, 0, 3]
    with pytest.raises(InvalidPlanRunStateError, match=r"what has: each\[1\]/look"):
        home.retry(run, "each[2]/look")


def test_only_what_failed_is_tried_again(calls: Calls):
    home = portia()
    failed = home.run_plan(failing(calls, []))
    complete = home.run_plan(chain(calls, "a", "b"))
    waiting = home.run_plan(asking(calls))
    calls.since()
    for run, step, says in (
        (
            complete,
            None,
            r"has not failed \(state: done\).* fork runs a step of a complete run",
        ),
        (waiting, None, r"has not failed \(state: needs you\).* answer its questions"),
        (failed, "a", r"'a' .* has not failed, it is done.*fork\(run, 'a'\)"),
        (failed, "c", "'c' .* has not failed; what has: b"),
    ):
        with pytest.raises(InvalidPlanRunStateError, match=says):
            home.retry(run, step)
    with pytest.raises(StepNotFoundError):
        home.retry(failed, "zz")
    assert calls.since() == []
    assert home.retry(failed, "b").state is PlanRunState.FAILED


class Spot(NamedTuple):
    name: str
    tags: list[str]


def test_a_fork_takes_over_values_as_their_classes_though_no_function_declares_them(tmp_path: Path):
    def find():
        return {"best": Spot("Oslo", ["cold"])}

    def tag(spots, given):
        spots["best"].tags.append("seen")
        return f"{spots['best'].tags} {given.name}"

    home = portia(str(tmp_path))
    plan = (
        PlanBuilderV2()
        .input(name="given")
        .function_step(function=find, step_name="find")
        .function_step(
            function=tag, args={"spots": StepOutput("find"), "given": Input("given")}, step_name="t"
        )
        .build()
    )
    run = home.run_plan(plan, plan_run_inputs={"given": Spot("Rome", [])})
    for forked in (home.fork(run, "t"), home.fork(home.fork(run, "t"), "t")):
        # The output is the kept one: what the old run's step did to it in place is not in it.
        assert forked.outputs["t"].value == "['cold', 'seen'] Rome"
    home.store.close()
