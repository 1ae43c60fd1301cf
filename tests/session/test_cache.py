"""Steps that reuse what equal steps of other runs have put out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from pydantic import BaseModel

from portia_nb import (
    Config,
    ExecutionHooks,
    MultipleChoiceClarification,
    Plan,
    PlanBuilderV2,
    PlanRun,
    Portia,
    StepOutput,
    Tool,
    ToolRunContext,
    tool,
)
from portia_nb.errors import InvalidToolDescriptionError, PlanCheckError
from portia_nb.model.events import ModelReplied, StepDone
from tests.servers.openai_server import OpenAIServer

CALLS: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@pytest.fixture(params=["memory", "journal"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory" if request.param == "memory" else str(tmp_path / "store")


@tool(side_effect=False, cache=True)
def price(city: str, unit: str = "EUR") -> dict[str, Any]:
    """Look up a price."""
    CALLS["price"] += 1
    return {"city": city, "unit": unit, "n": CALLS["price"]}


@tool(side_effect=False)
def plain(city: str) -> str:
    """Look up a city."""
    CALLS["plain"] += 1
    return city


def twice(x: int) -> int:
    CALLS["twice"] += 1
    return 2 * x


def portia(store: str, **settings: Any) -> Portia:
    return Portia(Config(store=store, **settings), tools=[price(), plain()])


def asking(city: str, **more: Any) -> Plan:
    return (
        PlanBuilderV2()
        .invoke_tool_step(tool="price", args={"city": city}, step_name="a", **more)
        .build()
    )


def reused(home: Portia, run: PlanRun) -> dict[str, str]:
    events = [each.event for each in home.store.load_events(run.id)]
    return {event.path: event.reused for event in events if isinstance(event, StepDone)}


def test_an_equal_call_is_made_once_for_all_runs_of_a_store(store: str):
    home = portia(store)
    first = home.run_plan(asking("Oslo"))
    second = home.run_plan(asking("Oslo"))
    assert CALLS == {"price": 1}
    assert second.outputs["a"].value == first.outputs["a"].value
    assert (reused(home, first), reused(home, second)) == ({"a": ""}, {"a": "cache"})
    assert (first.reused, second.reused) == ((), ("$step_0_output",))
    # A default that is said is the same call; another value isn't.
    args = {"city": "Oslo", "unit": "EUR"}
    plan = PlanBuilderV2().invoke_tool_step(tool="price", args=args).build()
    home.run_plan(plan)
    assert CALLS == {"price": 1}
    home.run_plan(asking("Rome"))
    assert CALLS == {"price": 2}


def test_another_process_finds_it_and_forgetting_its_run_forgets_it(tmp_path: Path):
    first = portia(str(tmp_path))
    run = first.run_plan(asking("Oslo"))
    first.store.close()
    second = portia(str(tmp_path))
    assert second.run_plan(asking("Oslo")).outputs["a"].value == run.outputs["a"].value
    assert CALLS == {"price": 1}
    second.store.delete_run(run.id)
    second.run_plan(asking("Oslo"))
    assert CALLS == {"price": 2}
    second.store.close()


def test_only_who_asks_for_it_reuses(store: str):
    home = portia(store)
    for _ in range(2):
        home.run_plan(PlanBuilderV2().invoke_tool_step(tool="plain", args={"city": "x"}).build())
        home.run_plan(asking("Oslo", cache=False))
        home.run_plan(PlanBuilderV2().function_step(function=twice, args={"x": 2}).build())
    assert CALLS == {"plain": 2, "price": 2, "twice": 2}
    off = portia(store, cache=False) if store != "memory" else home.with_config(cache=False)
    off.run_plan(asking("Oslo"))
    off.run_plan(asking("Oslo"))
    assert CALLS["price"] == 4


def test_a_step_may_ask_for_it_by_itself_and_for_so_many_seconds(store: str):
    home = portia(store)

    def plan(cache: bool | float) -> Plan:
        return (
            PlanBuilderV2()
            .function_step(function=twice, args={"x": 2}, step_name="a", cache=cache)
            .function_step(function=twice, args={"x": StepOutput("a")}, step_name="b", cache=cache)
            .build()
        )

    assert home.run_plan(plan(True)).outputs["b"].value == 8
    assert home.run_plan(plan(3_600)).outputs["b"].value == 8
    assert CALLS == {"twice": 2}
    assert home.run_plan(plan(1e-9)).outputs["b"].value == 8
    assert CALLS == {"twice": 4}


def test_a_function_whose_source_changed_is_called(store: str):
    home = portia(store)

    def run(function: Any) -> Any:
        plan = PlanBuilderV2().function_step(function=function, args={"x": 2}, cache=True).build()
        final = home.run_plan(plan).final_output
        return None if final is None else final.value

    def once(x: int) -> int:
        return x + 1

    kept = once

    def once(x: int) -> int:
        return x + 2

    assert (run(kept), run(once), run(kept)) == (3, 4, 3)


def test_what_cannot_be_told_by_its_content_is_executed(store: str):
    home = portia(store)

    def count(x: Any) -> int:
        CALLS["count"] += 1
        return 1

    plan = PlanBuilderV2().function_step(function=lambda: object(), step_name="a")
    plan.function_step(function=count, args={"x": StepOutput("a")}, cache=True)
    for _ in range(2):
        home.run_plan(plan.build())
    assert CALLS == {"count": 2}


def test_what_a_tool_put_out_for_one_end_user_is_not_anothers(store: str):
    @tool(side_effect=False, cache=True)
    def mine(ctx: ToolRunContext) -> str:
        """Look up what somebody has."""
        return f"of {ctx.end_user.external_id}"

    home = portia(store)
    plan = PlanBuilderV2().invoke_tool_step(tool=mine, step_name="a").build()
    runs = [home.run_plan(plan, end_user=user) for user in ("ada", "bob", "ada")]
    assert [run.outputs["a"].value for run in runs] == ["of ada", "of bob", "of ada"]
    assert [bool(run.reused) for run in runs] == [False, False, True]
    # A tool that can't see for whom it works shares with all.
    assert [bool(home.run_plan(asking("Oslo"), end_user=u).reused) for u in "ab"] == [False, True]


def test_where_a_hook_may_change_a_call_it_is_made(store: str):
    def to_rome(_tool: Any, args: dict[str, Any], _run: PlanRun, _step: Any) -> None:
        args["city"] = "Rome"

    def city(home: Portia) -> str:
        return home.run_plan(asking("Oslo")).outputs["a"].value["city"]

    home = portia(store)
    hooks = ExecutionHooks(before_tool_call=to_rome)
    hooked = Portia(home.config, tools=home.tools, execution_hooks=hooks)
    hooked._parts.share(home._parts)
    assert [city(each) for each in (hooked, home, hooked)] == ["Rome", "Oslo", "Rome"]


def test_a_later_step_that_changes_an_output_in_place_does_not_change_what_is_shared(store: str):
    def add(x: dict[str, Any]) -> None:
        x["n"] += 100

    home = portia(store)
    builder = PlanBuilderV2().invoke_tool_step(tool="price", args={"city": "Oslo"}, step_name="a")
    builder.function_step(function=add, args={"x": StepOutput("a")})
    home.run_plan(builder.build())
    assert home.run_plan(asking("Oslo")).outputs["a"].value["n"] == 1


def test_an_equal_prompt_asks_the_model_once(tmp_path: Path):
    with OpenAIServer(["one", "two", "three"]) as server:
        home = portia(str(tmp_path), base_url=server.url, openai_api_key="sk-test")

        def run(task: str, model: str = "openai/any") -> PlanRun:
            builder = PlanBuilderV2().llm_step(task=task, model=model, cache=True, step_name="a")
            return home.run_plan(builder.build())

        first = run("Say a word")
        again = run("Say a word")
        assert (first.outputs["a"].value, again.outputs["a"].value) == ("one", "one")
        assert len(server.requests) == 1
        kinds = [type(each.event) for each in home.store.load_events(again.id)]
        assert ModelReplied not in kinds
        assert run("Say another word").outputs["a"].value == "two"
        assert run("Say a word", "openai/other").outputs["a"].value == "three"
        assert run("Say a word").outputs["a"].value == "one"
    home.store.close()


def test_a_step_that_failed_shares_nothing(store: str):
    home = portia(store)
    works: list[bool] = []

    def fragile(x: int) -> int:
        if not works:
            raise ValueError("broken")
        return x

    plan = PlanBuilderV2().function_step(function=fragile, args={"x": 1}, cache=True).build()
    assert home.run_plan(plan).state == "FAILED"
    works.append(True)
    assert home.run_plan(plan).state == "COMPLETE"


def test_what_changes_the_world_is_never_left_out():
    with pytest.raises(InvalidToolDescriptionError, match="cache and side_effect=True"):

        @tool(side_effect=True, cache=True)
        def send() -> None:
            """Send."""

    with pytest.raises(PlanCheckError, match="it has cache, and what changes the world"):
        PlanBuilderV2().function_step(
            function=twice, args={"x": 1}, side_effect=True, cache=True
        ).build()

    @tool(side_effect=True)
    def post() -> None:
        """Post."""

    builder = PlanBuilderV2().invoke_tool_step(tool=post, cache=True)
    with pytest.raises(PlanCheckError, match="its tool 'post' changes the world"):
        builder.build()
    # A step that says more than its tool.
    home = portia("memory")
    for _ in range(2):
        home.run_plan(asking("Oslo", side_effect=True))
    assert CALLS == {"price": 2}


def test_a_fork_of_a_reused_output_and_a_plan_with_cache_print_and_load(store: str):
    home = portia(store)
    plan = asking("Oslo", cache=60.0)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert Plan.model_validate_json(plan.model_dump_json()).content_hash() == plan.content_hash()
    home.run_plan(asking("Oslo"))
    run = home.run_plan(plan)
    assert reused(home, run) == {"a": "cache"}
    home.fork(run, "a", args={"city": "Rome"})
    assert CALLS == {"price": 2}


def _rated(rate: int) -> Any:
    def convert(x: int) -> int:
        CALLS["convert"] += 1
        return x * rate

    return convert


def _by_default(rate: int) -> Any:
    def convert(x: int, by: int = rate) -> int:
        CALLS["convert"] += 1
        return x * by

    return convert


def _convert(x: int, by: int) -> int:
    CALLS["convert"] += 1
    return x * by


class Rate:
    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.used = 0

    def convert(self, x: int) -> int:
        self.used += 1
        CALLS["convert"] += 1
        return x * self.rate

    __call__ = convert


# fmt: off
_TWO = {2: lambda x: CALLS.update(["convert"]) or x * 2, 3: lambda x: CALLS.update(["convert"]) or x * 3}  # noqa: E501
# fmt: on


def _without_source(rate: int) -> Any:
    return FunctionType(_TWO[rate].__code__.replace(co_filename="<none>"), globals(), "convert")


SEEN: dict[str, Any] = {
    "in a closure": _rated,
    "as a default": _by_default,
    "in a partial": lambda rate: partial(_convert, by=rate),
    "in the object of a method": lambda rate: Rate(rate).convert,
    "in the object that is called": Rate,
    "as one of two lambdas on a line": lambda rate: _TWO[rate],
    "without any source": _without_source,
}


@pytest.mark.parametrize("made", SEEN.values(), ids=SEEN)
def test_what_a_function_sees_beside_its_arguments_counts(made: Any):
    home = portia("memory")

    def run(rate: int) -> Any:
        plan = PlanBuilderV2().function_step(
            function=made(rate), args={"x": 10}, step_name="a", cache=True
        )
        return home.run_plan(plan.build()).outputs["a"].value

    assert [run(2), run(3), run(2), run(3)] == [20, 30, 20, 30]
    assert CALLS == {"convert": 2}


def _tool_in_a_closure(rate: int) -> Any:
    @tool(side_effect=False, cache=True)
    def convert(x: int) -> int:
        """Convert."""
        CALLS["convert"] += 1
        return x * rate

    return convert()


class X(BaseModel):
    x: int


class Converter(Tool[int]):
    id: str = "convert"
    name: str = "Convert"
    description: str = "Convert."
    args_schema: type[BaseModel] = X
    side_effect: bool | None = False
    cache: bool | float = True
    rates: dict[str, int]

    def run(self, ctx: ToolRunContext, x: int) -> int:
        CALLS["convert"] += 1
        return x * self.rates["EUR"]


@pytest.mark.parametrize(
    "made", [_tool_in_a_closure, lambda rate: Converter(rates={"EUR": rate})], ids=["@tool", "Tool"]
)
def test_what_a_tool_sees_beside_its_arguments_counts(made: Any):
    def run(rate: int) -> Any:
        plan = PlanBuilderV2().invoke_tool_step(tool=made(rate), args={"x": 10}, step_name="a")
        return home.run_plan(plan.build()).outputs["a"].value

    home = portia("memory")
    assert [run(2), run(3), run(2), run(3)] == [20, 30, 20, 30]
    assert CALLS == {"convert": 2}


def test_what_a_call_changes_itself_makes_it_no_other_call():
    noted: list[int] = []
    counted = {"calls": 0}
    prices = {"hat": 1}

    def note(x: int) -> dict[str, int]:
        noted.append(x)
        counted["calls"] += 1
        made = {}
        made["x"] = x * prices["hat"]
        return made

    plan = PlanBuilderV2().function_step(function=note, args={"x": 1}, step_name="a", cache=True)
    home = portia("memory")
    assert [home.run_plan(plan.build()).outputs["a"].value for _ in range(2)] == [{"x": 1}] * 2
    assert (noted, counted) == ([1], {"calls": 1})
    prices["hat"] = 2  # which the function only reads
    assert home.run_plan(plan.build()).outputs["a"].value == {"x": 2}


@tool(side_effect=False, cache=True)
def balance(ctx: ToolRunContext, on: str) -> Any:
    """Tell the balance of the account that a person chooses."""
    CALLS["balance"] += 1
    if not ctx.clarifications:
        return MultipleChoiceClarification(
            argument_name="account", user_guidance="Which account?", options=("mine", "hers")
        )
    return f"{ctx.clarifications[0].response} on {on}"


def test_what_one_person_has_answered_is_no_other_persons_output(store: str):
    plan = PlanBuilderV2().invoke_tool_step(tool=balance(), args={"on": "Monday"}, step_name="a")
    said: list[Any] = []
    for account in ("mine", "hers"):
        home = portia(store)
        run = home.run_plan(plan.build())
        (question,) = run.get_outstanding_clarifications()
        home.resolve_clarification(question, account, run)
        said.append(home.resume(run).outputs["a"].value)
        home.store.close()
    assert said == ["mine on Monday", "hers on Monday"]
    assert CALLS == {"balance": 4}


def test_a_step_that_a_fork_names_is_done_again_and_its_new_output_is_shared(store: str):
    home = portia(store)
    run = home.run_plan(asking("Oslo"))
    forked = home.fork(run, "a")
    assert (CALLS["price"], forked.outputs["a"].value["n"]) == (2, 2)
    assert home.run_plan(asking("Oslo")).outputs["a"].value["n"] == 2
    home.fork(run, "a", args={"city": "Rome"})
    # Another step by now: one that is equal to it may have done the work.
    assert home.fork(run, "a", args={"city": "Rome"}).outputs["a"].value["n"] == 3
    assert CALLS == {"price": 3}


@dataclass
class City:
    name: str


@dataclass
class Nameless:
    name: str


@tool(side_effect=False, cache=True)
def city() -> list[City]:
    """Tell the cities, as what they are."""
    CALLS["city"] += 1
    return [City("Oslo")]


def nameless():
    CALLS["nameless"] += 1
    return {"city": Nameless("Rome")}


def test_an_output_comes_from_the_cache_as_what_it_was_or_is_made_again(store: str):
    plan = (
        PlanBuilderV2()
        .invoke_tool_step(tool="city", step_name="told")
        .function_step(function=nameless, step_name="untold", cache=True)
        .build()
    )
    home = Portia(Config(store=store), tools=[city])
    for _ in range(2):
        outputs = home.run_plan(plan).outputs
        assert outputs["told"].value == [City("Oslo")]
        assert outputs["untold"].value == {"city": Nameless("Rome")}
    # Nobody says that the second one returns what it does, so that one could not be made of it.
    assert CALLS == {"city": 1, "nameless": 2}
