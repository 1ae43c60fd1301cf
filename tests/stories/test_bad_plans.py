"""Plans, inputs and names that can't be right: refused before anything is spent, by name."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from portia_nb import (
    Config,
    Input,
    PlanBuilderV2,
    PlanRunState,
    StepOutput,
    example_tool_registry,
    tool,
)
from portia_nb.errors import (
    InvalidConfigError,
    ModelReplyCutOff,
    PlanCheckError,
    PlanError,
    PlanNotFeasibleError,
    PlanNotFoundError,
    ToolNotFoundError,
)
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Reply

from .conftest import Story

QUERY = "Which stock price grew faster in 2024, Amazon or Google?"


def planned(output: str, *inputs: str, tool_id: str = "llm_tool", **more: Any) -> dict[str, Any]:
    """Return one step as a planner writes it."""
    return {
        "task": f"Do {output}.",
        "inputs": [{"name": f"${name}", "description": name} for name in inputs],
        "tool_id": tool_id,
        "output": f"${output}",
        "args": None,
        "condition": None,
        **more,
    }


def plan_of(*steps: dict[str, Any], error: str | None = None) -> dict[str, Any]:
    return {"steps": list(steps), "error": error}


GOOD = plan_of(planned("verdict"))
BAD_REPLIES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "not JSON": (Reply(text="Sure! First I would search."), ("not JSON",)),
    "half of the JSON": (Reply(text='{"steps": [{"task": "Sea'), ("not JSON",)),
    "JSON of another shape": (Reply(text='{"plan": []}'), ("'steps'",)),
    "no steps": (plan_of(), ("no steps",)),
    "an unknown tool": (
        plan_of(planned("prices", tool_id="serch_tool")),
        ("steps[0]", "'serch_tool'", "'search_tool'"),
    ),
    "a circle": (
        plan_of(planned("hen", "egg"), planned("egg", "hen")),
        ("circle", "'hen' → 'egg' → 'hen'"),
    ),
    "a twin name": (
        plan_of(planned("prices"), planned("prices")),
        ("share the name 'prices'", "another name"),
    ),
    "a reference to nothing": (
        plan_of(planned("verdict", "prises"), planned("prices")),
        ("'verdict'", "'prises'", "did you mean 'prices'?"),
    ),
}


@pytest.mark.parametrize(("reply", "facts"), BAD_REPLIES.values(), ids=BAD_REPLIES)
def test_a_bad_plan_of_the_model_goes_back_with_what_is_wrong_and_is_mended(
    story: Story, reply: Any, facts: tuple[str, ...]
):
    with OpenAIServer([reply, GOOD, "The verdict."]) as server:
        run = story.portia(server, tools=example_tool_registry).run(QUERY)
        mending = server.requests[1].messages[-1]["content"]
    assert run.state is PlanRunState.COMPLETE
    assert run.outputs["verdict"].value == "The verdict."
    assert [fact for fact in facts if fact not in mending] == [], mending


@pytest.mark.parametrize(("reply", "facts"), BAD_REPLIES.values(), ids=BAD_REPLIES)
def test_a_model_that_plans_badly_three_times_is_a_plan_error_and_nothing_runs(
    story: Story, reply: Any, facts: tuple[str, ...]
):
    with OpenAIServer([reply] * 3) as server:
        portia = story.portia(server, tools=example_tool_registry)
        with pytest.raises(PlanError) as caught:
            portia.run(QUERY)
        assert len(server.requests) == 3
    story.says(caught.value, QUERY, "after 3 replies of openai/", "planning_model", *facts)
    assert caught.value.facts["problems"]
    assert portia.store.find_runs() == []


def test_a_plan_that_is_cut_off_by_the_limit_of_tokens_is_not_asked_for_again(story: Story):
    cut = Reply(text='{"steps": [', finish_reason="length")
    with OpenAIServer([cut]) as server, pytest.raises(PlanError) as caught:
        story.portia(server).plan(QUERY)
    story.says(caught.value, "openai/", "limit of tokens", "ask for less")
    assert isinstance(caught.value.__cause__, ModelReplyCutOff)


def test_what_can_t_be_done_is_a_typed_error_with_the_model_s_reason(story: Story):
    reason = "there is no tool that books flights"
    with (
        OpenAIServer([plan_of(error=reason)]) as server,
        pytest.raises(PlanNotFeasibleError) as caught,
    ):
        story.portia(server, tools=example_tool_registry).run("Book me a flight.")
    story.says(caught.value, "Book me a flight.", reason, "calculator_tool")
    assert caught.value.facts["reason"] == reason


# -- inputs --------------------------------------------------------------------------------------


def convert(currency: str, amount: float) -> str:
    return f"{amount} {currency}"


def with_inputs() -> Any:
    return (
        PlanBuilderV2("convert")
        .input(name="currency", description="three letters")
        .input(name="amount")
        .function_step(
            function=convert,
            args={"currency": Input("currency"), "amount": Input("amount")},
            step_name="convert",
        )
        .build()
    )


def test_missing_inputs_are_listed_and_no_run_is_made(story: Story):
    portia = story.portia()
    with pytest.raises(ValueError, match="amount") as caught:
        portia.run_plan(with_inputs(), plan_run_inputs={"currency": "EUR"})
    story.says(caught.value, "'amount'", "plan_run_inputs")
    assert "'currency' (three letters)" not in str(caught.value)
    assert portia.store.find_runs() == []


def test_an_input_that_the_plan_has_not_is_ignored_with_a_warning_that_names_it(
    story: Story, caplog: pytest.LogCaptureFixture
):
    given = {"currency": "EUR", "amount": 2, "amuont": 3}
    with caplog.at_level(logging.WARNING):
        run = story.portia().run_plan(with_inputs(), plan_run_inputs=given)
    assert run.outputs["convert"].value == "2 EUR"
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(said) == 1
    story.says(said[0], "'amuont'", "amount", "ignored")


def test_inputs_in_no_known_shape_are_refused_with_the_shapes_that_are(story: Story):
    with pytest.raises(ValueError, match="plan_run_inputs") as caught:
        story.portia().run_plan(with_inputs(), plan_run_inputs=["EUR", 2])
    story.says(caught.value, "'EUR'", "a dict of values by name")


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "nearest"),
    [("defualt_model", "default_model"), ("opnai_api_key", "openai_api_key")],
)
def test_a_misspelt_setting_is_refused_with_the_nearest(story: Story, setting: str, nearest: str):
    for make in (Config, Config.from_default):
        with pytest.raises(InvalidConfigError) as caught:
            make(**{setting: "secret-value"})
        message = story.says(caught.value, setting, f"did you mean '{nearest}'?")
        assert "secret-value" not in message


def test_a_setting_of_the_wrong_kind_names_the_setting(
    story: Story, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(InvalidConfigError) as caught:
        Config(max_parallel_steps="many")
    story.says(caught.value, "max_parallel_steps", "'many'", "valid integer")
    with pytest.raises(InvalidConfigError) as caught:
        Config(default_log_level="LOUD")
    story.says(caught.value, "default_log_level", "'LOUD'", "DEBUG")
    monkeypatch.setenv("PORTIA_STEP_TIMEOUT_S", "-1")
    with pytest.raises(InvalidConfigError) as caught:
        story.portia()
    story.says(caught.value, "step_timeout_s", "'-1'", "greater than 0")


def test_a_misspelt_tool_is_refused_with_the_nearest_before_anything_runs(story: Story):
    portia = story.portia(tools=example_tool_registry)
    plan = story.builder().invoke_tool_step(tool="calculater_tool", step_name="sum").build()
    with pytest.raises(PlanCheckError) as caught:
        portia.run_plan(plan)
    story.says(caught.value, "'sum'", "calculater_tool", "did you mean 'calculator_tool'?")
    with pytest.raises(ToolNotFoundError) as not_found:
        portia.plan("What is 1 + 1?", tools=["calculater_tool"])
    story.says(not_found.value, "calculater_tool", "did you mean 'calculator_tool'?")
    assert story.early_calls == 0
    assert portia.store.find_runs() == []


@tool(side_effect=False)
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


MISFITS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "misspelt": ({"nubmer": 2}, ("'nubmer' is not an argument", "did you mean 'number'?")),
    "missing": ({}, ("'number' is missing",)),
    "of the wrong type": ({"number": "two"}, ("'number'", "two")),
}


@pytest.mark.parametrize(("args", "facts"), MISFITS.values(), ids=MISFITS)
def test_an_argument_that_a_tool_does_not_take_is_refused_before_anything_runs(
    story: Story, args: dict[str, Any], facts: tuple[str, ...]
):
    plan = story.builder().invoke_tool_step(tool=double(), args=args, step_name="twice")
    with pytest.raises(PlanCheckError) as caught:
        story.portia().run_plan(plan.build())
    story.says(caught.value, "'twice'", "double", *facts)
    assert story.early_calls == 0


def test_a_reference_to_no_step_names_the_nearest_at_build_time(story: Story):
    builder = story.builder().llm_step(task="Sum up.", inputs=[StepOutput("erly")])
    with pytest.raises(PlanCheckError) as caught:
        builder.build()
    story.says(caught.value, "'step_1'", "'erly'", "did you mean 'early'?")


def test_a_plan_that_is_not_kept_is_named(story: Story):
    with pytest.raises(PlanNotFoundError) as caught:
        story.portia().run_plan("plan-00000000-0000-0000-0000-000000000000")
    story.says(caught.value, "plan-00000000", ".portia")
