"""Edits of a plan: each gives another plan; what refers to a step follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portia_nb import (
    Input,
    Plan,
    PlanBuilderV2,
    StepOutput,
    open_source_tool_registry as TOOLS,
    tool,
)
from portia_nb.errors import (
    PlanCheckError,
    PlanError,
    PortiaBaseError,
    StepNotFoundError,
    ToolNotFoundError,
)
from portia_nb.model.reference import Value
from portia_nb.planning.difference import plan_changes
from portia_nb.planning.switched_off import off_notes


@tool(side_effect=False)
def shout(text: str, times: int = 1) -> str:
    """Say it loud."""
    return text.upper() * times


def trip() -> Plan:
    """Return a plan with a branch, a loop, an inner plan, and references of every kind."""
    inner = PlanBuilderV2().input(name="town").llm_step(task="Look it up", step_name="look")
    inner.llm_step(task="Tell", inputs=[StepOutput("look"), Input("town")], step_name="tell")
    b = PlanBuilderV2("Plan a trip").input(name="month", default_value="May")
    b.llm_step(task=f"Find towns for {Input('month')}", step_name="find")
    with b.loop(over=StepOutput("find"), step_name="each") as town:
        b.llm_step(task="The sky", inputs=[town], step_name="sky")
        with b.if_(condition=f"{StepOutput('sky')} is fine", step_name="fine"):
            b.invoke_tool_step(tool=shout, args={"text": StepOutput("sky")}, step_name="cheer")
    b.add_sub_plan(inner.build(), input_values={"town": StepOutput("find")}, step_name="guide")
    b.llm_step(task=f"Sum up {StepOutput('sky', full=True)}", after=["guide"], step_name="sum")
    return b.build()


def references(plan: Plan) -> str:
    return plan.model_dump_json()


@pytest.mark.parametrize("name", ["find", "sky", "each/sky", "each", "guide/look", "guide", "sum"])
def test_what_refers_to_a_step_follows_its_new_name_everywhere(name: str):
    plan = trip()
    old = name.rpartition("/")[2]
    new = plan.rename(name, "brand_new")
    assert f'"{old}"' not in references(new).replace('"task":"sum"', "")
    assert f"${old}" not in references(new)
    assert references(new).count("brand_new") >= references(plan).count(f'"{old}"')
    assert new.id != plan.id
    # and back again it is the same plan
    place = name.removesuffix(old) + "brand_new"
    assert new.rename(place, old).content_hash() == plan.content_hash()


def test_an_edit_leaves_the_plan_that_it_began_with_as_it_was():
    plan = trip()
    before = plan.content_hash(), plan.model_dump_json()
    plan.rename("sky", "weather").disable("guide").remove("sum")
    plan.edit("find", task="Find one town").edit("sum", after=[]).move("sum", before="guide")
    assert (plan.content_hash(), plan.model_dump_json()) == before


def test_sentences_that_speak_of_a_step_by_its_dollar_name_follow_too():
    steps = [
        {"task": "Find", "output": "$find"},
        {"task": "Use $find, not $finder", "inputs": [{"name": "$find"}], "output": "$use"},
    ]
    plan = Plan(steps=[*steps]).rename("find", "found")
    assert plan.steps[1].task == "Use $found, not $finder"
    assert plan.steps[1].inputs[0].name == "$found"


def test_a_step_moves_within_its_body_and_into_another():
    plan = trip().insert({"task": "Hello", "output": "$hello"})
    assert [s.name for s in plan.steps] == ["find", "each", "guide", "sum", "hello"]
    first = plan.move("hello", before="find")
    assert [s.name for s in first.steps] == ["hello", "find", "each", "guide", "sum"]
    inside = plan.move("hello", after="each/sky")
    assert [s.name for s in inside.step("each").steps] == ["sky", "hello", "fine"]
    assert [s.name for s in inside.move("hello", after="sum").steps] == [s.name for s in plan.steps]
    assert plan.move("hello", before="hello") is plan


def test_a_step_goes_into_a_branch_a_loop_or_an_inner_plan():
    step = {"task": "Hello", "output": "$hello"}
    plan = trip()
    assert plan.insert(step, into="each").step("each").steps[-1].name == "hello"
    assert plan.insert(step, into="fine").step("each/fine/hello").task == "Hello"
    assert plan.insert(step, before="guide/look").step("guide").steps[0].name == "hello"
    assert plan.insert(plan.step("sum").model_copy(update={"name": "s", "output": "$s"}))


def test_a_tool_step_keeps_its_tool_and_a_tool_that_was_given_as_an_object():
    plan = trip().edit("cheer", args={"times": 2}).rename("cheer", "loud")
    loud = plan.step("loud")
    assert loud.bound_tool.id == "shout"
    assert loud.args["times"] == Value(2)
    assert loud.args["text"] == StepOutput("sky")


def test_the_kind_of_a_step_follows_from_its_tool_and_what_of_it_is_bound():
    plan = PlanBuilderV2().llm_step(task="Look", step_name="look").build()
    bound = plan.edit("look", tool="search_tool", args={"search_query": "Oslo"}, tools=TOOLS)
    assert (bound.step("look").kind, bound.step("look").task) == ("tool", "Look")
    left_open = plan.edit("look", tool="search_tool", tools=TOOLS)
    assert left_open.step("look").kind == "agent"
    assert bound.edit("look", tool="llm_tool", tools=TOOLS).step("look").kind == "llm"
    assert bound.edit("look", tool="search_tool", tools=TOOLS) is bound
    with pytest.raises(PlanError, match="llm_tool takes no args"):
        plan.edit("look", tool="llm_tool", args={"a": 1})


def test_what_reads_a_step_that_is_switched_off_is_told_so():
    notes = off_notes(trip().disable("find").disable("guide"))
    assert notes["find"] == "It is switched off: it is skipped when the plan runs."
    assert (
        notes["each"] == "It reads 'find', which is switched off, and gets nothing (None) from it."
    )
    assert notes["guide/look"] == "It is skipped with 'guide', which is switched off."
    assert off_notes(trip()) == {}
    assert trip().disable("sky").enable("sky").content_hash() == trip().content_hash()


def test_a_step_is_removed_with_the_steps_in_it():
    plan = trip().edit("sum", task="Sum up", after=[])
    assert [s.name for s in plan.remove("each").steps] == ["find", "guide", "sum"]
    assert [s.name for s in plan.remove("each/fine").step("each").steps] == ["sky"]


REFUSED: dict[str, tuple[Callable[[Plan], Any], type[PortiaBaseError], str]] = {
    "a step that isn't there": (
        lambda p: p.rename("fnd", "x"),
        StepNotFoundError,
        "no step 'fnd' in this plan: did you mean 'find'",
    ),
    "one round of a loop": (
        lambda p: p.disable("each[2]/sky"),
        StepNotFoundError,
        "one step for all rounds: name 'each/sky'",
    ),
    "a name that is taken": (
        lambda p: p.rename("sum", "sky"),
        PlanCheckError,
        "a step called 'sky' already: choose another name",
    ),
    "a name that can't be": (lambda p: p.rename("sum", "a/b"), PlanCheckError, "called 'a/b'"),
    "removing what others read": (
        lambda p: p.remove("find"),
        PlanError,
        "'find' can't be removed: 'each', 'guide' refer to it.*switch it off",
    ),
    "moving behind a reader": (
        lambda p: p.move("find", after="sum"),
        PlanCheckError,
        "step 'each' refers to 'find', which comes later in the plan: put 'find' first",
    ),
    "moving into itself": (
        lambda p: p.move("each", after="sky"),
        PlanError,
        "'each' can't go next to 'each/sky', which is in it",
    ),
    "moving into another plan": (
        lambda p: p.move("sum", after="guide/look"),
        PlanError,
        "which belongs to another plan",
    ),
    "moving nowhere": (lambda p: p.move("sum"), PlanError, "before=… or after=…"),
    "a circle": (
        lambda p: p.edit("find", after=["sum"]),
        PlanCheckError,
        "wait for each other in a circle",
    ),
    "an input that isn't there": (
        lambda p: p.edit("sum", inputs=[StepOutput("skyy")]),
        PlanCheckError,
        "refers to 'skyy', and there is no such step.*did you mean 'sky'",
    ),
    "a field that isn't there": (
        lambda p: p.edit("sum", tsk="x"),
        PlanError,
        "no field 'tsk' to change: did you mean 'task'",
    ),
    "a value that can't be": (
        lambda p: p.edit("sum", retries=-1),
        PlanError,
        "step 'sum': retries can't be that",
    ),
    "a tool that isn't there": (
        lambda p: p.edit("sum", tool="serch_tool", tools=TOOLS),
        ToolNotFoundError,
        "did you mean 'search_tool'",
    ),
    "an argument that the tool hasn't got": (
        lambda p: p.edit("cheer", args={"txt": "a"}),
        PlanCheckError,
        "'txt'",
    ),
    "a step that is none": (
        lambda p: p.insert({"tsk": "Hello"}),
        PlanError,
        "that is no step: tsk",
    ),
    "a step in two places": (
        lambda p: p.insert({"task": "a", "output": "$a"}, before="find", after="sum"),
        PlanError,
        "one place for the new step",
    ),
    "a branch that isn't there": (
        lambda p: p.insert({"task": "a", "output": "$a"}, into="fine", branch=4),
        PlanError,
        "has no branch 4, counted from 0",
    ),
    "a step into one that holds none": (
        lambda p: p.insert({"task": "a", "output": "$a"}, into="sum"),
        PlanError,
        "'sum' holds no steps",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_edit_that_cannot_be_is_refused_with_what_to_do(what: str):
    change, error, message = REFUSED[what]
    with pytest.raises(error, match=f"(?s){message}"):
        change(trip())


def test_a_plan_that_cannot_run_yet_can_be_mended_step_by_step():
    broken = Plan(
        steps=[
            {"task": "a", "tool_id": "nosuch", "args": {}, "output": "$a"},
            {"task": "b", "tool_id": "neither", "args": {}, "output": "$b"},
        ]
    )
    half = broken.edit("a", tool="llm_tool", tools=TOOLS)
    whole = half.edit("b", tool="llm_tool", tools=TOOLS)
    assert [s.kind for s in whole.steps] == ["llm", "llm"]


def test_the_difference_between_two_versions_names_what_was_edited():
    plan = trip()
    new = plan.edit("find", task="Find one").disable("guide").insert({"task": "x", "output": "$x"})
    assert [tuple(c) for c in plan_changes(plan, new)] == [
        ("find", "edited", ("task", "task_parts")),
        ("guide", "edited", ("disabled",)),
        ("x", "added", ()),
    ]
