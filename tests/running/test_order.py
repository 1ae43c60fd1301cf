"""In which order steps start, and that what may run beside each other does."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from portia_nb import PlanBuilderV2, StepOutput
from portia_nb.model.order import waits

from .stage import Stage, nothing, plan_of


async def test_a_step_starts_when_the_steps_that_it_refers_to_are_done() -> None:
    gate = asyncio.Event()

    async def last() -> None:
        gate.set()

    async def wait_for_last() -> None:
        await gate.wait()

    stage = Stage(plan_of(a=wait_for_last, b=nothing, join=(nothing, ["a", "b"]), last=last))
    run = await stage.run()
    assert run.state == "COMPLETE"
    order = stage.order
    assert order.index("+join") > max(order.index("-a"), order.index("-b"))


async def test_steps_that_only_read_really_run_at_the_same_time() -> None:
    meeting = asyncio.Barrier(3)

    async def meet() -> None:
        async with meeting:
            pass

    run = await Stage(plan_of(a=meet, b=meet, c=meet)).run()
    assert run.state == "COMPLETE"


async def test_plain_functions_really_run_at_the_same_time_on_threads() -> None:
    meeting = threading.Barrier(12)

    def meet() -> None:
        meeting.wait(10)

    run = await Stage(plan_of(**{f"s{i}": meet for i in range(12)})).run()
    assert run.state == "COMPLETE", run.error


async def test_an_undeclared_step_keeps_its_place() -> None:
    stage = Stage(plan_of(a=nothing, b_undeclared=nothing, c=nothing))
    await stage.run()
    assert stage.order == ["+a", "-a", "+b_undeclared", "-b_undeclared", "+c", "-c"]


async def test_a_step_with_effects_keeps_its_place_whatever_is_assumed() -> None:
    stage = Stage(plan_of(a=nothing, b_changing=nothing, c=nothing), assume_side_effects=False)
    await stage.run()
    assert stage.order == ["+a", "-a", "+b_changing", "-b_changing", "+c", "-c"]


async def test_a_setting_frees_undeclared_steps() -> None:
    stage = Stage(
        plan_of(a_undeclared=nothing, b_undeclared=nothing, c_undeclared=nothing),
        assume_side_effects=False,
    )
    await stage.run()
    assert stage.order[:3] == ["+a_undeclared", "+b_undeclared", "+c_undeclared"]


async def test_one_step_at_a_time_runs_in_plan_order() -> None:
    stage = Stage(plan_of(c=nothing, a=nothing, b=nothing), max_parallel_steps=1)
    await stage.run()
    assert stage.order == ["+c", "-c", "+a", "-a", "+b", "-b"]


async def test_no_more_steps_run_at_once_than_the_setting_says() -> None:
    running, most = 0, 0

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await Stage(plan_of(**{f"s{i}": count for i in range(20)}), max_parallel_steps=3).run()
    assert most == 3


async def test_after_makes_a_step_wait_without_taking_anything() -> None:
    plan = (
        PlanBuilderV2()
        .function_step(function=nothing, step_name="a", side_effect=False)
        .function_step(function=nothing, step_name="b", side_effect=False, after=["a"])
        .build()
    )
    stage = Stage(plan)
    await stage.run()
    assert stage.order == ["+a", "-a", "+b", "-b"]


async def test_a_plan_runs_many_times_at_once() -> None:
    meeting = asyncio.Barrier(2)

    async def meet() -> str:
        async with meeting:
            return "met"

    plan = plan_of(a=meet, b=(nothing, ["a"]))
    runs = await asyncio.gather(Stage(plan).run(), Stage(plan).run())
    assert [run.outputs["a"].value for run in runs] == ["met", "met"]


async def test_what_a_step_sets_in_its_context_no_other_step_sees() -> None:
    import contextvars

    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    async def set_it() -> None:
        who.set("me")

    async def read_it() -> str:
        return who.get()

    run = await Stage(plan_of(a=set_it, b=(read_it, ["a"]))).run()
    assert run.outputs["b"].value == "nobody"


async def test_the_final_output_is_that_of_the_last_step_in_the_plan() -> None:
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "slow"

    async def quick() -> str:
        gate.set()
        return "quick"

    run = await Stage(plan_of(a=slow, b=quick)).run()
    assert list(run.outputs.step_outputs) == ["$step_0_output", "$step_1_output"], "in plan order"
    assert run.final_output is not None and run.final_output.value == "quick"


async def test_before_a_call_that_may_change_something_all_is_kept() -> None:
    stage = Stage(plan_of(reads=nothing, writes_changing=nothing))
    called_at: list[int] = []

    async def note() -> None:
        called_at.append(len(stage.events))

    plan = plan_of(reads=note, writes_changing=note)
    stage = Stage(plan)
    await stage.run()
    assert called_at[0] not in stage.kept_at, "a reading call doesn't wait for the store"
    assert called_at[1] in stage.kept_at
    assert stage.kept_at[-1] == len(stage.events), "all is kept before the run returns"


@pytest.mark.parametrize("seed", range(25))
async def test_in_a_random_graph_every_step_waits_for_what_it_needs_and_all_run(seed: int) -> None:
    import random

    chance = random.Random(seed)
    builder = PlanBuilderV2()
    for i in range(chance.randint(1, 40)):
        needs = chance.sample(range(i), min(i, chance.randint(0, 3)))

        async def work(**_: Any) -> None:
            for _turn in range(chance.randint(0, 3)):
                await asyncio.sleep(0)

        builder.function_step(
            function=work,
            args={f"n{n}": StepOutput(n) for n in needs},
            step_name=f"s{i}",
            side_effect=chance.choice([False, False, None, True]),
        )
    plan = builder.build()
    stage = Stage(plan, max_parallel_steps=chance.choice([2, 5, 64]))
    run = await stage.run()
    assert run.state == "COMPLETE"
    assert sorted(stage.order) == sorted(f"{m}{s.name}" for s in plan.steps for m in "+-")
    needed = waits(plan, lambda step: step.side_effect)
    at = {mark: i for i, mark in enumerate(stage.order)}
    for name, (data, place) in needed.items():
        assert all(at[f"+{name}"] > at[f"-{other}"] for other in (*data, *place))
