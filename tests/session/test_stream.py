"""N35: runs are friendly to Python: events as they come, frames, outputs by name; N15: diff."""

import asyncio
import copy
import dataclasses
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel

from portia_nb import LocalDataValue, Plan, PlanBuilderV2, PlanRun
from portia_nb.errors import InvalidPlanRunStateError, PlanRunNotFoundError

from .stage import Work, portia


class City(BaseModel):
    name: str


async def test_N35_a_run_in_the_background_is_followed_to_its_end():
    made, work = portia(), Work(is_async=False)
    live = made.start_run(work.plan())
    seen: list[str] = []
    seqs: list[int] = []
    async for recorded in made.stream(live.id):
        seen.append(recorded.event.kind)
        seqs.append(recorded.seq)
        if seen[-1] == "step_started" and seen.count("step_started") == 2:
            work.gate.set()  # only what comes after this could not have been there before
    assert (seen[0], seen[-1]) == ("run_created", "run_completed")
    assert seqs == list(range(1, len(seqs) + 1))


async def test_N35_a_run_that_ended_is_told_and_ends_its_stream():
    made = portia()
    run = await made.arun_plan(PlanBuilderV2().function_step(function=dict).build())
    told = [recorded async for recorded in made.stream(run)]
    assert copy.deepcopy(run) == run
    assert tuple(told) == run.events == made.get_run(run.id).events
    with pytest.raises(dataclasses.FrozenInstanceError):
        told[0].event.plan_id = "other"  # type: ignore[union-attr]


async def test_N35_who_leaves_the_stream_of_a_followed_run_does_not_stop_it():
    made, work = portia(), Work(is_async=False)
    live = made.start_run(work.plan())
    stream = made.stream(live.id)
    await anext(stream)
    await stream.aclose()
    work.gate.set()
    run = await asyncio.wrap_future(live.done)
    assert run.state == "COMPLETE"


async def test_N35_a_run_that_waits_ends_its_stream_and_one_that_is_not_there_is_named():
    made = portia()
    run = await made.arun_plan(PlanBuilderV2().user_input(message="Who?").build())
    told = [recorded.event.kind async for recorded in made.stream(str(run.id))]
    assert told[-1] == "run_waiting"
    with pytest.raises(PlanRunNotFoundError):
        await anext(made.stream("prun-00000000-0000-4000-8000-000000000000"))


def test_N35_the_steps_of_a_run_are_the_rows_of_a_frame():
    made = portia()
    builder = PlanBuilderV2().function_step(function=lambda: [1, 2], step_name="list")
    run = made.run_plan(builder.function_step(function=lambda: "x", step_name="text").build())
    table = run.to_frame()
    assert list(table.index) == ["list", "text"]
    assert table.loc["list", "value"] == [1, 2]
    assert table.loc["text", "output"] == "$step_1_output"
    assert (table["seconds"] >= 0).all()
    assert list(table["state"]) == ["done", "done"]
    assert list(table["error"]) == [None, None]
    loaded = PlanRun.model_validate_json(run.model_dump_json())
    assert list(loaded.to_frame()["value"]) == [[1, 2], "x"]
    with pytest.raises(InvalidPlanRunStateError, match="without its events"):
        _ = loaded.events


def test_N35_steps_without_an_output_are_rows_too_with_how_they_stand():
    tries = []

    def sometimes(item: int) -> int:
        tries.append(item)
        return 6 // item

    def plan(values: list[int]) -> Plan:
        builder = PlanBuilderV2("Divide").function_step(function=lambda: "a", step_name="first")
        with builder.loop(over=values, step_name="each") as item:
            builder.function_step(function=sometimes, args={"item": item}, step_name="share")
        return builder.function_step(function=lambda: "b", step_name="last").build()

    table = portia().run_plan(plan([3, 0, 2])).to_frame()
    assert list(table.columns) == [
        *("state", "output", "value", "summary", "reused", "seconds", "error"),
    ]
    assert dict(table["state"]) == {
        "first": "done",
        "each": "stopped",
        "share": "failed",
        "last": "waiting",
    }
    assert table.loc["share", "error"] == "ZeroDivisionError: integer division or modulo by zero"
    assert table.loc["last", ["value", "error"]].isna().all()
    assert table.loc["share", "seconds"] >= 0
    assert table["seconds"].isna()["last"]
    assert tries == [3, 0]


def test_N35_a_failed_run_that_was_loaded_has_a_row_for_the_step_it_failed_in():
    builder = PlanBuilderV2().function_step(function=lambda: 1, step_name="one")
    run = portia().run_plan(builder.function_step(function=lambda: 1 / 0, step_name="two").build())
    table = PlanRun.model_validate_json(run.model_dump_json()).to_frame()
    assert list(table["state"]) == ["done", "failed"]
    assert table.loc["two", "error"] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"name": ["Oslo", "Rome"]}),
        pd.Series(["Oslo", "Rome"], name="name"),
        [{"name": "Oslo"}, {"name": "Rome"}],
        [City(name="Oslo"), City(name="Rome")],
        {"name": ["Oslo", "Rome"]},
    ],
)
def test_N35_an_output_that_is_a_table_is_a_frame(value: Any):
    assert list(LocalDataValue(value=value).to_frame()["name"]) == ["Oslo", "Rome"]


@pytest.mark.parametrize("value", [7, "text", [], [1], {}, {"a": [1], "b": [1, 2]}])
def test_N35_an_output_that_is_no_table_says_so(value: Any):
    with pytest.raises(TypeError, match="no table"):
        LocalDataValue(value=value).to_frame()


async def test_N15_diff_is_what_compare_is():
    made = portia()
    args = {"word": "ab"}
    plan = (
        PlanBuilderV2()
        .function_step(function=lambda word: len(word), args=args, step_name="n")
        .build()
    )
    run = made.run_plan(plan)
    fork = made.fork(run, "n", args={"word": "abc"})
    assert made.diff(fork) == made.compare(run, fork) == await made.adiff(run, fork)
    assert made.diff(fork).differing == ("n",)
