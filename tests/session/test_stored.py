"""`Portia.storage`: what is kept, by the reference's names; and examples for the planner."""

from __future__ import annotations

from typing import Any

import pytest

from portia_nb import (
    Config,
    Plan,
    PlanBuilderV2,
    PlanNotFoundError,
    PlanRun,
    PlanRunState,
    Portia,
    StorageError,
    tool,
)
from portia_nb.model.language import ModelReply, ModelRequest, Usage

from .stage import portia

STOCKS = "Which stock price grew faster, Amazon or Google?"


@tool(side_effect=False)
def look_up(company: str) -> str:
    """Look a company up."""
    if company == "Nobody":
        raise RuntimeError("no such company")
    return company


def plan_for(query: str, company: str = "Amazon", tool_id: str = "look_up") -> Plan:
    return (
        PlanBuilderV2(query)
        .invoke_tool_step(tool=tool_id, args={"company": company}, step_name="found")
        .build()
    )


class Planner:
    """A model that plans one call of `look_up`, and keeps what it was asked."""

    name = "test/planner"

    def __init__(self) -> None:
        self.prompts: list[str] = []

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.prompts.append("\n".join(str(m.content) for m in request.messages))
        step = {
            "task": "Look it up", "inputs": [], "tool_id": "look_up", "output": "$found",
            "args": {"company": "Apple"}, "condition": None,
        }  # fmt: skip
        data = {"steps": [step], "error": None}
        return ModelReply(text="", data=data, model=self.name, usage=Usage(calls=1))


def planning(**settings: Any) -> tuple[Portia, Planner]:
    planner = Planner()
    config = Config(store="memory", planning_model=planner, **settings)
    return Portia(config, tools=[look_up()]), planner


def test_plans_are_found_by_id_and_by_query():
    storage = portia().storage
    plan, later = plan_for(STOCKS), plan_for(STOCKS, "Google")
    storage.save_plan(plan)
    assert storage.plan_exists(plan.id)
    assert not storage.plan_exists(later.id)
    assert storage.get_plan(plan.id) == plan
    storage.save_plan(later)
    assert storage.get_plan_by_query(STOCKS).id == later.id
    with pytest.raises(PlanNotFoundError, match=r"Who\?"):
        storage.get_plan_by_query("Who?")


async def test_each_method_has_an_async_twin():
    storage = portia().storage
    names = [name for name in dir(storage) if not name.startswith("_") and name != "close"]
    plain = [name for name in names if f"a{name}" in names]
    assert sorted(names) == sorted([*plain, *(f"a{name}" for name in plain)])
    plan = plan_for(STOCKS)
    await storage.asave_plan(plan)
    assert await storage.aget_plan(plan.id) == plan
    assert await storage.aplan_exists(plan.id)
    assert (await storage.aget_plan_by_query(STOCKS)).id == plan.id
    assert await storage.aget_similar_plans(STOCKS) == [plan]
    assert (await storage.aget_plan_runs()).count == 0
    run = PlanRun(plan_id=plan.id)
    await storage.asave_plan_run(run)
    assert await storage.aget_plan_run(run.id) == run


def test_runs_come_newest_first_ten_a_page():
    ours = portia()
    plan = PlanBuilderV2().function_step(function=lambda: 1).build()
    ids = [ours.run_plan(plan).id for _ in range(11)]
    first, second = ours.storage.get_plan_runs(), ours.storage.get_plan_runs(page=2)
    assert [run.id for run in (*first.results, *second.results)] == ids[::-1]
    assert (first.count, first.total_pages, second.current_page) == (11, 2, 2)
    assert ours.storage.get_plan_runs(PlanRunState.FAILED).results == []
    with pytest.raises(ValueError, match="the first page is 1"):
        ours.storage.get_plan_runs(page=0)


def test_what_happened_is_not_written_over():
    ours = portia()
    run = ours.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())
    ours.storage.save_plan_run(run)
    with pytest.raises(StorageError, match="can't be written over"):
        ours.storage.save_plan_run(run.model_copy(update={"state": PlanRunState.FAILED}))
    assert ours.get_run(run.id) == run


def test_similar_plans_are_found_likest_first_and_one_for_each_query():
    storage = portia().storage
    near = plan_for("Which stock price grew faster in 2024, Apple or Meta?")
    far = plan_for("What is the weather in Oslo?")
    older, same = plan_for(STOCKS), plan_for(STOCKS, "Google")
    for plan in (near, older, far, same):
        storage.save_plan(plan)
    assert [plan.id for plan in storage.get_similar_plans(STOCKS)] == [same.id, near.id]
    assert [p.id for p in storage.get_similar_plans(STOCKS, threshold=0.95)] == [same.id]
    assert [p.id for p in storage.get_similar_plans(STOCKS, limit=1)] == [same.id]
    assert len(storage.get_similar_plans(STOCKS, threshold=0.0)) == 3


def test_the_planner_sees_similar_plans_only_where_it_is_asked_for():
    ours, planner = planning()
    ours.storage.save_plan(plan_for(STOCKS))
    ours.plan(STOCKS.replace("Amazon", "Apple"))
    assert '"example_plans"' not in planner.prompts[-1]
    ours.plan(STOCKS.replace("Amazon", "Meta"), example_plans="similar")
    assert '"example_plans"' in planner.prompts[-1]
    assert STOCKS in planner.prompts[-1]

    always, planner = planning(use_similar_plans=True)
    always.storage.save_plan(plan_for(STOCKS))
    always.plan(STOCKS.replace("Amazon", "Apple"))
    assert STOCKS in planner.prompts[-1]
    always.plan(STOCKS.replace("Amazon", "Meta"), example_plans=[])
    assert '"example_plans"' not in planner.prompts[-1]
    always.plan("Write a poem about autumn")
    assert '"example_plans"' not in planner.prompts[-1]


def test_a_plan_that_can_not_show_how_is_no_example():
    ours, planner = planning(use_similar_plans=True)
    failing = plan_for(STOCKS.replace("Amazon", "Nobody"), company="Nobody")
    assert ours.run_plan(failing).state == "FAILED"
    ours.storage.save_plan(plan_for(STOCKS.replace("Amazon", "Elsewhere"), tool_id="another"))
    own = PlanBuilderV2(STOCKS).function_step(function=lambda: 1).build()
    ours.storage.save_plan(own)
    ours.plan(STOCKS)
    assert '"example_plans"' not in planner.prompts[-1]


def test_one_plan_or_one_id_is_an_example_too():
    ours, planner = planning()
    plan = plan_for(STOCKS)
    ours.storage.save_plan(plan)
    for given in (plan, plan.id, [plan], [plan.id]):
        ours.plan("Look Apple up", example_plans=given)
        assert STOCKS in planner.prompts[-1]
