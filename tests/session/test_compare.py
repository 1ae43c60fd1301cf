# Rows of the notebook face: N15.
"""Comparing two runs: what differs in plan, inputs, answers, outputs, and what each has cost."""

from __future__ import annotations

import html
import threading
from typing import Any

import pytest

from portia_nb import Config, Input, Plan, PlanBuilderV2, PlanRun, Portia, StepOutput
from portia_nb.errors import InvalidPlanRunStateError, PlanRunNotFoundError
from portia_nb.model.events import (
    AnyEvent,
    ModelReplied,
    Recorded,
    RunCompleted,
    RunCreated,
    RunStarted,
    RunStopped,
    StepDone,
    StepStarted,
)
from portia_nb.model.language import Usage
from portia_nb.session.comparison_shown import to_html
from portia_nb.storage.owner import this_process

from .stage import portia


def price(city: str, factor: int) -> dict[str, Any]:
    """Return what a night costs."""
    return {"city": city, "price": len(city) * factor}


def cheaper(first: dict[str, Any], second: dict[str, Any]) -> str:
    """Name the cheaper city."""
    return min(first, second, key=lambda each: each["price"])["city"]


def trip(second: str = "Paris", *, builder: PlanBuilderV2 | None = None) -> Plan:
    plan = builder or PlanBuilderV2("Where to?")
    plan.input(name="factor").function_step(
        function=price, args={"city": "Oslo", "factor": Input("factor")}, step_name="first"
    )
    plan.function_step(
        function=price, args={"city": second, "factor": Input("factor")}, step_name="second"
    )
    return plan.function_step(
        function=cheaper,
        args={"first": StepOutput("first"), "second": StepOutput("second")},
        step_name="cheaper",
    ).build()


def ran(p: Portia, plan: Plan, factor: int = 2) -> PlanRun:
    return p.run_plan(plan, plan_run_inputs={"factor": factor})


def hows(found: Any) -> dict[str, str]:
    return {step.path: step.how for step in found.steps}


def test_a_fork_differs_from_its_origin_in_the_edit_and_what_depends_on_it():
    p = portia()
    run = ran(p, trip())
    fork = p.fork(run, "second", args={"city": "Ulm"})
    found = p.compare(fork)
    assert (found.a.run_id, found.b.run_id) == (run.id, fork.id)
    assert (found.b.forked_from, found.a.forked_from) == (run.id, None)
    assert [tuple(change) for change in found.plan] == [("second", "edited", ("args.city",))]
    assert hows(found) == {"first": "equal", "second": "differs", "cheaper": "differs"}
    assert found.differing == ("second", "cheaper")
    assert (found.a.executed, found.b.executed, found.b.reused) == (3, 2, 1)
    assert (found.final.a, found.final.b, found.final.how) == ("Oslo", "Ulm", "differs")
    (factor,) = found.inputs
    assert (factor.name, factor.how, factor.b) == ("factor", "equal", 2)
    first = found.steps[0]
    assert first.a is not None
    assert first.b is not None
    assert (first.b.reused, first.b.attempts, first.b.seconds) == ("fork", 0, None)
    assert first.a.seconds is not None
    assert not found.is_same


def test_two_runs_of_one_plan_are_the_same():
    p = portia()
    plan = trip()
    found = p.compare(ran(p, plan), ran(p, plan))
    assert found.is_same
    assert found.plan == ()
    assert str(found).startswith("The two runs are the same")


def test_other_inputs_and_states_are_told():
    p = portia()
    plan = trip()
    found = p.compare(ran(p, plan), ran(p, plan, factor=3))
    assert [(each.name, each.how, each.a, each.b) for each in found.inputs] == [
        ("factor", "differs", 2, 3)
    ]
    # 8 and 12 crowns: the answer is the same all the same.
    assert hows(found) == {"first": "differs", "second": "differs", "cheaper": "equal"}
    failed = p.compare(ran(p, plan), p.run_plan(plan, plan_run_inputs={"factor": None}))
    assert (failed.a.state, failed.b.state) == ("COMPLETE", "FAILED")
    assert hows(failed)["first"] == "only in a"
    assert "done became failed" in str(failed)
    assert "failed" in str(failed)


def test_steps_that_only_one_plan_has_are_named():
    def more() -> int:
        return 1

    p = portia()
    longer = trip(builder=PlanBuilderV2("Where to?").function_step(function=more, step_name="more"))
    found = p.compare(ran(p, trip()), ran(p, longer))
    changes = {change.place: change.change for change in found.plan}
    assert changes["more"] == "added"
    assert hows(found)["more"] == "only in b"
    assert found.steps[0].path == "more"
    back = p.compare(ran(p, longer), ran(p, trip()))
    assert {change.place: change.change for change in back.plan}["more"] == "removed"
    assert hows(back)["more"] == "only in a"


def test_rounds_of_a_loop_are_compared_one_by_one():
    def double(item: int) -> int:
        return item * 2

    def plan(items: list[int]) -> Plan:
        builder = PlanBuilderV2().loop(over=items, step_name="each")
        builder.function_step(function=double, args={"item": StepOutput("each")}, step_name="twice")
        return builder.end_loop().build()

    p = portia()
    found = p.compare(p.run_plan(plan([1, 2])), p.run_plan(plan([1, 5, 6])))
    rounds = {path: how for path, how in hows(found).items() if "/" in path}
    assert rounds == {
        "each[0]/twice": "equal",
        "each[1]/twice": "differs",
        "each[2]/twice": "only in b",
    }
    assert list(rounds) == sorted(rounds)


def test_answers_are_compared_by_who_asked():
    def answered(answer: str) -> PlanRun:
        run = p.run_plan(plan)
        (question,) = run.get_outstanding_clarifications()
        return p.resume(p.resolve_clarification(question, answer, run))

    p = portia()
    plan = PlanBuilderV2().user_input(message="Where?", step_name="where").build()
    found = p.compare(answered("Oslo"), answered("Rome"))
    (answer,) = found.answers
    assert (answer.how, answer.a, answer.b) == ("differs", "Oslo", "Rome")
    assert answer.name.startswith("where")


def test_values_that_no_store_keeps_can_not_be_told_apart_unless_they_are_one():
    lock = threading.Lock()

    def thing(new: bool) -> Any:
        return threading.Lock() if new else lock

    p = portia()
    plan = PlanBuilderV2().function_step(function=thing, args={"new": True}, step_name="x").build()
    found = p.compare(p.run_plan(plan), p.run_plan(plan))
    assert hows(found) == {"x": "can't tell"}
    assert not found.is_same
    assert "? can't tell" in str(found)


def kept(p: Portia, run_id: str, replies: list[ModelReplied]) -> str:
    """Keep a run of 5 seconds that was stopped for 1,000, with `replies` on the bill."""
    plan = Plan.model_validate({"steps": [{"task": "t", "output": "$said"}]})
    hold = p.store.create_run(run_id, plan, owner=this_process())
    events: list[tuple[float, AnyEvent]] = [
        (0, RunCreated(plan.id, {})),
        (0, RunStarted()),
        (0, StepStarted("said")),
        *((1, reply) for reply in replies),
        (2, RunStopped()),
        (1_002, RunStarted()),
        (1_002, StepStarted("said", 2)),
        (1_005, StepDone("said", 2, "hello")),
        (1_005, RunCompleted("said")),
    ]
    for seq, (at, event) in enumerate(events, 1):
        p.store.append(hold, Recorded(seq, at, run_id, event))
    p.store.release(hold)
    return run_id


def test_cost_is_told_where_prices_are_known_and_planning_counts():
    p = portia()
    usage = Usage(input_tokens=1_000_000, output_tokens=100_000, calls=1)
    dear = [
        ModelReplied("", "planning", "openai/gpt-5.4", 0.1, usage),
        ModelReplied("said", "execution", "openai/gpt-5.4", 0.1, usage),
    ]
    unheard = [ModelReplied("said", "execution", "custom/unheard-of", 0.1, usage)]
    one = kept(p, "prun-00000000-0000-4000-8000-000000000001", dear)
    other = kept(p, "prun-00000000-0000-4000-8000-000000000002", unheard)
    found = p.compare(one, other)
    assert (found.a.model_calls, found.b.model_calls) == (2, 1)
    assert (found.a.input_tokens, found.a.output_tokens) == (2_000_000, 200_000)
    assert found.a.cost == pytest.approx(2 * (2.5 + 1.5))
    assert found.b.cost is None
    assert found.a.seconds == pytest.approx(5)
    assert found.steps[0].a is not None
    assert found.steps[0].a.model_calls == 1
    text = str(found)
    assert "$8.00" in text
    assert "unknown" in text


def test_text_and_html_show_what_others_wrote_as_text():
    def say(text: str) -> str:
        return text

    p = portia()
    evil = "<script>alert(1)</script>\x1b[31m\n\n# $x$ [a](http://b) " + "long " * 30
    plan = PlanBuilderV2().function_step(function=say, args={"text": "fine"}, step_name="s").build()
    run = p.run_plan(plan)
    found = p.compare(p.fork(run, "s", args={"text": evil}), run)
    shown, text = to_html(found), str(found)
    assert "<script" not in shown
    assert "\n" not in shown
    assert "\x1b" not in shown + text
    assert "&lt;script&gt;" in shown
    assert "http" not in shown.replace(html.escape("[a](http://b)"), "")
    assert all(len(line) < 200 for line in text.splitlines())


def test_of_long_texts_that_begin_alike_the_part_that_differs_is_shown():
    def say(text: str) -> str:
        return text

    p = portia()
    plan = PlanBuilderV2().function_step(function=say, args={"text": "x"}, step_name="s").build()
    runs = [
        p.fork(p.run_plan(plan), "s", args={"text": "a" * 500 + end + "b" * 500})
        for end in ("ONE", "TWO")
    ]
    text = str(p.compare(*runs))
    assert "ONE" in text
    assert "TWO" in text


def test_a_frame_has_a_row_for_each_step():
    p = portia()
    run = ran(p, trip())
    frame = p.compare(p.fork(run, "second", args={"city": "Ulm"})).to_frame()
    assert list(frame.index) == ["first", "second", "cheaper"]
    assert list(frame["output"]) == ["equal", "differs", "differs"]
    assert list(frame["plan"]) == ["", "edited", ""]
    assert list(frame["reused_b"]) == ["fork", "", ""]
    assert frame.loc["cheaper", "value_b"] == "Ulm"


def test_many_equal_steps_are_only_counted():
    def same(n: int) -> int:
        return n

    builder = PlanBuilderV2()
    for n in range(80):
        builder.function_step(function=same, args={"n": n}, step_name=f"step{n}")
    p = portia()
    run = p.run_plan(builder.build())
    text = str(p.compare(p.fork(run, "step3", args={"n": 99})))
    assert "79 steps more, without a difference" in text
    assert "step3 " in text
    assert "step44" not in text


async def test_the_async_twin_says_the_same():
    p = portia()
    plan = trip()
    one = await p.arun_plan(plan, plan_run_inputs={"factor": 2})
    other = await p.arun_plan(plan, plan_run_inputs={"factor": 3})
    assert await p.acompare(one, str(other.id)) == p.compare(one, other)


def test_what_can_not_be_compared_is_a_clear_error(tmp_path: Any):
    p = Portia(Config(store=str(tmp_path / "runs.db")), tools=[])
    run = ran(p, trip())
    with pytest.raises(InvalidPlanRunStateError, match="was not forked from another: name the run"):
        p.compare(run)
    with pytest.raises(PlanRunNotFoundError):
        p.compare(run, "prun-00000000-0000-4000-8000-000000000000")


def test_a_failed_run_has_no_final_output_to_compare_but_its_error():
    mended = False

    def total() -> int:
        if not mended:
            raise KeyError("revenue")
        return 30

    p = portia()
    plan = PlanBuilderV2("Total").function_step(function=total, step_name="total").build()
    failed = p.run_plan(plan)
    mended = True
    found = p.compare(failed, p.fork(failed, "total"))
    assert (found.final.how, found.final.b) == ("only in b", 30)
    assert "✗ failed" in str(found)
