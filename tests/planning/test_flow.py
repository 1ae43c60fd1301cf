"""Control flow in the builder: the tree that its flat calls mean, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portia_nb import Input, PlanBuilderV2, StepOutput
from portia_nb.errors import PlanCheckError
from portia_nb.model.plan import (
    Branch,
    ConditionalStep,
    ExitStep,
    LLMStep,
    LoopStep,
    Plan,
    SubPlanStep,
)
from portia_nb.model.reference import Value


def is_big(n: int) -> bool:
    return n > 1


def flat() -> Plan:
    """Return a plan of flat calls that uses each clause; the comments are the indexes."""
    return (
        PlanBuilderV2()
        .llm_step(task="Count", step_name="count")  # 0
        .if_(is_big, {"n": StepOutput("count")}, step_name="choice")  # 1
        .llm_step(task="Big", step_name="big")  # 2
        .else_if_("It is one", {"n": StepOutput(0)})  # 3
        .loop(over=[1, 2], step_name="each")  # 4
        .llm_step(task=f"Item {StepOutput(4)}", step_name="item")  # 5
        .end_loop(step_name="each_end")  # 6
        .else_()  # 7
        .exit("Nothing", step_name="leave")  # 8
        .endif()  # 9
        .llm_step(
            task="Sum up",
            inputs=[StepOutput(9), StepOutput(3), StepOutput("each_end"), StepOutput(-1 - 5)],
            step_name="sum",
        )  # 10
        .build()
    )


def test_flat_calls_mean_a_tree() -> None:
    plan = flat()
    assert [step.name for step in plan.steps] == ["count", "choice", "sum"]
    choice = plan.step("choice")
    assert isinstance(choice, ConditionalStep)
    names = [[step.name for step in branch.steps] for branch in choice.branches]
    assert names == [["big"], ["each"], ["leave"]]
    assert [branch.condition is None for branch in choice.branches] == [False, False, True]
    each = plan.step("each")
    assert isinstance(each, LoopStep)
    assert each.steps[0].task == "Item $each"
    assert isinstance(plan.step("leave"), ExitStep)


def test_clauses_count_as_steps_and_mean_what_they_belong_to() -> None:
    plan = flat()
    outputs = {place.step.name: place.step.output for place in plan.names.places}
    assert outputs["big"] == "$step_2_output"
    assert outputs["leave"] == "$step_8_output"
    assert [v.name for v in plan.step("sum").inputs] == ["$choice", "$each", "$item"]


def test_with_blocks_mean_the_same_tree_as_flat_calls() -> None:
    builder = PlanBuilderV2().llm_step(task="Count", step_name="count")
    with builder.if_(is_big, {"n": StepOutput("count")}, step_name="choice"):
        builder.llm_step(task="Big", step_name="big")
    with (
        builder.else_if_("It is one", {"n": StepOutput(0)}),
        builder.loop(over=[1, 2], step_name="each") as item,
    ):
        builder.llm_step(task=f"Item {item}", step_name="item")
    with builder.else_():
        builder.exit("Nothing", step_name="leave")
    builder.llm_step(
        task="Sum up",
        inputs=[StepOutput("choice"), StepOutput("each"), StepOutput("item")],
        step_name="sum",
    )
    assert builder.build().content_hash() == flat().content_hash()


def test_every_kind_of_body_comes_back_from_json_as_itself() -> None:
    inner = PlanBuilderV2("in").input(name="x").llm_step(task=f"{Input('x')}").build()
    plan = (
        PlanBuilderV2()
        .loop(while_=StepOutput(0), max_iterations=5, step_name="a")
        .llm_step(task="t", step_name="t")
        .end_loop()
        .loop(do_while_=is_big, args={"n": 1}, step_name="b")
        .add_sub_plan(inner, {"x": [StepOutput("t"), 1]}, step_name="sub")
        .end_loop()
        .loop(over=StepOutput("t"), parallel=True, step_name="c")
        .exit(f"No {StepOutput('c')}", error=True)
        .end_loop()
        .build()
    )
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again == plan
    assert again.content_hash() == plan.content_hash()
    assert again.missing_functions() == ("is_big",)
    assert isinstance(again.step("b/sub"), SubPlanStep)
    assert isinstance(again.step("b[3]/sub/step_0"), LLMStep)


def test_a_deep_plan_is_printed_in_time_linear_in_its_depth() -> None:
    step: Any = ExitStep(name="leave", message=Value(""))
    for depth in range(60):
        step = ConditionalStep(name=f"c{depth}", branches=(Branch(steps=(step,)),))
    assert len(Plan(steps=(step,)).model_dump_json()) < 20_000


def test_steps_of_another_plan_are_named_by_their_new_index() -> None:
    other = (
        PlanBuilderV2()
        .input(name="who")
        .loop(over=[1])
        .llm_step(task=f"Greet {Input('who')}", inputs=[StepOutput(0)])
        .end_loop()
        .llm_step(task="End", inputs=[StepOutput(1)])
        .build()
    )
    builder = PlanBuilderV2().llm_step(task="Name", step_name="name")
    plan = builder.add_steps(other, {"who": StepOutput("name")}).build()
    assert [place.step.name for place in plan.names.places] == [
        "name",
        "step_1",
        "step_2",
        "step_4",
    ]
    assert plan.step("step_2").task == "Greet $name"
    assert [v.name for v in plan.step("step_4").inputs] == ["$step_2"]
    assert other.steps[0].name == "step_0"


def test_a_step_that_was_made_elsewhere_is_added_with_what_it_holds() -> None:
    loop = LoopStep(over=Value([1]), steps=(LLMStep(task="t", output="$t"),))
    plan = PlanBuilderV2().add_step(loop).add_steps([LLMStep(task="u", output="$u")]).build()
    assert [place.step.name for place in plan.names.places] == ["step_0", "t", "u"]


def in_loop(builder: PlanBuilderV2, **more: Any) -> PlanBuilderV2:
    return builder.loop(over=[1], step_name="each", **more)


def ask(builder: PlanBuilderV2, name: str, *inputs: Any) -> PlanBuilderV2:
    return builder.llm_step(task="t", step_name=name, inputs=list(inputs))


def deep(depth: int) -> Plan:
    """Return a plan with so many plans, each in a branch of the one around it."""
    plan = PlanBuilderV2().llm_step(task="t").build()
    for _ in range(depth):
        sub = SubPlanStep(name="sub", steps=plan.steps)
        plan = Plan(steps=(ConditionalStep(name="c", branches=(Branch(steps=(sub,)),)),))
    return plan


INNER = PlanBuilderV2("inner").input(name="x").llm_step(task=f"{Input('x')}").build()


@pytest.mark.parametrize(
    ("build", "fact"),
    [
        (lambda b: b.endif(), "endif() without its if_(…): nothing is open"),
        (lambda b: in_loop(b).endif(), "loop 'each' is open"),
        (lambda b: b.if_(True).end_loop(), "end_loop() without its loop"),
        (lambda b: b.if_(True).else_().else_(), "after the else_()"),
        (lambda b: in_loop(b).build(), "loop 'each' is not closed: call end_loop()"),
        (lambda b: ask(b.if_(True), "a").build(), "call endif()"),
        (lambda b: in_loop(b).end_loop().build(), "no steps in it"),
        (
            lambda b: ask(ask(b.if_(True), "a").else_(), "b", StepOutput("a")).endif().build(),
            "'b' refers to 'a' in another branch",
        ),
        (
            lambda b: ask(b.if_(StepOutput("a")), "a").endif().build(),
            "hangs on 'a', which is in it",
        ),
        (
            lambda b: ask(b.loop(over=StepOutput("a")), "a").end_loop().build(),
            "hangs on 'a', which is in it",
        ),
        (
            lambda b: ask(in_loop(b, parallel=True), "a", StepOutput("a")).end_loop().build(),
            "set parallel=False",
        ),
        (
            lambda b: ask(ask(b.if_(True), "a", StepOutput("b")), "b").endif().build(),
            "put 'b' first",
        ),
        (
            lambda b: ask(b.if_(True, step_name="c"), "a", StepOutput("c")).endif().build(),
            "'a' refers to 'c', which it is in",
        ),
        (lambda b: ask(ask(in_loop(b), "a").end_loop(), "a").build(), "share the name 'a'"),
        (lambda b: ask(b.loop(over="abc"), "a").end_loop().build(), "loops over a str"),
        (lambda b: ask(b.loop(over=5), "a").end_loop().build(), "loops over a int"),
        (lambda b: b.add_sub_plan(deep(12)).build(), "nested deeper than 20"),
        (lambda b: ask(b.if_(is_big), "a").endif().build(), "can't be called like this"),
        (lambda b: b.add_sub_plan(INNER).build(), "input_values={'x': …}"),
        (lambda b: b.add_sub_plan(INNER, {"y": 1, "x": 2}).build(), "takes no input 'y'"),
    ],
)
def test_what_can_not_run_is_refused_and_the_message_says_why(
    build: Callable[[PlanBuilderV2], Any], fact: str
) -> None:
    with pytest.raises(PlanCheckError) as error:
        build(PlanBuilderV2())
    assert fact in str(error.value)


def test_in_a_loop_a_step_may_refer_to_itself_and_to_later_ones() -> None:
    builder = in_loop(PlanBuilderV2())
    ask(builder, "a", StepOutput("b"), StepOutput("a"))
    plan = ask(builder, "b", StepOutput("a")).end_loop().build()
    assert [v.name for v in plan.step("a").inputs] == ["$b", "$a"]


@pytest.mark.parametrize("given", [None, 5, ["x"]])
def test_what_decides_nothing_is_no_condition(given: Any) -> None:
    with pytest.raises(TypeError, match="a condition is a function, a sentence"):
        PlanBuilderV2().if_(given)


@pytest.mark.parametrize("kinds", [{}, {"over": [1], "while_": is_big}])
def test_a_loop_goes_by_exactly_one_thing(kinds: Any) -> None:
    with pytest.raises(ValueError, match="exactly one of over, while_, do_while_"):
        PlanBuilderV2().loop(**kinds)


def test_with_goes_with_opening_calls_only() -> None:
    builder = PlanBuilderV2().llm_step(task="t")
    with pytest.raises(TypeError, match="with goes with"), builder:
        pass


def test_inputs_of_two_plans_that_differ_are_not_mixed_up() -> None:
    one = PlanBuilderV2().input(name="x", default_value=1).llm_step(task=f"{Input('x')}").build()
    builder = PlanBuilderV2().input(name="x", default_value=2)
    with pytest.raises(ValueError, match="both plans have an input 'x'"):
        builder.add_steps(one)
    with pytest.raises(ValueError, match="takes no input 'z'"):
        builder.add_steps(one, {"z": 1})
