"""Branches inside a for-each inside an inner plan: killed by `kill -9`, asked, drawn, stored."""

from __future__ import annotations

import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from portia_nb import Input, PlanBuilderV2, PlanRunState, StepOutput
from portia_nb.drawing.plan_svg import plan_to_svg
from portia_nb.model.plan import Plan

from .conftest import Story
from .programs import Program, output_of

PROGRAM = '''
"""Visit places in each country, killed in the middle of one. main.py HOW PLACE"""
import sys
from pathlib import Path
from portia_nb import Input, PlanBuilderV2, Portia, StepOutput

HOW, PLACE = sys.argv[1], sys.argv[2]
COUNTRIES = [["Oslo", "Bergen"], ["Rome", "Pisa", None]]


def note(text):
    with Path("calls.txt").open("a") as calls:
        calls.write(f"{text} ")


def is_long(place):
    note(f"long?{place}")
    return len(place) > 4


def visit(place):
    note(place)
    if HOW == "run" and place == PLACE:
        print(f"waiting {place}", flush=True)
        sys.stdin.read()
    return place.lower()


def build():
    inner = PlanBuilderV2("Visit the places of a country").input(name="places")
    with inner.loop(over=Input("places"), step_name="each_place") as place:
        with inner.if_(lambda place: place is not None, {"place": place}, step_name="is_there"):
            with inner.if_(is_long, {"place": place}, step_name="by_length"):
                inner.function_step(function=visit, args={"place": place}, step_name="train")
            with inner.else_():
                inner.function_step(function=visit, args={"place": place}, step_name="walk")
    inner.function_step(
        function=lambda **found: found["all"],
        args={"all": StepOutput("is_there", full=True)},
        step_name="visited",
    )
    builder = PlanBuilderV2("Travel")
    builder.function_step(function=lambda: note("plan") or COUNTRIES, step_name="countries")
    with builder.loop(over=StepOutput("countries"), step_name="each_country") as country:
        builder.add_sub_plan(inner.build(), {"places": country}, step_name="travel")
    builder.function_step(
        function=lambda all: [place for places in all for place in places],
        args={"all": StepOutput("travel", full=True)},
        step_name="report",
    )
    return builder.build()


portia = Portia()
plan = build()
if HOW == "resume":
    (row,) = portia.store.find_runs()
    run = portia.resume(plan_run_id=row.run_id)
else:
    run = portia.run_plan(plan)
print(run.state, run.final_output and run.final_output.value)
'''


def calls(folder: Path) -> str:
    return (folder / "calls.txt").read_text().strip()


@pytest.mark.timeout(60)
def test_a_run_killed_inside_an_inner_loop_repeats_nothing_that_was_finished(story: Story):
    with Program(story.folder, PROGRAM, "run", "Rome") as program:
        assert program.wait_for_line() == "waiting Rome"
        assert program.kill() == -signal.SIGKILL
    assert calls(story.folder) == "plan long?Oslo Oslo long?Bergen Bergen long?Rome Rome"
    said = output_of(story.folder, PROGRAM, "resume", "")
    assert said == "COMPLETE ['oslo', 'bergen', 'rome', 'pisa']\n"
    # The step that was under way runs again; what decided for it does not.
    assert calls(story.folder).endswith("long?Rome Rome Rome long?Pisa Pisa")

    (row,) = story.portia().store.find_runs()
    run = story.portia().get_run(row.run_id)
    assert run.state is PlanRunState.COMPLETE
    assert run.outputs["travel"].value == ["rome", "pisa"]


def asking() -> Plan:
    """Return a plan that asks in a branch, in a loop, after a step that must not be repeated."""
    builder = PlanBuilderV2("ask").input(name="names")
    with builder.loop(over=Input("names"), step_name="each") as name:
        with builder.if_(lambda name: name.startswith("B"), {"name": name}, step_name="is_b"):
            builder.user_input(message=f"What of {name}?", step_name="ask")
        with builder.else_():
            builder.function_step(function=lambda name: name, args={"name": name})
    return builder.build()


def test_the_loop_that_people_wrote_for_the_reference_answers_questions_in_loops(story: Story):
    portia = story.portia()
    builder = story.builder()
    builder.add_steps(asking())
    builder.function_step(
        function=lambda early, said: (early, said),
        args={"early": StepOutput("early"), "said": StepOutput("ask", full=True)},
        step_name="end",
    )
    run = portia.run_plan(builder.build(), plan_run_inputs={"names": ["Bo", "Al", "Bea"]})
    while run.state == PlanRunState.NEED_CLARIFICATION:
        for clarification in run.get_outstanding_clarifications():
            run = portia.resolve_clarification(
                clarification, clarification.user_guidance[8:-1], run
            )
        run = portia.resume(run)
        story.still_keeps_the_early_output(run)
    assert run.state == PlanRunState.COMPLETE, run.error
    assert run.final_output is not None
    assert run.final_output.value[1] == ["Bo", "Bea"]
    assert story.early_calls == 1


def test_a_stored_plan_with_bodies_comes_back_whole_and_is_drawn(story: Story):
    portia = story.portia()
    plan = asking()
    run = portia.run_plan(plan, plan_run_inputs={"names": ["Al"]})
    assert run.state == PlanRunState.COMPLETE, run.error
    kept = story.portia().store.load_plan(plan.id)
    assert kept == plan
    assert kept.content_hash() == plan.content_hash()
    picture = ElementTree.fromstring(plan_to_svg(kept))
    shown = {element.text for element in picture.iter() if element.text}
    assert {"each", "is_b", "ask", "else"} <= shown
