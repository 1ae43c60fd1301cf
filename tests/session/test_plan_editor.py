"""Plans before they run: versions with undo, names, a change in words, comparing (N12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from portia_nb import Config, Plan, PlanBuilderV2, Portia, StepOutput
from portia_nb.errors import (
    InvalidOption,
    PlanCheckError,
    PlanError,
    PlanNotFoundError,
    ToolNotFoundError,
)
from tests.planning.answers import Answering, planned

from .stage import portia


def trip() -> Plan:
    return (
        PlanBuilderV2("Plan a trip")
        .function_step(function=lambda: "Rome", step_name="town", side_effect=False)
        .function_step(
            function=lambda town: f"{town}!", args={"town": StepOutput("town")}, step_name="praise"
        )
        .build()
    )


def test_each_change_is_a_version_and_undo_and_redo_go_between_them():
    us = portia()
    editor = us.edit(trip(), "trip")
    editor.rename("town", "city")
    editor.disable("praise")
    assert (editor.number, editor.can_redo) == (3, False)
    assert [v.change for v in editor.versions] == ["", "renamed 'town'", "switched off 'praise'"]
    assert not editor.undo().step("praise").disabled
    assert editor.undo().content_hash() == trip().content_hash()
    with pytest.raises(PlanError, match="nothing to undo"):
        editor.undo()
    assert editor.redo().step("city").name == "city"
    editor.edit("city", retries=2)
    with pytest.raises(PlanError, match="nothing to redo"):
        editor.redo()
    assert [(c.place, c.how) for c in editor.difference().changes] == [
        ("city", "renamed"),
        ("praise", "edited"),
    ]


def test_an_edit_that_changes_nothing_makes_no_version_and_a_bad_one_leaves_all_as_it_was():
    editor = portia().edit(trip(), "trip")
    editor.enable("town")
    with pytest.raises(PlanCheckError):
        editor.move("praise", before="town")
    with pytest.raises(PlanCheckError, match="did you mean 'town'"):
        editor.edit("praise", args={"town": StepOutput("twon")})
    assert len(editor.versions) == 1


def test_tools_are_those_of_the_portia():
    editor = portia().edit(PlanBuilderV2().llm_step(task="Look", step_name="look").build())
    with pytest.raises(ToolNotFoundError):
        editor.edit("look", tool="search_tool")


def test_a_name_means_the_plan_as_it_stands_and_runs_by_it_functions_too():
    us = portia()
    us.edit(trip(), "trip").disable("praise")
    assert us.run_plan("trip").final_output.value == "Rome"
    us.edit("trip").undo()
    assert us.run_plan("trip").final_output.value == "Rome!"
    assert [(v.name, v.number) for v in us.named_plans()] == [("trip", 1)]


def test_another_process_goes_on_where_this_one_stopped(tmp_path: Path):
    plan = PlanBuilderV2("Look").llm_step(task="Look", step_name="look").build()
    first = Portia(Config(store=str(tmp_path)), tools=[])
    first.edit(plan, "trip").edit("look", task="Look twice")
    first.store.close()
    then = Portia(Config(store=str(tmp_path)), tools=[]).edit("trip")
    assert then.plan.steps[0].task == "Look twice"
    assert then.undo().steps[0].task == "Look"
    assert then.redo().steps[0].task == "Look twice"


def test_a_plan_that_is_given_anew_under_a_name_is_its_next_version():
    us = portia()
    us.keep_plan(trip(), "trip")
    assert us.keep_plan(trip(), "trip").number == 1
    assert us.keep_plan(trip().disable("praise"), "trip").number == 2
    us.forget_plan("trip")
    with pytest.raises(PlanNotFoundError):
        us.edit("trip")
    with pytest.raises(PlanNotFoundError, match="no plan is called 'trip'"):
        us.forget_plan("trip")


def test_a_name_that_is_nearly_right_is_named_and_one_that_cannot_be_is_refused():
    us = portia()
    us.keep_plan(trip(), "trip")
    with pytest.raises(PlanNotFoundError, match="no plan is called 'tripp': did you mean 'trip'"):
        us.run_plan("tripp")
    for name in ("", "plan-1", "a\nb", "x" * 101):
        with pytest.raises(InvalidOption, match="can't be a plan's name"):
            us.keep_plan(trip(), name)


def test_an_editor_without_a_name_keeps_nothing_in_the_store():
    us = portia()
    editor = us.edit(trip())
    editor.disable("praise")
    assert editor.undo().content_hash() == trip().content_hash()
    assert us.named_plans() == []


def asked_in_words(*replies: object) -> tuple[Portia, Answering]:
    model = Answering(*replies)
    return Portia(Config(store="memory", planning_model=model), tools=[]), model


def look() -> Plan:
    return PlanBuilderV2("Look").llm_step(task="Look", step_name="look").build()


async def test_a_change_in_words_is_a_version_and_its_cost_goes_to_the_run_that_follows():
    reply = {"steps": [{**planned("look"), "task": "Look in metres"}], "error": None}
    us, model = asked_in_words(reply, reply)
    assert us.change(look(), "use metric units").steps[0].task == "Look in metres"
    editor = us.edit(look(), "trip")
    changed = await editor.achange("use metric units")
    assert editor.versions[-1].change == "“use metric units”"
    assert [f.after for c in editor.difference().changes for f in c.fields] == ["Look in metres"]
    assert len(us._parts.planning_cost[changed.id]) == 1
    assert len(model.requests) == 2


async def test_a_change_in_words_never_overwrites_what_was_done_meanwhile():
    us, model = asked_in_words({"steps": [planned("look")], "error": None})
    editor = us.edit(look(), "trip")
    real = model.reply

    async def slow(request, *, on_text=None):
        editor.edit("look", task="Look by hand")
        return await real(request)

    model.reply = slow
    with pytest.raises(PlanError, match="changed while the model was asked"):
        await editor.achange("again")
    assert editor.plan.steps[0].task == "Look by hand"
