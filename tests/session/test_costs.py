"""What a plan will probably cost, before it runs."""

import pytest
from pydantic import BaseModel

from portia_nb import (
    Config,
    CostEstimator,
    Input,
    InvalidConfigError,
    PlanBuilder,
    PlanBuilderV2,
    PlanCostEstimate,
    Portia,
    StepCostEstimate,
    StepOutput,
    tool,
)
from portia_nb.model.language import CallAnswer, DataAnswer, ModelReply, ToolCall
from portia_nb.model.prices import PRICES, Price, price_of

OPENAI = {"openai_api_key": "sk-test"}


class Verdict(BaseModel):
    warm: bool


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return "sun " * 400


class Counting:
    """Answers whatever is asked, and counts it."""

    name = "openai/gpt-5.4"

    def __init__(self) -> None:
        self.calls = 0
        self.characters = 0

    async def reply(self, request, *, on_text=None):
        self.calls += 1
        self.characters += sum(len(message.content) for message in request.messages)
        match request.answer:
            case CallAnswer(tools=tools, forced=name):
                self.characters += len(str(tools[0].parameters))
                return ModelReply(tool_calls=(ToolCall("1", name, {"city": "Oslo"}),))
            case DataAnswer(schema=schema):
                self.characters += len(str(schema))
                return ModelReply(data=dict.fromkeys(schema["required"], True))
            case _:
                return ModelReply(text="word " * 240)


def plan_of_all_kinds():
    return (
        PlanBuilderV2("Is it warm?")
        .input(name="city")
        .single_tool_agent_step(
            tool=weather(), task="Look it up", inputs=[Input("city")], step_name="sky"
        )
        .if_("There is any weather", args={"sky": StepOutput("sky")}, step_name="any")
        .llm_step(task="Judge it", inputs=[StepOutput("sky")], output_schema=Verdict)
        .else_()
        .exit(message="none")
        .endif()
        .loop(over=["a", "b", "c"], step_name="each")
        .llm_step(task=f"Say {StepOutput('each')} in other words", step_name="said")
        .end_loop()
        .function_step(function=lambda: 1, step_name="one")
        .final_output(summarize=True)
        .build()
    )


def estimate(plan, **prices) -> PlanCostEstimate:
    return CostEstimator(Config(**OPENAI), prices=prices).plan_estimate(plan)


async def test_the_estimate_counts_the_calls_that_the_run_makes():
    model = Counting()
    config = Config(store="memory", default_model=model)
    plan = plan_of_all_kinds()
    estimated = CostEstimator(config).plan_estimate(plan)
    run = await Portia(config, tools=[]).arun_plan(plan, plan_run_inputs={"city": "Oslo"})
    assert run.error is None, run.error
    assert estimated.total_model_calls == model.calls == 7
    assert 0.5 < estimated.total_input_tokens / (model.characters / 4) < 2


def test_each_step_has_a_row_and_the_total_is_their_sum():
    made = estimate(plan_of_all_kinds())
    rows = {row.step_name: row for row in made.step_estimates}
    assert list(rows) == ["sky", "any", "any/step_2", "each", "each/said", "one", "final output"]
    assert [row.model_calls for row in rows.values()] == [1, 1, 1, 0, 3, 0, 1]
    assert rows["sky"].model == "openai/gpt-5.4-mini"
    assert rows["any"].introspection_cost == rows["any"].estimated_cost > 0
    assert rows["any"].cost_breakdown.keys() == {"introspection"}
    assert rows["each"].explanation == "3 rounds"
    assert rows["one"].estimated_cost == 0
    assert made.total_estimated_cost == pytest.approx(
        sum(row.estimated_cost or 0 for row in made.step_estimates)
    )
    assert isinstance(rows["sky"], StepCostEstimate)


def test_a_cost_is_tokens_times_price():
    plan = PlanBuilderV2().llm_step(task="Say hello", step_name="a").build()
    made = estimate(plan, **{"openai/gpt-5.4-mini": (10.0, 20.0)})
    [row] = made.step_estimates
    assert row.estimated_cost == pytest.approx(
        (row.estimated_input_tokens * 10 + row.estimated_output_tokens * 20) / 1e6
    )
    assert made.prices_as_of == {"openai/gpt-5.4-mini": ""}


def test_an_unknown_price_makes_the_cost_none_and_is_named():
    plan = PlanBuilderV2().llm_step(task="a", model="groq/new", step_name="a").build()
    made = CostEstimator(Config(groq_api_key="k")).plan_estimate(plan)
    assert made.total_estimated_cost is None
    assert made.step_estimates[0].estimated_cost is None
    assert made.unpriced_models == ["groq/new"]
    assert "The price of groq/new isn't known: pass prices={'groq/new'" in made.limitations
    assert made.total_model_calls == 1
    assert "unknown" in made.pretty_print()


def test_without_a_model_it_says_that_none_is_set():
    plan = PlanBuilderV2().llm_step(task="a").build()
    made = CostEstimator(Config()).plan_estimate(plan)
    assert (made.total_estimated_cost, made.model_used) == (None, "scripted")
    assert "No model is set" in made.limitations


def test_a_model_on_this_machine_costs_nothing():
    plan = PlanBuilderV2().llm_step(task="a").build()
    made = CostEstimator(Config(default_model="ollama/llama3.2")).plan_estimate(plan)
    assert (made.total_estimated_cost, made.unpriced_models) == (0, [])


def test_a_plan_without_models_costs_nothing_and_asks_for_no_price():
    made = estimate(PlanBuilderV2().function_step(function=lambda: 1).build())
    assert (made.total_estimated_cost, made.total_model_calls, made.prices_as_of) == (0, 0, {})


def test_loops_of_unknown_length_are_assumed_and_say_so():
    plan = (
        PlanBuilderV2()
        .input(name="items")
        .loop(over=Input("items"), step_name="each")
        .llm_step(task="a", step_name="a")
        .end_loop()
        .loop(while_="It is not done yet", step_name="again", max_iterations=2)
        .llm_step(task="b", step_name="b")
        .end_loop()
        .build()
    )
    rows = {row.step_name: row for row in estimate(plan).step_estimates}
    assert (rows["each"].explanation, rows["each/a"].model_calls) == ("5 rounds assumed", 5)
    assert (rows["again"].model_calls, rows["again/b"].model_calls) == (3, 2)


def test_the_dearest_branch_counts():
    builder = PlanBuilderV2().if_(lambda: True, step_name="which")
    builder.llm_step(task="short", step_name="short").else_()
    plan = builder.llm_step(task="long " * 2_000, step_name="long").endif().build()
    assert [row.step_name for row in estimate(plan).step_estimates] == ["which", "which/long"]


def test_sub_plans_count_with_their_inputs():
    inner = PlanBuilderV2("inner").input(name="text").llm_step(
        task="Sum up", inputs=[Input("text")], step_name="sum"
    ).final_output(summarize=True).build()  # fmt: skip
    short, long = (
        estimate(PlanBuilderV2().add_sub_plan(inner, {"text": text}, step_name="sub").build())
        for text in ("a", "a" * 40_000)
    )
    assert [row.step_name for row in long.step_estimates] == ["sub", "sub/sum", "sub/summary"]
    assert 9_900 < long.total_input_tokens - short.total_input_tokens < 10_100


def test_conditions_of_planned_steps_are_judged():
    plan = PlanBuilder("q").step("a", output="a").step("b").input("$a").condition("a is long")
    rows = estimate(plan.build()).step_estimates
    assert [row.has_condition for row in rows] == [False, True]
    assert rows[1].model_calls == 2
    assert 0 < rows[1].introspection_cost < rows[1].estimated_cost


def test_settled_arguments_cost_no_call():
    plan = PlanBuilderV2().invoke_tool_step(tool=weather(), args={"city": "Oslo"}).build()
    assert estimate(plan).total_model_calls == 0


def test_a_final_shape_costs_a_call_unless_the_last_step_has_it():
    plain = PlanBuilderV2().llm_step(task="a").final_output(output_schema=Verdict).build()
    assert estimate(plain).total_model_calls == 2
    shaped = PlanBuilderV2().llm_step(task="a", output_schema=Verdict)
    assert estimate(shaped.final_output(output_schema=Verdict).build()).total_model_calls == 1


async def test_the_async_twin_says_the_same():
    plan = plan_of_all_kinds()
    estimator = CostEstimator(Config(**OPENAI))
    assert await estimator.aplan_estimate(plan) == estimator.plan_estimate(plan)


def test_a_model_that_cannot_be_is_refused():
    plan = PlanBuilderV2().llm_step(task="a", model="opnai/x").build()
    with pytest.raises(InvalidConfigError, match="did you mean 'openai'"):
        CostEstimator(Config()).plan_estimate(plan)


def test_every_price_has_its_month_and_ones_own_come_first():
    assert all(price.as_of.startswith("20") for price in PRICES.values())
    own = {"openai/gpt-5.4": Price(1, 1)}
    assert price_of("openai/gpt-5.4", own) == Price(1, 1)
    assert price_of("openai/gpt-5.4") != Price(1, 1)


def test_the_table_reads_well():
    text = str(estimate(plan_of_all_kinds()))
    assert text.splitlines()[0].split() == ["step", "model", "calls", "in", "out", "cost"]
    assert "each/said" in text
    assert "in all" in text
    assert "List prices as of 2026-06." in text
