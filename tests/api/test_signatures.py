"""The calls of the reference, argument by argument: what old code passes, ours takes."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import portia_nb
from portia_nb import (
    Clarification,
    ClarificationCategory,
    ClarificationHandler,
    Config,
    ExecutionHooks,
    PlanBuilder,
    PlanBuilderV2,
    PlanRunState,
    Portia,
    Tool,
    ToolRunContext,
    open_source_tool_registry,
)
from portia_nb.config import KEYS

PORTIA = {
    "run": "query tools example_plans end_user plan_run_inputs structured_output_schema "
    "use_cached_plan",
    "plan": "query tools example_plans end_user plan_inputs structured_output_schema "
    "use_cached_plan",
    "run_plan": "plan end_user plan_run_inputs structured_output_schema",
    "resume": "plan_run plan_run_id plan",
    "resolve_clarification": "clarification response plan_run",
    "error_clarification": "clarification error plan_run",
    "create_plan_run": "plan end_user plan_run_inputs",
    "wait_for_ready": "plan_run max_retries backoff_start_time_seconds backoff_time_seconds",
    "initialize_end_user": "end_user",
}
"""Methods of `Portia` and their arguments, in the order in which they go without names."""

BUILDER = {
    "input": "name description default_value",
    "llm_step": "task inputs output_schema step_name system_prompt model",
    "invoke_tool_step": "tool args output_schema step_name",
    "function_step": "function args output_schema step_name",
    "single_tool_agent_step": "tool task inputs output_schema step_name model",
    "react_agent_step": "task tools inputs output_schema step_name allow_agent_clarifications "
    "tool_call_limit model",
    "user_verify": "message step_name",
    "user_input": "message options step_name",
    "if_": "condition args",
    "else_if_": "condition args",
    "else_": "",
    "endif": "",
    "loop": "while_ do_while_ over args step_name",
    "end_loop": "step_name",
    "add_step": "step",
    "add_steps": "plan input_values",
    "add_sub_plan": "plan input_values step_name",
    "exit": "message error step_name",
    "final_output": "output_schema summarize",
    "build": "",
}
"""Calls of `PlanBuilderV2` and their arguments, which go by name."""

OLDER_BUILDER = {
    "step": "task tool_id output inputs condition",
    "input": "name description step_index",
    "variable": "name value description step_index",
    "condition": "condition step_index",
    "plan_input": "name description",
    "build": "",
}


def arguments_of(owner: type, name: str) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(getattr(owner, name)).parameters)
    found.pop("self")
    return found


def test_a_portia_is_made_of_a_config_tools_and_hooks_in_this_order():
    assert list(arguments_of(Portia, "__init__")) == [
        "config",
        "tools",
        "execution_hooks",
        "telemetry",
    ]


@pytest.mark.parametrize("prefix", ["", "a"])
@pytest.mark.parametrize("name", PORTIA)
def test_a_method_of_portia_takes_what_it_took_in_the_same_order(name: str, prefix: str):
    took = PORTIA[name].split()
    takes = arguments_of(Portia, prefix + name)
    assert list(takes)[: len(took)] == took
    # What is ours comes after, and old code need not know of it.
    assert all(
        takes[more].default is not inspect.Parameter.empty for more in list(takes)[len(took) :]
    )
    first = {"resume": 0, "initialize_end_user": 0}.get(name, 1)
    first = 2 if name.endswith("_clarification") else first
    assert all(takes[optional].default is not inspect.Parameter.empty for optional in took[first:])


@pytest.mark.parametrize(
    ("owner", "name", "took"),
    [(PlanBuilderV2, name, took) for name, took in BUILDER.items()]
    + [(PlanBuilder, name, took) for name, took in OLDER_BUILDER.items()],
)
def test_a_call_of_a_builder_takes_what_it_took(owner: type, name: str, took: str):
    takes = arguments_of(owner, name)
    assert set(took.split()) <= set(takes)
    ours = set(takes) - set(took.split())
    assert all(takes[more].default is not inspect.Parameter.empty for more in ours)


def test_every_call_of_a_builder_returns_the_builder():
    builder = PlanBuilderV2().input(name="rows")
    same: list[Any] = [
        builder.llm_step(task="t"),
        builder.invoke_tool_step(tool="calculator_tool", args={"math_question": "1 + 1"}),
        builder.function_step(function=lambda: 1),
        builder.single_tool_agent_step(tool="calculator_tool", task="t"),
        builder.react_agent_step(task="t", tools=["calculator_tool"]),
        builder.user_verify(message="m"),
        builder.user_input(message="m"),
        builder.if_(lambda: True),
        builder.else_if_(lambda: True),
        builder.else_(),
        builder.endif(),
        builder.loop(over=[1]),
        builder.function_step(function=lambda: 1),
        builder.end_loop(),
        builder.exit(),
        builder.final_output(),
    ]
    assert all(returned is builder for returned in same)


def test_a_builder_takes_a_label_and_has_the_one_that_people_know():
    assert PlanBuilderV2("Go").llm_step(task="t").build().plan_context.query == "Go"
    default = PlanBuilderV2().llm_step(task="t").build()
    assert default.plan_context.query == "Run the plan built with the Plan Builder"


SETTINGS = [
    "llm_provider",
    "default_model",
    "planning_model",
    "execution_model",
    "introspection_model",
    "summarizer_model",
    "openai_api_key",
    "anthropic_api_key",
    "mistralai_api_key",
    "google_api_key",
    "azure_openai_api_key",
    "azure_openai_endpoint",
    "groq_api_key",
    "grok_api_key",
    "openrouter_api_key",
    "ollama_base_url",
    "storage_class",
    "storage_dir",
    "default_log_level",
    "default_log_sink",
    "json_log_serialize",
    "execution_agent_type",
    "planning_agent_type",
    "large_output_threshold_tokens",
    "argument_clarifications_enabled",
    "feature_flags",
]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_taken_by_keyword_and_over_the_default(name: str):
    value = getattr(Config(), name)
    given: Any = "sk-…" if name in KEYS else value
    for made in (Config(**{name: given}), Config.from_default(**{name: given})):
        found = getattr(made, name)
        assert (found.get_secret_value() if name in KEYS else found) == given


def test_a_config_has_the_defaults_that_people_know():
    config = Config()
    assert config.large_output_threshold_tokens == 1_000
    assert config.default_log_level == "INFO"
    assert config.argument_clarifications_enabled


def test_hooks_are_given_by_name_and_are_none_where_they_are_not():
    hooks = ExecutionHooks()
    for name in (
        "clarification_handler",
        "before_plan_run",
        "before_step_execution",
        "after_step_execution",
        "after_plan_run",
        "before_tool_call",
        "after_tool_call",
    ):
        assert getattr(hooks, name) is None
    assert portia_nb.BeforeStepExecutionOutcome.CONTINUE == "CONTINUE"
    assert portia_nb.BeforeStepExecutionOutcome.SKIP == "SKIP"


@pytest.mark.parametrize(
    "kind",
    [
        "action",
        "input",
        "multiple_choice",
        "value_confirmation",
        "user_verification",
        "custom",
    ],
)
def test_a_handler_has_a_method_for_each_kind_of_question(kind: str):
    takes = arguments_of(ClarificationHandler, f"handle_{kind}_clarification")
    assert list(takes) == ["clarification", "on_resolution", "on_error"]


def test_a_question_prints_the_keys_that_people_read():
    printed = Clarification(category=ClarificationCategory.INPUT).model_dump(mode="json")
    assert list(printed) == [
        "id",
        "plan_run_id",
        "category",
        "response",
        "step",
        "user_guidance",
        "resolved",
        "source",
    ]
    assert printed["id"].startswith("clar-")
    assert [category.value for category in ClarificationCategory] == [
        "Action",
        "Input",
        "Multiple Choice",
        "Value Confirmation",
        "User Verification",
        "Custom",
    ]


def test_a_run_has_the_six_states_that_people_compare_with():
    assert {state.value for state in PlanRunState} == {
        "NOT_STARTED",
        "IN_PROGRESS",
        "NEED_CLARIFICATION",
        "READY_TO_RESUME",
        "COMPLETE",
        "FAILED",
    }


def test_a_tool_is_a_class_with_these_fields_and_a_run_of_its_own():
    fields = Tool.model_fields
    for name in ["id", "name", "description", "args_schema", "output_schema", "should_summarize"]:
        assert name in fields
    assert fields["should_summarize"].default is False
    assert fields["structured_output_schema"].default is None
    for name in ["end_user", "plan_run", "plan", "config", "clarifications"]:
        assert name in ToolRunContext.__annotations__ or hasattr(ToolRunContext, name)


@pytest.mark.parametrize(
    ("tool_id", "arguments"),
    [
        ("calculator_tool", "math_question"),
        ("weather_tool", "city"),
        ("search_tool", "search_query"),
        ("llm_tool", "task task_data"),
        ("file_reader_tool", "filename"),
        ("file_writer_tool", "filename content"),
        ("image_understanding_tool", "task image_url"),
        ("pdf_reader_tool", "file_path"),
        ("extract_tool", ""),
        ("crawl_tool", ""),
        ("map_tool", ""),
        ("list_tables", ""),
        ("get_table_schemas", ""),
        ("run_sql", ""),
        ("check_sql", ""),
    ],
)
def test_a_tool_that_comes_along_takes_the_arguments_that_it_took(tool_id: str, arguments: str):
    takes = open_source_tool_registry.get_tool(tool_id).json_schema()["properties"]
    assert set(arguments.split()) <= set(takes)


CATEGORY = {
    "ConfigNotFoundError", "InvalidConfigError", "PlanError", "PlanNotFoundError",
    "PlanRunNotFoundError", "ToolNotFoundError", "DuplicateToolError",
    "InvalidToolDescriptionError", "ToolRetryError", "ToolFailedError",
    "InvalidPlanRunStateError", "InvalidAgentError", "InvalidAgentOutputError", "ToolHardError",
    "ToolSoftError", "StorageError", "PlanRunExitError", "SkipExecutionError",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CATEGORY))
def test_an_error_is_caught_under_its_own_name_and_under_the_root(name: str):
    kind = getattr(portia_nb, name)
    for caught in (kind, portia_nb.PortiaBaseError):
        with pytest.raises(caught, match="what went wrong"):
            raise kind("what went wrong")
