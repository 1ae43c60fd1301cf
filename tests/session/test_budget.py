"""N17: what a run spends is counted, and a budget stops it before the call that would pass it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portia_nb import (
    Config,
    Input,
    InvalidConfigError,
    Plan,
    PlanBuilderV2,
    PlanRunState,
    Portia,
    StepOutput,
    ToolHardError,
    ToolRunContext,
    tool,
)
from portia_nb.errors import BudgetReached, InvalidOption
from portia_nb.model.cost import cost_of
from portia_nb.model.language import Message, ModelRequest, Usage
from portia_nb.settings.budget import Budget, read_budget
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Call, Reply, rate_limited

REPLY = Reply(text="said", usage=(1_000, 500))
PRICES = {"openai/own": (10.0, 100.0)}
"""1,000 + 500 tokens cost 6 cents."""


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda _: REPLY) as made:
        yield made


def portia(server: OpenAIServer, store: str | Path = "memory", **settings: Any) -> Portia:
    settings.setdefault("tools", [])
    tools = settings.pop("tools")
    key = {"openai_api_key": "sk-test-0123", "default_model": "openai/own", "model_retries": 2}
    return Portia(Config(store=str(store), base_url=server.url, **{**key, **settings}), tools=tools)


def chain(length: int = 5) -> Plan:
    builder = PlanBuilderV2("say things")
    for number in range(length):
        after = {"after": [f"say_{number - 1}"]} if number else {}
        builder = builder.llm_step(task=f"Say {number}", step_name=f"say_{number}", **after)
    return builder.build()


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        ("$0.50", Budget(dollars=0.5)),
        ("0.5", Budget(dollars=0.5)),
        ("0.50 $", Budget(dollars=0.5)),
        (".5 USD", Budget(dollars=0.5)),
        ("20k tokens", Budget(tokens=20_000)),
        ("1.5M tokens", Budget(tokens=1_500_000)),
        ("1,500 tokens", Budget(tokens=1_500)),
        ("1 call", Budget(calls=1)),
        ("$0.50, 20k tokens and 30 calls", Budget(0.5, 20_000, 30)),
        (2, Budget(dollars=2.0)),
        ("none", Budget()),
        (None, None),
    ],
)
def test_a_budget_is_read_as_people_write_it(given: Any, budget: Budget | None):
    assert read_budget(given) == budget
    if budget is not None:
        assert read_budget(str(budget)) == budget


@pytest.mark.parametrize(
    "given", ["", "much", "30", "-1", "5 cats", "$5 calls", "1.5 calls", "1 call, 2 calls", True]
)
def test_what_is_no_budget_is_refused_with_how_to_write_one(given: Any):
    if given == "30":
        assert read_budget(given) == Budget(dollars=30.0)
        return
    with pytest.raises(InvalidOption, match=r"20k tokens|twice"):
        read_budget(given)
    with pytest.raises(InvalidConfigError, match="budget"):
        Config(budget=given)


def test_a_budget_of_calls_stops_before_the_next_call_and_a_larger_one_goes_on(
    server: OpenAIServer, tmp_path: Path
):
    run = portia(server, tmp_path).run_plan(chain(), budget="3 calls")
    assert run.state is PlanRunState.READY_TO_RESUME
    assert len(server.requests) == 3
    assert [v.value for v in run.outputs.step_outputs.values()] == ["said"] * 3
    assert "3 calls" in run.stop_reason
    assert f"portia.resume({str(run.id)!r}, budget='6 calls')" in run.stop_reason

    # In another process, that is another Portia: what was spent before counts, and so does the
    # budget that the run had.
    later = portia(server, tmp_path)
    assert later.resume(run.id).state is PlanRunState.READY_TO_RESUME
    assert later.resume(run.id, budget="4 calls").state is PlanRunState.READY_TO_RESUME
    assert len(server.requests) == 4
    done = later.resume(run.id, budget="5 calls")
    assert done.state is PlanRunState.COMPLETE
    assert len(server.requests) == done.cost.calls == 5


def test_a_run_goes_on_without_a_budget_where_none_is_said(server: OpenAIServer):
    ours = portia(server, budget="1 call")
    run = ours.run_plan(chain(3))
    assert (run.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, 1)
    assert ours.resume(run, budget="none").state is PlanRunState.COMPLETE


def test_parallel_steps_share_one_budget_to_the_call(server: OpenAIServer):
    builder = PlanBuilderV2("say things")
    for number in range(8):
        builder = builder.llm_step(task=f"Say {number}", step_name=f"say_{number}")
    run = portia(server).run_plan(builder.build(), budget="5 calls")
    assert run.state is PlanRunState.READY_TO_RESUME
    # Those under way when the budget was reached were not thrown away.
    assert (len(server.requests), len(run.outputs.step_outputs)) == (5, 5)


def test_further_tries_of_one_call_count_as_calls():
    with OpenAIServer(lambda _: rate_limited(0.01)) as busy:
        run = portia(busy).run_plan(chain(1), budget="2 calls")
        assert (run.state, len(busy.requests)) == (PlanRunState.READY_TO_RESUME, 2)
        assert run.cost.calls == 2


def test_a_budget_of_tokens_counts_the_prompt_before_it_is_sent(server: OpenAIServer):
    ours = portia(server)
    run = ours.run_plan(chain(), budget="2k tokens")
    assert (run.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, 2)
    large = PlanBuilderV2().llm_step(task="Read. " * 2_000, step_name="read").build()
    refused = ours.run_plan(large, budget="2k tokens")
    assert (refused.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, 2)


def test_a_budget_of_money_needs_prices(server: OpenAIServer):
    with pytest.raises(InvalidOption, match=r"price of openai/own isn't known.*30 calls"):
        portia(server).run_plan(chain(), budget="$0.15")
    assert portia(server).run_plan(_no_model(), budget="$0.15").state is PlanRunState.COMPLETE
    run = portia(server, prices=PRICES).run_plan(chain(), budget="$0.15")
    assert (run.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, 3)
    assert run.cost.money == "$0.18"


def _no_model() -> Plan:
    return PlanBuilderV2().function_step(function=lambda: 1, step_name="one").build()


def test_the_planning_is_part_of_the_budget():
    steps = [{"task": "Say", "inputs": [], "tool_id": "llm_tool", "output": "$said"}]
    with OpenAIServer([Reply(data={"steps": steps, "error": None})]) as server:
        run = portia(server).run("Say something", budget="1 call")
        assert (run.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, 1)
        assert run.cost.calls == 1
        with pytest.raises(BudgetReached):
            portia(server).run("Say something", budget="0 calls")
        assert len(server.requests) == 1


def test_an_agent_goes_on_where_its_budget_was_reached():
    looked: list[str] = []

    @tool(side_effect=False)
    def look(city: str) -> str:
        """Look at a city."""
        looked.append(city)
        return f"{city} is dry"

    replies = [
        Reply(calls=(Call(name="look", arguments={"city": "Oslo"}),)),
        Reply(calls=(Call(name="look", arguments={"city": "Rome"}),)),
        Reply(text="both dry"),
    ]
    plan = PlanBuilderV2().react_agent_step(task="Compare", tools=[look], step_name="go").build()
    with OpenAIServer(replies) as server:
        ours = portia(server, tools=[look])
        run = ours.run_plan(plan, budget="2 calls")
        assert run.state is PlanRunState.READY_TO_RESUME
        done = ours.resume(run, budget="3 calls")
    assert done.final_output is not None
    assert (done.final_output.value, looked) == ("both dry", ["Oslo", "Rome"])


def test_a_tool_that_hides_the_refusal_still_stops_the_run(server: OpenAIServer):
    @tool
    async def sum_up(text: str, ctx: ToolRunContext) -> str:
        """Sum a text up."""
        assert ctx.model is not None
        try:
            reply = await ctx.model.reply(ModelRequest((Message("user", text),)))
        except Exception as error:
            raise ToolHardError("no summary") from error
        return reply.text

    plan = (
        PlanBuilderV2()
        .llm_step(task="Say", step_name="say")
        .invoke_tool_step(tool=sum_up, args={"text": StepOutput("say")}, step_name="sum")
        .build()
    )
    ours = portia(server)
    run = ours.run_plan(plan, budget="1 call")
    assert (run.state, run.error) == (PlanRunState.READY_TO_RESUME, None)
    assert ours.resume(run, budget="2 calls").state is PlanRunState.COMPLETE


def test_cost_is_told_for_each_step_and_unknown_is_never_zero(server: OpenAIServer):
    run = portia(server).run_plan(chain(2))
    assert run.cost.steps["say_0"].tokens == 1_500
    assert (run.cost.dollars, run.cost.money, run.cost.calls) == (None, "unknown", 2)
    assert "unknown" in str(run.cost)
    frame = run.cost.to_frame()
    assert frame["dollars"].isna().all()
    known = portia(server, prices=PRICES).run_plan(chain(2))
    assert known.cost.dollars == pytest.approx(0.12)
    assert known.cost.steps["say_1"].dollars == pytest.approx(0.06)


def test_one_unknown_price_makes_the_sum_unknown():
    spent = {("a", "openai/gpt-5.4"): Usage(1_000, 0), ("b", "who/knows"): Usage(10, 0)}
    assert cost_of(spent).dollars is None
    assert cost_of(spent).steps["a"].dollars == pytest.approx(0.0025)


def test_cost_survives_a_new_process_and_stays_out_of_the_runs_json(
    server: OpenAIServer, tmp_path: Path
):
    run = portia(server, tmp_path).run_plan(chain(2))
    assert portia(server, tmp_path).get_run(run.id).cost == run.cost
    assert "cost" not in run.model_dump_json()


def test_an_input_is_part_of_the_estimate(server: OpenAIServer):
    plan = (
        PlanBuilderV2()
        .input(name="text")
        .llm_step(task="Sum up", inputs=[Input("text")], step_name="sum")
        .build()
    )
    run = portia(server).run_plan(
        plan, plan_run_inputs={"text": "word " * 900}, budget="900 tokens"
    )
    assert (run.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, 0)


def test_a_fork_and_a_retry_take_a_budget_of_their_own(server: OpenAIServer):
    home = portia(server)
    run = home.run_plan(chain(3))
    forked = home.fork(run, "say_0", task="Say more", budget="1 call")
    assert (forked.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, 4)
    with pytest.raises(InvalidOption, match="20k tokens"):
        home.fork(run, "say_0", budget="5 cats")
    with pytest.raises(InvalidOption, match="the price of openai/own"):
        home.fork(run, "say_0", budget="$1")
    assert len(home.store.find_runs()) == 2  # what was refused has left none

    def fail() -> str:
        raise ValueError("no")

    failing = (
        PlanBuilderV2()
        .function_step(function=fail, step_name="fail")
        .llm_step(task="Say", after=["fail"], step_name="say_0")
        .llm_step(task="Say on", after=["say_0"], step_name="say_1")
        .build()
    )
    failed = home.run_plan(failing)
    before = len(server.requests)
    again = home.retry(failed, budget="1 call", function=lambda: "yes")
    assert (again.state, len(server.requests)) == (PlanRunState.READY_TO_RESUME, before + 1)
    with pytest.raises(InvalidOption, match="20k tokens"):
        home.retry(failed, budget="5 cats")
