"""Loops: over items, while a condition holds, one inside the other, stopped and gone on with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portia_nb import ExecutionHooks, Input, Plan, PlanBuilderV2, StepOutput
from portia_nb.model.run import StepState
from tests.planning.answers import Answering

from .stage import Stage


def each(over: Any, **more: Any) -> Plan:
    """Return a plan that doubles each item, then lists all that came of it."""
    builder = PlanBuilderV2()
    with builder.loop(over=over, step_name="each", **more) as item:
        builder.function_step(
            function=lambda item: None if item is None else item * 2,
            args={"item": item},
            step_name="double",
            side_effect=False,
        )
    builder.function_step(
        function=lambda **found: found,
        args={
            "last": StepOutput("double"),
            "all": StepOutput("double", full=True),
            "loop": StepOutput("each"),
            "rounds": StepOutput("each", full=True),
        },
        step_name="result",
    )
    return builder.build()


def counter(below: int, **kind: Any) -> PlanBuilderV2:
    """Return a builder with a loop that counts up, each round from the one before."""
    builder = PlanBuilderV2()
    (name,) = kind
    judge = {name: lambda n: (n or 0) < below}
    builder.loop(**judge, args={"n": StepOutput("count")}, step_name="counting")
    builder.function_step(
        function=lambda n: (n or 0) + 1, args={"n": StepOutput("count")}, step_name="count"
    )
    return builder.end_loop()


async def value_of(plan: Plan, **more: Any) -> Any:
    run = await Stage(plan, **more).run()
    assert run.state == "COMPLETE", run.error
    assert run.final_output is not None
    return run.final_output.value


@pytest.mark.parametrize("parallel", [False, True])
async def test_each_item_gets_a_round_none_among_them(parallel: bool) -> None:
    found = await value_of(each([1, None, 3], parallel=parallel))
    assert found == {"last": 6, "all": [2, None, 6], "loop": 6, "rounds": [2, None, 6]}


async def test_items_can_come_from_a_step_by_reference() -> None:
    builder = PlanBuilderV2()
    builder.function_step(function=lambda: {"rows": (1, 2)}, step_name="found")
    with builder.loop(over=StepOutput("found", path="rows")) as item:
        builder.function_step(function=lambda n: n + 1, args={"n": item}, step_name="add")
    assert await value_of(builder.build()) == 3


async def test_items_can_hold_references() -> None:
    builder = PlanBuilderV2()
    builder.function_step(function=lambda: 5, step_name="five")
    with builder.loop(over=[1, StepOutput("five")]) as item:
        builder.function_step(function=lambda n: n + 1, args={"n": item}, step_name="add")
    assert await value_of(builder.build()) == 6


async def test_rounds_go_in_turn() -> None:
    stage = Stage(each([1, 2]))
    await stage.run()
    assert stage.order[:9] == [
        "+each",
        "+each[0]",
        "+each[0]/double",
        "-each[0]/double",
        "-each[0]",
        "+each[1]",
        "+each[1]/double",
        "-each[1]/double",
        "-each[1]",
    ]


async def test_parallel_rounds_really_run_beside_each_other() -> None:
    meeting = asyncio.Barrier(3)

    async def meet(n: int) -> int:
        async with meeting:
            return n

    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2, 3], parallel=True) as item:
        builder.function_step(function=meet, args={"n": item}, step_name="meet")
    assert await value_of(builder.build()) == 3


async def test_parallel_rounds_keep_to_the_limit_of_parallel_steps() -> None:
    running = most = 0

    async def work(n: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    builder = PlanBuilderV2()
    with builder.loop(over=list(range(20)), parallel=True) as item:
        builder.function_step(function=work, args={"n": item}, step_name="work")
    await value_of(builder.build(), max_parallel_steps=3)
    assert most == 3


@pytest.mark.parametrize(("below", "count"), [(3, 3), (0, None)])
async def test_a_while_loop_judges_before_each_round(below: int, count: int | None) -> None:
    builder = counter(below, while_=True)
    builder.function_step(
        function=lambda n, every: (n, every),
        args={"n": StepOutput("count"), "every": StepOutput("count", full=True)},
    )
    assert await value_of(builder.build()) == (count, list(range(1, below + 1)))


@pytest.mark.parametrize(("below", "count"), [(3, 3), (0, 1)])
async def test_a_do_while_loop_judges_after_each_round(below: int, count: int) -> None:
    assert await value_of(counter(below, do_while_=True).build()) == count


async def test_the_number_of_the_round_is_a_while_loops_item() -> None:
    builder = PlanBuilderV2()
    builder.loop(while_=lambda n: n < 2, args={"n": StepOutput("rounds")}, step_name="rounds")
    builder.function_step(function=lambda n: f"round {n}", args={"n": StepOutput("rounds")})
    assert await value_of(builder.end_loop().build()) == "round 1"


async def test_a_model_may_judge_whether_a_loop_goes_on() -> None:
    model = Answering({"holds": True}, {"holds": True}, {"holds": False})
    builder = PlanBuilderV2()
    builder.loop(while_="It is not good enough yet", args={"draft": StepOutput("draft")})
    builder.function_step(
        function=lambda before: (before or "") + "x",
        args={"before": StepOutput("draft")},
        step_name="draft",
    )
    assert await value_of(builder.end_loop().build(), model=model) == "xx"
    assert len(model.requests) == 3


async def test_a_loop_without_end_fails_at_its_limit_and_says_so() -> None:
    builder = PlanBuilderV2()
    builder.loop(while_=True, step_name="forever", max_iterations=5)
    builder.function_step(function=lambda: 1, step_name="one")
    stage = Stage(builder.end_loop().build())
    run = await stage.run()
    assert run.state == "FAILED"
    assert run.error is not None
    assert "'forever'" in run.error.message
    assert "max_iterations" in run.error.message
    assert stage.order.count("+forever[4]/one") == 1
    assert "forever[5]/one" not in stage.state.steps


async def test_a_loop_over_more_items_than_its_limit_never_begins() -> None:
    stage = Stage(each(list(range(1001))))
    run = await stage.run()
    assert run.state == "FAILED"
    assert "each[0]" not in stage.state.steps


@pytest.mark.parametrize(
    ("value", "fact"), [("abc", "str"), ({"a": 1}, "dict"), (None, "empty list"), ({1}, "sorted")]
)
async def test_what_is_no_sequence_of_items_is_refused_with_a_hint(value: Any, fact: str) -> None:
    builder = PlanBuilderV2()
    builder.function_step(function=lambda: value, step_name="found")
    with builder.loop(over=StepOutput("found")):
        builder.function_step(function=lambda: 1)
    run = await Stage(builder.build()).run()
    assert run.state == "FAILED"
    assert run.error is not None
    assert fact in run.error.message


async def test_an_empty_loop_is_skipped_and_what_refers_to_it_gets_nothing() -> None:
    stage = Stage(each([]))
    run = await stage.run()
    assert stage.state.steps["each"].state is StepState.SKIPPED
    assert run.final_output is not None
    assert run.final_output.value == {"last": None, "all": [], "loop": None, "rounds": []}


def nested() -> PlanBuilderV2:
    builder = PlanBuilderV2()
    with builder.loop(over=["a", "b"], step_name="outer") as letter:
        with builder.loop(over=[1, 2], step_name="inner") as number:
            builder.function_step(
                function=lambda letter, number: f"{letter}{number}",
                args={"letter": letter, "number": number},
                step_name="join",
            )
        builder.function_step(
            function=lambda **found: found,
            args={"last": StepOutput("join"), "all": StepOutput("join", full=True)},
            step_name="row",
        )
    return builder


async def test_an_inner_loop_begins_anew_in_each_round_of_the_outer_one() -> None:
    builder = nested()
    builder.function_step(
        function=lambda joined, rows: (joined, rows),
        args={"joined": StepOutput("join", full=True), "rows": StepOutput("row", full=True)},
    )
    joined, rows = await value_of(builder.build())
    assert joined == ["a1", "a2", "b1", "b2"]
    assert rows == [{"last": "a2", "all": ["a1", "a2"]}, {"last": "b2", "all": ["b1", "b2"]}]


async def test_a_step_that_was_skipped_in_this_round_does_not_show_the_value_of_another() -> None:
    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2, 3]) as number:
        with builder.if_(lambda n: n != 2, {"n": number}):
            builder.function_step(function=lambda n: n, args={"n": number}, step_name="odd")
        builder.function_step(function=lambda n: n, args={"n": StepOutput("odd")}, step_name="seen")
    builder.function_step(function=lambda seen: seen, args={"seen": StepOutput("seen", full=True)})
    assert await value_of(builder.build()) == [1, None, 3]


async def test_one_plan_run_twice_at_once_gives_two_right_results() -> None:
    builder = PlanBuilderV2().input(name="items")
    gate = asyncio.Barrier(2)

    async def meet(item: str) -> str:
        async with gate:
            return item.upper()

    with builder.loop(over=Input("items")) as item:
        builder.function_step(function=meet, args={"item": item}, step_name="upper")
    builder.function_step(
        function=lambda every: "".join(every), args={"every": StepOutput("upper", full=True)}
    )
    plan = builder.build()
    before = plan.model_dump_json()
    found = await asyncio.gather(
        value_of(plan, inputs={"items": ["a", "b", "c"]}),
        value_of(plan, inputs={"items": ["x", "y", "z"]}),
    )
    assert found == ["ABC", "XYZ"]
    assert plan.model_dump_json() == before


async def test_a_failed_round_is_tried_again_by_itself() -> None:
    calls: list[int] = []

    def work(n: int) -> int:
        calls.append(n)
        if calls.count(2) == 1 and n == 2:
            raise OSError("once")
        return n

    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2, 3]) as item:
        builder.function_step(
            function=work, args={"n": item}, step_name="work", side_effect=False, retries=1
        )
    assert await value_of(builder.build()) == 3
    assert calls == [1, 2, 2, 3]


async def test_a_question_is_asked_in_each_round_and_each_answer_is_its_own() -> None:
    builder = PlanBuilderV2()
    with builder.loop(over=["a", "b"], step_name="each") as item:
        builder.user_input(message=f"What is {item}?", step_name="ask")
    builder.function_step(function=lambda said: said, args={"said": StepOutput("ask", full=True)})
    stage = Stage(builder.build())
    asked = []
    run = await stage.run()
    while run.state == "NEED_CLARIFICATION":
        (question,) = run.get_outstanding_clarifications()
        asked.append((question.path, question.user_guidance))
        stage.answer(question, question.user_guidance[-2])
        run = await stage.resume()
    assert asked == [("each[0]/ask", "What is a?"), ("each[1]/ask", "What is b?")]
    assert run.final_output is not None
    assert run.final_output.value == ["a", "b"]


async def test_parallel_rounds_ask_at_once() -> None:
    builder = PlanBuilderV2()
    with builder.loop(over=["a", "b"], step_name="each", parallel=True) as item:
        builder.user_input(message=f"What is {item}?", step_name="ask")
    stage = Stage(builder.build())
    run = await stage.run()
    questions = run.get_outstanding_clarifications()
    assert [q.path for q in questions] == ["each[0]/ask", "each[1]/ask"]
    for question in questions:
        stage.answer(question, "x")
    assert (await stage.resume()).state == "COMPLETE"


async def test_an_answer_while_it_waits_lets_a_loop_go_on_in_place() -> None:
    builder = PlanBuilderV2()
    with builder.loop(over=["a", "b"], step_name="each") as item:
        builder.user_input(message=f"What is {item}?", step_name="ask")
    stage = Stage(builder.build(), ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    for _ in range(2):
        await stage.until(lambda: stage.state.state == "NEED_CLARIFICATION")
        stage.answer(stage.questions[-1], "an answer")
        assert stage.state.steps["each"].state is not StepState.WAITING
    assert (await running).state == "COMPLETE"


async def test_a_resumed_loop_repeats_no_finished_step_and_judges_no_begun_round_again() -> None:
    calls: list[Any] = []
    broken = [True]

    def judge(n: int) -> bool:
        calls.append(f"judge {n}")
        return n < 3

    def work(n: int) -> int:
        calls.append(n)
        if n == 1 and broken:
            broken.clear()
            raise OSError("not yet")
        return n

    builder = PlanBuilderV2()
    builder.loop(while_=judge, args={"n": StepOutput("each")}, step_name="each")
    builder.function_step(
        function=lambda n: calls.append(f"first {n}"), args={"n": StepOutput("each")}
    )
    builder.function_step(function=work, args={"n": StepOutput("each")}, step_name="work")
    stage = Stage(builder.end_loop().build())
    assert (await stage.run()).state == "FAILED"
    assert stage.state.steps["each"].state is StepState.STOPPED
    calls.clear()
    run = await stage.resume()
    assert run.state == "COMPLETE"
    assert calls == [1, "judge 2", "first 2", 2, "judge 3"]


async def test_a_stopped_loop_is_shown_as_stopped_and_goes_on() -> None:
    gate = asyncio.Event()

    async def wait(n: int) -> int:
        if n == 2 and not gate.is_set():
            await asyncio.Event().wait()
        return n

    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2, 3], step_name="each") as item:
        builder.function_step(function=wait, args={"n": item}, step_name="wait")
    stage = Stage(builder.build())
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "+each[1]/wait" in stage.order)
    stage.executor.stop("a test")
    run = await running
    assert run.state == "READY_TO_RESUME"
    states = {path: record.state.value for path, record in stage.state.steps.items()}
    assert states == {
        "each": "stopped",
        "each[0]": "done",
        "each[0]/wait": "done",
        "each[1]": "stopped",
        "each[1]/wait": "stopped",
    }
    assert run.current_step_index == 0
    gate.set()
    run = await stage.resume()
    assert run.state == "COMPLETE"
    assert stage.order.count("+each[0]/wait") == 1


async def test_what_comes_after_a_loop_that_only_reads_does_not_wait_for_it() -> None:
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    async def open_gate() -> None:
        gate.set()

    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2]):
        builder.function_step(function=wait, side_effect=False)
    builder.function_step(function=open_gate, side_effect=False)
    assert await value_of(builder.build()) is None


async def test_a_loop_keeps_its_place_where_a_step_in_it_does() -> None:
    seen: list[str] = []
    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2]):
        builder.function_step(function=lambda: seen.append("in"))
    builder.function_step(function=lambda: seen.append("after"), side_effect=False)
    await value_of(builder.build())
    assert seen == ["in", "in", "after"]


async def test_a_call_with_side_effects_that_was_cut_off_in_a_round_is_asked_about() -> None:
    calls: list[int] = []
    reached = asyncio.Event()

    async def send(n: int) -> int:
        calls.append(n)
        if calls == [1, 2]:
            reached.set()
            await asyncio.Event().wait()
        return n

    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2, 3], step_name="each") as item:
        builder.function_step(function=send, args={"n": item}, step_name="send", side_effect=True)
    stage = Stage(builder.build())
    running = asyncio.create_task(stage.run())
    await reached.wait()
    stage.executor.stop("a test")
    await running
    run = await stage.resume()
    assert run.state == "NEED_CLARIFICATION"
    (question,) = run.get_outstanding_clarifications()
    assert (question.path, question.source) == ("each[1]/send", "uncertain")
    stage.answer(question, "it happened: go on without its output")
    run = await stage.resume()
    assert run.state == "COMPLETE"
    assert calls == [1, 2, 3]


async def test_each_call_with_side_effects_in_a_loop_is_approved_by_itself() -> None:
    calls: list[int] = []
    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2], step_name="each") as item:
        builder.function_step(
            function=lambda n: calls.append(n), args={"n": item}, step_name="send", side_effect=True
        )
    stage = Stage(builder.build(), gate=True)
    run = await stage.run()
    asked = []
    while run.state == "NEED_CLARIFICATION":
        (question,) = run.get_outstanding_clarifications()
        asked.append((question.path, question.subject["arguments"]))
        stage.answer(question, True)
        run = await stage.resume()
    assert asked == [("each[0]/send", {"n": 1}), ("each[1]/send", {"n": 2})]
    assert calls == [1, 2]


async def test_a_run_whose_process_died_in_the_middle_of_its_exit_ends_there() -> None:
    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2], step_name="each"):
        builder.exit("Enough", step_name="leave")
    builder.function_step(function=lambda: 1 / 0, step_name="after")
    stage = Stage(builder.build())
    await stage.run()
    cut = [e.kind for e in stage.events].index("step_done") + 1
    again = Stage(builder.build())
    again.state.id = stage.state.id
    for event in stage.events[1:cut]:
        again.emit(event)
    run = await again.resume()
    assert run.state == "COMPLETE", run.error
    assert run.final_output is not None
    assert run.final_output.value == "Enough"
    assert again.state.steps["after"].state is StepState.SKIPPED


async def test_hooks_see_steps_in_bodies_and_those_that_hold_them() -> None:
    seen: list[str] = []

    def before(plan: Any, run: Any, step: Any) -> Any:
        seen.append(f"+{step.name}")
        return "SKIP" if step.name == "skipped" else "CONTINUE"

    def after(plan: Any, run: Any, step: Any, output: Any) -> None:
        seen.append(f"-{step.name} {output.value}")

    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2], step_name="each") as item:
        builder.function_step(function=lambda n: n, args={"n": item}, step_name="work")
        builder.function_step(function=lambda: 1 / 0, step_name="skipped")
    hooks = ExecutionHooks(before_step_execution=before, after_step_execution=after)
    await value_of(builder.build(), hooks=hooks)
    assert seen == [
        "+each",
        *("+work", "-work 1", "+skipped"),
        *("+work", "-work 2", "+skipped"),
        "-each 2",
    ]
