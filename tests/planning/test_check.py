"""Plans that can't run are refused, each with its reason."""

import pytest
from pydantic import BaseModel

from portia_nb.errors import PlanCheckError
from portia_nb.model.callables import FunctionRef
from portia_nb.model.plan import Plan, PlanInput
from portia_nb.planning.check import check_plan, find_problems
from portia_nb.tools.base import Tool
from portia_nb.tools.builtin.calculator import CalculatorTool
from portia_nb.tools.examples import example_tools
from portia_nb.tools.registry import ToolRegistry

TOOLS = ToolRegistry(example_tools())


class PairArguments(BaseModel):
    left: int
    right: list[str]
    unit: str = "K"


class Pair(Tool[str]):
    id: str = "pair"
    name: str = "Pair"
    description: str = "Takes a pair."
    args_schema: type[BaseModel] = PairArguments

    def run(self, ctx, left, right, unit="K"):
        return f"{left} {right} {unit}"


def add(a, b=1):
    return a + b


def llm(name="x", inputs=(), /, **more):
    return {"task": "t", "output": f"${name}", "inputs": [{"name": n} for n in inputs], **more}


def tool(name="x", tool_id="calculator_tool", kind="tool", /, **args):
    return {"task": "t", "output": f"${name}", "tool_id": tool_id, "kind": kind, "args": args}


def problems_of(*steps, inputs=(), tools=TOOLS):
    plan = Plan(steps=steps, plan_inputs=[PlanInput(name=name) for name in inputs])
    return find_problems(plan, tools)


SUM = {"math_question": {"value": "1+1"}}


@pytest.mark.parametrize(
    ("steps", "inputs"),
    [
        ([llm()], []),
        ([llm("a"), llm("b", ["$a"])], []),
        ([llm("a", ["$city"])], ["city"]),
        ([llm("a", ["city"])], ["$city"]),
        ([tool(**SUM)], []),
        ([tool("x", "llm_tool", task={"value": "t"}, task_data={"value": "d"})], []),
        ([llm("a"), tool("b", math_question={"step": "a"})], []),
        ([tool("x", "calculator_tool", "agent")], []),
        ([tool("x", "calculator_tool", "agent", **SUM)], []),
        ([llm("a"), {**llm("b"), "after": ["a"]}], []),
        ([{**llm("one", name="two"), "output": "$three"}, llm("x", ["$two", "$three"])], []),
    ],
)
def test_a_plan_that_can_run_has_no_problems(steps, inputs):
    assert problems_of(*steps, inputs=inputs) == []
    check_plan(Plan(steps=steps, plan_inputs=[PlanInput(name=n) for n in inputs]), TOOLS)


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([], "it has no steps"),
        ([llm("a", ["$b"])], "step 'a' refers to 'b', and there is no such step or plan input"),
        ([llm("sky"), llm("a", ["$sly"])], "did you mean 'sky'?"),
        ([{**llm("a"), "after": ["b"]}], "step 'a' comes after 'b', and there is no such step"),
        ([llm("a", ["$a"])], "step 'a' refers to itself"),
        ([llm("a", ["$b"]), llm("b")], "step 'a' refers to 'b', which comes later"),
        ([llm("a", ["$b"]), llm("b", ["$a"])], "wait for each other in a circle: "),
        (
            [llm("a", ["$c"]), llm("b", ["$a"]), {**llm("c"), "after": ["b"]}],
            "in a circle: 'a' → 'c' → 'b' → 'a'",
        ),
        ([llm("a"), llm("a")], "step 'a' (0) and step 'a' (1) share the name 'a'"),
        ([llm("a"), llm("b", name="a")], "share the name 'a'"),
        ([llm("a"), {**llm("a"), "name": "b"}], "share the name 'a'"),
        ([llm("a", ["$c", "$c"]), llm("c")], "two inputs called '$c'"),
        ([llm("each[2]")], "called 'each[2]'"),
        ([llm("a/b")], "called 'a/b'"),
        ([llm(" ")], "called ' '"),
        ([{"task": "t", "output": "", "name": ""}], "called ''"),
        ([llm("$a")], "called '$a'"),
        ([llm("a", task="")], "step 'a': it has no task"),
        ([llm("a", task="\ud800")], "half of a character"),
        ([tool("a", "serch_tool", "agent")], "did you mean 'search_tool'?"),
        ([tool("a", "rocket", "agent")], "no tool 'rocket'"),
        ([tool("a")], "step 'a': argument 'math_question' is missing (tool 'calculator_tool')"),
        ([tool("a", question={"value": "1"})], "did you mean 'math_question'?"),
        ([llm("b"), tool("a", question={"step": "b"})], "did you mean 'math_question'?"),
        (
            [tool("a", "calculator_tool", "agent", question={"value": "1"})],
            "did you mean 'math_question'?",
        ),
        ([tool("a", math_question={"value": [1]})], "argument 'math_question' is [1]"),
        (
            [tool("a", "calculator_tool", "agent", math_question={"value": 5})],
            "argument 'math_question' is 5",
        ),
        (
            [tool("a", math_question={"input": "q"})],
            "plan has none of that name; plan inputs: none",
        ),
    ],
)
def test_each_reason_is_named_with_its_step(steps, says):
    problems = problems_of(*steps)
    assert any(says in problem for problem in problems), problems


def test_one_fault_is_told_once():
    assert len(problems_of(llm("a", ["$b"]), llm("b", ["$a"]))) == 1
    assert len(problems_of(llm("a", ["$a"]))) == 1
    assert len(problems_of(llm("a", ["$b"]))) == 1


def test_all_problems_come_together():
    plan = Plan(steps=[llm("a", ["$x"]), tool("b", "nothing"), tool("c")])
    with pytest.raises(PlanCheckError) as raised:
        check_plan(plan, TOOLS)
    assert len(raised.value.problems) == 3
    assert raised.value.plan_id == plan.id
    assert all(problem in str(raised.value) for problem in raised.value.problems)


def test_a_hundred_problems_are_all_kept_and_twenty_shown():
    with pytest.raises(PlanCheckError) as raised:
        check_plan(Plan(steps=[llm(f"s{i}", ["$nobody"]) for i in range(100)]))
    assert len(raised.value.problems) == 100
    assert str(raised.value).endswith("and 80 more")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"left": {"value": "3"}, "right": {"value": ["a"]}}, None),
        ({"left": {"value": 1}, "right": {"list": [{"step": "s"}]}}, None),
        ({"left": {"step": "s"}, "right": {"step": "s", "path": "x.0"}}, None),
        ({"left": {"value": "many"}, "right": {"step": "s"}}, "argument 'left' is 'many'"),
        ({"left": {"step": "s"}, "right": {"value": "a"}}, "argument 'right' is 'a'"),
        ({"left": {"step": "s"}}, "argument 'right' is missing"),
    ],
)
def test_literals_are_checked_by_the_tools_schema_and_references_are_not(args, says):
    found = problems_of(llm("s"), tool("x", "pair", **args), tools=ToolRegistry([Pair]))
    assert found == [] if says is None else says in found[0]


def test_without_tools_it_is_left_open_which_there_will_be():
    assert problems_of(tool("a", "later", x={"value": 1}), tools=None) == []


def test_a_tool_that_a_step_was_built_with_needs_no_registry():
    plan = Plan(steps=[tool("a", "calculator_tool", question={"value": "1"})])
    plan.steps[0]._tool = CalculatorTool()
    assert "did you mean 'math_question'" in find_problems(plan)[0]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"a": {"value": 1}}, None),
        ({"a": {"step": "s"}, "b": {"value": 1}}, None),
        ({}, "missing a required argument: 'a'"),
        ({"a": {"value": 1}, "c": {"value": 2}}, "unexpected keyword argument 'c'"),
    ],
)
def test_a_functions_arguments_are_checked_by_its_signature(args, says):
    step = {"output": "$f", "kind": "function", "function": FunctionRef.of(add), "args": args}
    found = problems_of(llm("s"), step)
    assert found == [] if says is None else says in found[0]


def test_a_function_that_is_not_here_is_not_the_checks_matter():
    stored = {"name": "add", "source_sha256": "0"}
    assert problems_of({"output": "$f", "kind": "function", "function": stored}) == []


def test_a_long_chain_is_checked_in_linear_time_and_without_recursion():
    steps = [llm(f"s{i}", [f"$s{i - 1}"] if i else []) for i in range(5_000)]
    assert problems_of(*steps) == []
    steps[0]["inputs"] = [{"name": "$s4999"}]
    assert "in a circle" in problems_of(*steps)[0]
