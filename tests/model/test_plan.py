"""Plans: the reference page's JSON both ways, and what a plan says about itself."""

import functools
import json

import pytest
from pydantic import BaseModel, ValidationError

from portia_nb.errors import StepNotFoundError
from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.plan import (
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    Plan,
    PlanContext,
    PlanInput,
    SingleToolAgentStep,
    UserInputStep,
    UserVerifyStep,
    Variable,
    text_argument,
)
from portia_nb.model.reference import Input, Parts, StepOutput, Value
from portia_nb.model.run import PlanRun

PAGE_PLAN = """\
{
  "id": "plan-1dcd74a4-0af5-490a-a7d0-0df4fd983977",
  "plan_context": {
    "query": "Which stock price grew faster, Amazon or Google?",
    "tool_ids": [
      "calculator_tool",
      "weather_tool",
      "search_tool"
    ]
  },
  "steps": [
    {
      "task": "Search for the latest stock price growth data for Amazon.",
      "inputs": [],
      "tool_id": "search_tool",
      "output": "$amazon_stock_growth"
    },
    {
      "task": "Search for the latest stock price growth data for Google.",
      "inputs": [],
      "tool_id": "search_tool",
      "output": "$google_stock_growth"
    },
    {
      "task": "Compare the stock price growth of Amazon and Google.",
      "inputs": [
        {
          "name": "$amazon_stock_growth",
          "description": "The stock price growth data for Amazon."
        },
        {
          "name": "$google_stock_growth",
          "description": "The stock price growth data for Google."
        }
      ],
      "tool_id": "llm_tool",
      "output": "$stock_growth_comparison"
    }
  ]
}"""

PAGE_RUN = """\
{
  "id": "prun-18d9aa91-0066-413f-af32-b979bce89821",
  "plan_id": "plan-a89efeb0-51ef-4f2c-b435-a936c27c3cfc",
  "current_step_index": 2,
  "state": "COMPLETE",
  "outputs": {
    "clarifications": [],
    "step_outputs": {
      "$amazon_stock_growth": {
        "value": "Amazon stock closed at an all-time high of $214.10 in November...",
        "summary": null
      },
      "$google_stock_growth": {
        "value": "In 2024, Google's parent company Alphabet surged 35.5% according to...",
        "summary": null
      },
      "$faster_growth": {
        "value": "In 2024, Amazon's stock price grew by 52%, while Google's parent company \
Alphabet saw a stock price surge of 35.5%.",
        "summary": null
      }
    },
    "final_output": {
      "value": "In 2024, Amazon's stock price grew by 52%, while Google's parent company \
Alphabet saw a stock price surge of 35.5%.",
      "summary": null
    }
  }
}"""


@pytest.mark.parametrize(("kind", "page"), [(Plan, PAGE_PLAN), (PlanRun, PAGE_RUN)])
def test_the_pages_documents_load_and_print_back_byte_for_byte(kind, page):
    assert kind.model_validate_json(page).model_dump_json(indent=2) == page


def test_the_pages_steps_are_agents_and_a_model():
    plan = Plan.model_validate_json(PAGE_PLAN)
    assert [type(step) for step in plan.steps] == [
        SingleToolAgentStep,
        SingleToolAgentStep,
        LLMStep,
    ]
    assert plan.steps[0].name == "amazon_stock_growth"
    assert plan.needs(plan.steps[2]) == ("amazon_stock_growth", "google_stock_growth")


def f(a, b=1):
    return a


class City(BaseModel):
    name: str


ALL_KINDS = Plan(
    plan_context=PlanContext(query="q", tool_ids=("t",)),
    steps=(
        LLMStep(
            task="in $x",
            task_parts=Parts(("in ", Input("x"))),
            output="$llm",
            model="openai/m",
            system_prompt="Be brief.",
            output_schema=SchemaRef.of(City),
            condition="it rains",
        ),
        InvokeToolStep(
            task="t",
            tool_id="t",
            output="$tool",
            args={"a": StepOutput("llm", "name"), "b": Value((1, 2))},
            side_effect=True,
            retries=2,
            timeout_s=1.5,
        ),
        SingleToolAgentStep(task="t", tool_id="t", output="$agent", args={"a": Value(1)}),
        FunctionStep(output="$function", function=FunctionRef.of(f), after=("tool",)),
        UserVerifyStep(output="$verify", message=Value("go on?"), default=False),
        UserInputStep(
            name="pick", output="$o", message=Value("?"), options=Value(["a"]), default="a"
        ),
        LLMStep(task="t", output="$end", inputs=(Variable(name="v", value=Value(None)),)),
    ),
    plan_inputs=(PlanInput(name="x", description="d"), PlanInput(name="y", value=3)),
    structured_output_schema=SchemaRef.of(list[int]),
    summarize=True,
    scripted=True,
)


def test_every_kind_of_step_comes_back_from_json_as_itself():
    back = Plan.model_validate_json(ALL_KINDS.model_dump_json())
    assert back == ALL_KINDS
    assert [type(s) for s in back.steps] == [type(s) for s in ALL_KINDS.steps]
    assert back.content_hash() == ALL_KINDS.content_hash()


def test_what_is_default_is_not_printed():
    printed = json.loads(ALL_KINDS.model_dump_json())
    assert list(printed["steps"][1])[:4] == ["task", "inputs", "tool_id", "output"]
    assert "kind" not in printed["steps"][2]  # as the page's bare steps mean it
    assert printed["steps"][1]["kind"] == "tool"
    assert printed["steps"][5]["name"] == "pick"
    assert "name" not in printed["steps"][0]
    assert printed["steps"][4]["default"] is False
    assert list(json.loads(Plan(steps=[{"task": "t", "output": "$x"}]).model_dump_json())) == [
        "id",
        "plan_context",
        "steps",
    ]


@pytest.mark.parametrize(
    ("data", "name", "output"),
    [
        ({"output": "$a"}, "a", "$a"),
        ({"name": "a"}, "a", "$a"),
        ({"name": "a", "output": "$b"}, "a", "$b"),
    ],
)
def test_a_name_and_an_output_stand_for_each_other(data, name, output):
    step = LLMStep(task="t", **data)
    assert (step.name, step.output) == (name, output)


@pytest.mark.parametrize(
    "data",
    [
        {"task": "t", "output": "$x", "kind": "shell"},
        {"task": "t", "output": "$x", "surprise": 1},
        {"task": "t", "output": "$x", "kind": "tool", "args": {"a": 1}},
        {"task": "t", "output": "$x", "kind": "tool", "args": {"a": {"parts": 5}}},
        {"task": "t", "output": "$x", "retries": -1},
        {"task": "t", "output": "$x", "timeout_s": 0},
        {"task": 5, "output": "$x"},
        "step",
    ],
)
def test_a_malformed_step_is_refused(data):
    with pytest.raises(ValidationError):
        Plan(steps=[data])


@pytest.mark.parametrize("plan_id", ["1", "prun-1dcd74a4-0af5-490a-a7d0-0df4fd983977", "plan-x"])
def test_an_id_that_is_no_plans_is_refused(plan_id):
    with pytest.raises(ValidationError, match="no plan id"):
        Plan(id=plan_id)


def test_a_step_is_found_by_name_output_and_index():
    plan = ALL_KINDS
    for given in ("pick", "$pick", "o", "$o", 5, -2):
        assert plan.step(given).name == "pick"


@pytest.mark.parametrize("given", ["nobody", 7, -8])
def test_a_step_that_is_not_there_is_an_error_that_lists_the_steps(given):
    with pytest.raises(StepNotFoundError) as raised:
        ALL_KINDS.step(given)
    assert raised.value.step == given
    assert "pick" in str(raised.value) or "7 steps" in str(raised.value)


def test_a_step_needs_what_it_refers_to_and_comes_after():
    assert ALL_KINDS.needs(ALL_KINDS.step("llm")) == ()
    assert ALL_KINDS.needs(ALL_KINDS.step("tool")) == ("llm",)
    assert ALL_KINDS.needs(ALL_KINDS.step("function")) == ("tool",)


def test_an_input_by_name_is_a_step_where_there_is_one_else_the_plans_input():
    one = LLMStep(task="t", output="$a")
    two = LLMStep(task="t", output="$b", inputs=(Variable(name="$a"),))
    inputs = (PlanInput(name="$a"),)
    assert Plan(steps=(one, two), plan_inputs=inputs).needs(two) == ("a",)
    assert Plan(steps=(two,), plan_inputs=inputs).needs(two) == ()


def test_the_content_hash_is_blind_to_the_id_and_sees_the_rest():
    same = ALL_KINDS.model_copy(update={"id": Plan().id})
    assert same.content_hash() == ALL_KINDS.content_hash()
    for change in ({"summarize": False}, {"plan_inputs": ()}, {"steps": ALL_KINDS.steps[:-1]}):
        other = Plan(**{**dict(ALL_KINDS), **change})
        assert other.content_hash() != ALL_KINDS.content_hash(), change


def test_a_changed_copy_forgets_what_was_worked_out_before():
    plan = Plan(steps=[LLMStep(task="t", output="$a"), LLMStep(task="t", output="$b")])
    before = (plan.content_hash(), plan.index_of("b"))
    turned = plan.model_copy(update={"steps": plan.steps[::-1]})
    assert turned.index_of("b") == 0
    assert turned.content_hash() != before[0]
    assert (plan.content_hash(), plan.index_of("b")) == before


def test_functions_are_missing_after_a_round_trip_and_not_before():
    assert ALL_KINDS.missing_functions() == ()
    assert Plan.model_validate_json(ALL_KINDS.model_dump_json()).missing_functions() == ("f",)


def test_a_plan_prints_itself_a_line_a_step():
    text = Plan.model_validate_json(PAGE_PLAN).pretty_print()
    assert text.splitlines()[0] == "Task: Which stock price grew faster, Amazon or Google?"
    assert [line.partition("  ")[0] for line in text.splitlines()[1:]] == ["1", "2", "3"]
    assert text.splitlines()[3].endswith("← $amazon_stock_growth, $google_stock_growth")


def test_a_plan_is_frozen():
    with pytest.raises(ValidationError):
        ALL_KINDS.summarize = False
    with pytest.raises(ValidationError):
        ALL_KINDS.steps[0].task = "other"


def test_a_stored_function_is_never_imported():
    data = {"name": "os.system", "source_sha256": "0"}
    plan = Plan(steps=[{"kind": "function", "output": "$x", "function": data}])
    assert plan.steps[0].function.call is None


class Doubler:
    def __call__(self, a):
        return 2 * a


@pytest.mark.parametrize(
    "function", [f, len, Doubler(), functools.partial(f, 1), Doubler().__call__]
)
def test_a_function_is_named_and_hashed_alike_each_time(function):
    ref = FunctionRef.of(function)
    assert ref == FunctionRef.of(function)
    assert " at 0x" not in ref.name
    assert ref.call is function


def test_changed_source_is_another_function():
    assert FunctionRef.of(f).source_sha256 != FunctionRef.of(Doubler()).source_sha256


@pytest.mark.parametrize("given", [object(), f, 5])
def test_what_is_no_type_is_refused_as_a_shape(given):
    with pytest.raises(ValueError, match="shape of an output"):
        SchemaRef.of(given)


def test_a_shape_is_a_class_here_and_a_schema_in_a_store():
    ref = SchemaRef.of(City)
    assert ref.type is City
    assert SchemaRef.of(ref) is ref
    assert SchemaRef.model_validate_json(ref.model_dump_json()).type is None
    assert SchemaRef.of({"title": "T", "type": "object"}).name == "T"
    assert SchemaRef.of(list[int]).name == "list[int]"


def test_a_text_argument_is_shown_and_kept_only_where_it_holds_references():
    parts = Parts(("a ", StepOutput("b")))
    assert text_argument(parts) == ("a $b", parts)
    assert text_argument(Value("a")) == ("a", None)
