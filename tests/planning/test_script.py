"""N29: a plan as a runnable script with `PlanBuilderV2`, which builds the same plan."""

import ast
import functools
import math
import subprocess
import sys
import types
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel

from portia_nb import (
    Input,
    LLMStep,
    Plan,
    PlanBuilderV2,
    PlanContext,
    PlanInput,
    StepOutput,
    SubPlanStep,
    Variable,
)
from portia_nb.planning.script import plan_to_script
from tests.drawing.hostile import PAYLOADS


class City(BaseModel):
    name: str


def look(city: str) -> str:
    """Look at a city."""
    return city.upper()


def built_by(script: str, folder: Path) -> Plan:
    """Return the plan that a script builds, as a module of its own would."""
    import linecache

    path = folder / f"plan_{abs(hash(script))}.py"
    path.write_text(script, encoding="utf-8")
    module = types.ModuleType(path.stem)
    linecache.checkcache(str(path))
    code = compile(script, str(path), "exec")
    exec(code, module.__dict__)  # the test's own script, from the plan above
    return module.plan


def every_kind() -> Plan:
    """Return a plan with each kind of step, in and outside of others."""
    factor = 3

    def times(n: int) -> int:
        return n * factor

    inner = (
        PlanBuilderV2("An inner plan")
        .input(name="word", description="a word", default_value="x")
        .function_step(function=look, args={"city": Input("word")}, step_name="up")
        .final_output(output_schema=str)
        .build()
    )
    b = PlanBuilderV2("Everything\n'''\"\"\"\\").input(name="city", default_value={"a": [1, None]})
    b.llm_step(task=f"Is {Input('city', path='a.0')} {{warm}}?", inputs=[Input("city"), 7])
    b.llm_step(
        task="Sum up.",
        inputs={"it": StepOutput(0), "both": [StepOutput(0), {"x": StepOutput(0)}]},
        output_schema=list[str],
        step_name="sum it up",
        system_prompt="Be brief.",
        model="openai/gpt-5.4",
        retries=2,
        timeout_s=1.5,
        cache=True,
    )
    b.invoke_tool_step(tool="calculator_tool", args={"math_question": "1 + 1"}, side_effect=False)
    b.single_tool_agent_step(tool="search_tool", task="Search", output_schema=City)
    b.react_agent_step(
        task="Go", tools=["search_tool"], allow_agent_clarifications=True, token_limit=9
    )
    b.react_agent_step(task="Go on")
    b.user_verify(message=f"Really {StepOutput(0)}?", default=True, expires_in_s=5)
    b.user_input(message="Which?", options=["a", "b"], default="a", step_name="which")
    with b.loop(over=StepOutput(1), step_name="each", parallel=True, max_iterations=9) as item:
        with b.if_(lambda i: i > 1, {"i": item}, step_name="if it is"):
            b.function_step(function=times, args={"n": item}, after=["which"])
        with b.else_if_(f"Is {item} small?"):
            b.add_sub_plan(inner, {"word": item}, step_name="sub")
        with b.else_():
            b.exit(message=f"no {item}", error=True)
    b.loop(while_=lambda: False, step_name="again").llm_step(task="t").end_loop("ended")
    b.loop(do_while_=StepOutput(0), step_name="once").function_step(
        function=look, args={"city": "x"}
    ).end_loop()
    b.function_step(function=look, args={"city": StepOutput("each", full=True)}, step_name="last")
    return b.final_output(output_schema={"type": "object", "title": "T"}, summarize=True).build()


def test_N29_a_script_builds_the_same_plan_of_every_kind_of_step(tmp_path: Path):
    plan = every_kind()
    script = plan.to_script()
    assert built_by(script, tmp_path).content_hash() == plan.content_hash()
    assert "builder.loop(" in script
    assert "add_step(" not in script
    assert "Plan(" not in script.replace("PlanBuilderV2(", "")
    assert "from tests.planning.test_script import" in script  # look and City, which are importable
    assert "factor = 3" in script


def test_N29_a_script_runs_by_itself_and_its_functions_work(tmp_path: Path):
    cell = tmp_path / "cell.py"
    cell.write_text(
        "import math\n"
        "from portia_nb import PlanBuilderV2, StepOutput\n"
        "SIZE = 2\n"
        "def half(n):\n    return n / SIZE\n"
        "def area(r: float) -> float:\n    '''Work it out.'''\n    return half(math.floor(r))\n"
        "plan = (PlanBuilderV2('area').function_step(function=area, args={'r': 5.5})\n"
        "    .function_step(function=lambda n: n + SIZE, args={'n': StepOutput(0)}).build())\n"
        "print(plan.content_hash())\n"
        "open('made.py', 'w').write(plan.to_script() + RUN)\n".replace(
            "RUN",
            repr(
                "    from portia_nb import Config, Portia\n"
                "    print(plan.content_hash())\n"
                "    print(Portia(Config(store='memory'), tools=[]).run_plan(plan)"
                ".final_output.value)\n"
            ),
        )
    )
    one = run(cell, tmp_path)
    other = run(tmp_path / "made.py", tmp_path)
    assert other.splitlines()[-2] == one.split()[-1]
    assert other.splitlines()[-1] == "4.5"
    assert "Work it out." in other


def run(path: Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(path)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_N29_a_planners_plan_is_written_with_its_own_names(tmp_path: Path):
    plan = Plan(
        plan_context=PlanContext(query="Which grew faster?", tool_ids=("search_tool", "other")),
        steps=(
            {"task": "Search.", "tool_id": "search_tool", "output": "$amazon"},
            {
                "task": "Compare.",
                "inputs": [{"name": "$amazon", "description": "what was found"}],
                "output": "$faster",
                "condition": "if there is anything",
            },
        ),
        plan_inputs=(PlanInput(name="$x", value=1),),
        scripted=True,
    )
    script = plan.to_script()
    assert built_by(script, tmp_path).content_hash() == plan.content_hash()
    assert "PlanBuilderV2('Which grew faster?')" in script


def test_N29_a_plan_that_no_builder_would_take_is_written_out(tmp_path: Path):
    plan = Plan(
        steps=({"task": "Refers to nothing.", "inputs": [{"name": "$no"}], "output": "$a"},)
    )
    assert built_by(plan.to_script(), tmp_path).content_hash() == plan.content_hash()


def test_N29_a_function_without_source_is_a_placeholder_that_raises(tmp_path: Path):
    plan = PlanBuilderV2().function_step(function=functools.partial(math.sqrt, 4)).build()
    read = Plan.model_validate_json(every_kind().model_dump_json())
    for each in (plan, read):
        script = each.to_script()
        again = built_by(script, tmp_path)
        assert again.content_hash() == each.content_hash()
        assert "is missing here" in script.partition("from __future__")[0]
    [step] = built_by(plan.to_script(), tmp_path).steps
    with pytest.raises(NotImplementedError, match="the function sqrt is missing here"):
        step.function.call()


def test_N29_a_function_that_was_changed_in_the_script_is_another_one(tmp_path: Path):
    plan = PlanBuilderV2().function_step(function=lambda: 41 + 1).build()
    script = plan.to_script()
    assert built_by(script, tmp_path).content_hash() == plan.content_hash()
    changed = built_by(script.replace("41 + 1", "41 + 2"), tmp_path)
    assert changed.content_hash() != plan.content_hash()


def test_N29_two_functions_of_one_name_stay_two(tmp_path: Path):
    def first() -> Any:
        def plan() -> str:
            return "first"

        return plan

    def second() -> Any:
        def plan() -> str:
            return "second"

        return plan

    made = PlanBuilderV2("two").function_step(function=first())
    made.function_step(function=second()).function_step(function=first())
    plan = made.build()
    again = built_by(plan.to_script(), tmp_path)
    assert again.content_hash() == plan.content_hash()
    assert [step.function.call() for step in again.steps] == ["first", "second", "first"]


def test_N29_values_that_are_no_json_come_back_by_their_codecs(tmp_path: Path):
    given = {"day": date(2024, 1, 31), "set": {1, 2}, "big": 10**5_000, "nan": math.inf, "b": b"x"}
    plan = PlanBuilderV2().function_step(function=dict, args=given).build()
    [step] = built_by(plan.to_script(), tmp_path).steps
    assert {name: each.value for name, each in step.args.items()} == given


TEXT = st.one_of(st.sampled_from(PAYLOADS), st.text(max_size=40))
WRITTEN = TEXT.map(lambda text: text.encode("utf-8", "replace").decode())
NAMES = WRITTEN.map(lambda text: f"n{text}".translate({ord(c): "_" for c in "/[]"}))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=WRITTEN, task=WRITTEN, name=NAMES, key=WRITTEN, value=VALUES, about=WRITTEN)
def test_N29_no_name_and_no_value_becomes_code(
    tmp_path: Path, query: str, task: str, name: str, key: str, value: Any, about: str
):
    inner = LLMStep(name="in", task=task or "t", inputs=(Variable(name="$w", description=about),))
    plan = Plan(
        plan_context=PlanContext(query=query, tool_ids=(key,)),
        plan_inputs=(PlanInput(name=key, description=about),),
        steps=(
            LLMStep(name=name, output=f"${name}", task=task, system_prompt=about, model=key),
            {
                "kind": "tool",
                "tool_id": key,
                "task": task,
                "output": "$t",
                "args": {
                    key: {"value": None},
                    "ref": {"step": name, "path": key},
                    "text": {"parts": [task, {"step": name}, about]},
                },
            },
            SubPlanStep(name="sub", task=query, steps=(inner,), args={}),
        ),
    )
    step = plan.steps[1].model_copy(update={"args": {**plan.steps[1].args, "v": as_value(value)}})
    plan = plan.model_copy(update={"steps": (plan.steps[0], step, plan.steps[2])})
    script = plan_to_script(plan)
    tree = ast.parse(script)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert {each.rpartition(".")[2] for each in called} <= CALLS
    assert built_by(script, tmp_path).content_hash() == plan.content_hash()


CALLS = {
    *("PlanBuilderV2", "input", "add_step", "add_sub_plan", "build", "model_copy", "print"),
    *("pretty_print", "llm_step", "invoke_tool_step", "str", "decode", "LLMStep", "Variable"),
    *("InvokeToolStep", "SubPlanStep", "Plan", "PlanContext", "PlanInput", "StepOutput", "Value"),
    "Parts",
}


def as_value(value: Any) -> Any:
    from portia_nb.model.reference import Value

    return Value(value)
