"""Resume, retry and fork with tools that were mended, are gone, or take other arguments by now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from portia_nb import (
    Config,
    Plan,
    PlanBuilderV2,
    PlanRun,
    PlanRunState,
    Portia,
    StepOutput,
    Tool,
    tool,
)
from portia_nb.errors import PlanCheckError


class Shop:
    """Tools that note their calls; `sell` fails until it is mended."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def find(self) -> Tool[Any]:
        @tool(side_effect=False)
        def find(what: str) -> str:
            """Find a thing."""
            self.calls.append("find")
            return f"a {what}"

        return find()

    def find_in(self) -> Tool[Any]:
        @tool(side_effect=False)
        def find(thing: str, place: str) -> str:
            """Find a thing in a place."""
            raise AssertionError("it is done")

        return find()

    def sell(self, *, mended: bool) -> Tool[Any]:
        @tool
        def sell(what: str) -> str:
            """Sell a thing."""
            self.calls.append("mended" if mended else "broken")
            if not mended:
                raise ValueError("the till is stuck")
            return f"sold {what}"

        return sell()

    def plan(self) -> Plan:
        return (
            PlanBuilderV2()
            .invoke_tool_step(tool="find", args={"what": "hat"}, step_name="find")
            .invoke_tool_step(tool="sell", args={"what": StepOutput("find")}, step_name="sell")
            .build()
        )

    def since(self) -> list[str]:
        found = self.calls[:]
        self.calls.clear()
        return found


@pytest.fixture
def shop() -> Shop:
    return Shop()


GoingOn = Callable[[Portia, PlanRun], PlanRun]
WAYS: dict[str, GoingOn] = {
    "resume": lambda home, run: home.resume(run),
    "retry": lambda home, run: home.retry(run),
    "fork": lambda home, run: home.fork(run, "sell"),
    "fork of all that is left": lambda home, run: home.fork(run),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@every_way
def test_a_tool_that_was_mended_is_the_one_that_is_called(shop: Shop, way: GoingOn):
    home = Portia(Config(store="memory"), tools=[shop.find(), shop.sell(mended=False)])
    run = home.run_plan(shop.plan())
    assert (run.state, shop.since()) == (PlanRunState.FAILED, ["find", "broken"])
    mended = home.with_tools([shop.find(), shop.sell(mended=True)])
    assert way(mended, run).state is PlanRunState.COMPLETE
    assert shop.since() == ["mended"]


def test_tools_given_beside_a_portias_own_go_on_with_the_run_unless_it_has_got_them_itself(
    shop: Shop,
):
    home = Portia(Config(store="memory"), tools=[shop.find()])
    beside = Portia(Config(store="memory"), tools=[shop.sell(mended=False)]).tools
    run = home.start_run(shop.plan(), tools=beside).done.result(10)
    assert (run.state, shop.since()) == (PlanRunState.FAILED, ["find", "broken"])
    assert home.with_tools([shop.find()]).retry(run).state is PlanRunState.FAILED
    assert home.retry(run).state is PlanRunState.FAILED
    assert shop.since() == ["broken", "broken"]
    assert home.with_tools([shop.sell(mended=True)]).retry(run).state is PlanRunState.COMPLETE
    assert shop.since() == ["mended"]


@every_way
def test_the_tools_of_steps_that_are_done_need_not_be_here_nor_be_as_they_were(
    shop: Shop, way: GoingOn, tmp_path: Path
):
    config = Config(store=str(tmp_path))
    mended = shop.sell(mended=True)
    first = Portia(config, tools=[shop.find(), shop.sell(mended=False)])
    for tools in ([mended], [shop.find_in(), mended]):
        run = first.run_plan(shop.plan())
        shop.since()
        # Another Portia, as in another process: it knows of the run by the store alone.
        ended = way(Portia(config, tools=tools), run)
        assert (ended.state, shop.since()) == (PlanRunState.COMPLETE, ["mended"])
        assert ended.final_output is not None and ended.final_output.value == "sold a hat"
    first.store.close()


@every_way
def test_only_the_tools_of_what_is_to_run_are_missed(shop: Shop, way: GoingOn, tmp_path: Path):
    config = Config(store=str(tmp_path))
    first = Portia(config, tools=[shop.find(), shop.sell(mended=False)])
    run = first.run_plan(shop.plan())
    with pytest.raises(PlanCheckError) as refused:
        way(Portia(config, tools=[]), run)
    assert refused.value.facts["problems"] == ("step 'sell': no tool 'sell': the tools here: none",)
    with pytest.raises(PlanCheckError, match="no tool 'find'"):
        Portia(config, tools=[shop.sell(mended=True)]).fork(run, "find")
    assert len(first.store.find_runs()) == 1
    first.store.close()


class Hat(BaseModel):
    size: int


@pytest.mark.parametrize("is_bound", [True, False])
@every_way
def test_what_a_tool_put_out_is_of_the_class_that_the_tool_declares(
    way: GoingOn, is_bound: bool, tmp_path: Path
):
    @tool(side_effect=False)
    def find() -> list[Hat]:
        """Find hats."""
        return [Hat(size=57)]

    @tool
    def sell(hats: Any) -> str:
        """Sell hats."""
        if not is_open:
            raise ValueError("the shop is closed")
        return f"sold {hats[0].size}"

    is_open = False
    plan = (
        PlanBuilderV2()
        .invoke_tool_step(tool=find if is_bound else "find", step_name="find")
        .invoke_tool_step(tool=sell, args={"hats": StepOutput("find")}, step_name="sell")
        .build()
    )
    config = Config(store=str(tmp_path))
    run = Portia(config, tools=[find]).run_plan(plan)
    is_open = True
    home = Portia(config, tools=[find])
    ended = way(home, run)
    assert ended.final_output is not None and ended.final_output.value == "sold 57"
    assert home.get_run(ended.id).outputs["find"].value == [Hat(size=57)]
    home.store.close()


def test_an_output_that_was_not_kept_and_is_needed_misses_the_tool_that_made_it(tmp_path: Path):
    @tool(side_effect=False)
    def lock() -> object:
        """Make what no store keeps."""
        return object()

    @tool(side_effect=False)
    def use(of: Any) -> str:
        """Use it."""
        raise ValueError("not yet")

    plan = (
        PlanBuilderV2()
        .invoke_tool_step(tool="lock", step_name="lock")
        .invoke_tool_step(tool="use", args={"of": StepOutput("lock")}, step_name="use")
        .build()
    )
    config = Config(store=str(tmp_path))
    run = Portia(config, tools=[lock(), use()]).run_plan(plan)
    with pytest.raises(PlanCheckError, match="no tool 'lock'"):
        Portia(config, tools=[use()]).retry(run)
