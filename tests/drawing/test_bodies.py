"""Steps inside steps, as pictures, Graphviz source and text."""

from __future__ import annotations

import subprocess
from xml.etree import ElementTree

import pytest

from portia_nb import Input, Plan, PlanBuilderV2, StepOutput
from portia_nb.drawing.dot import plan_to_dot
from portia_nb.drawing.graphviz_layout import has_dot
from portia_nb.drawing.picture import Line, place
from portia_nb.drawing.plan_picture import plan_picture, shown_states
from portia_nb.drawing.plan_svg import plan_to_svg
from portia_nb.drawing.text import plan_to_text, run_to_text
from portia_nb.model.events import (
    BranchTaken,
    Recorded,
    RunStarted,
    StepDone,
    StepSkipped,
    StepStarted,
)
from portia_nb.model.run import Run


def nested() -> Plan:
    """Return conditionals inside a for-each inside an inner plan."""
    inner = PlanBuilderV2("Judge").input(name="cities")
    with inner.loop(over=Input("cities"), step_name="each") as city:
        inner.llm_step(task=f"Size of {city}", step_name="size")
        with inner.if_("It is large", {"size": StepOutput("size")}, step_name="large"):
            inner.llm_step(task="Shorten", step_name="shorten")
        with inner.else_():
            inner.exit("Too small", step_name="leave")
    builder = PlanBuilderV2("Cities").llm_step(task="Find", step_name="find")
    builder.add_sub_plan(inner.build(), {"cities": StepOutput("find")}, step_name="judge")
    return builder.llm_step(task="Sum up", inputs=[StepOutput("judge")], step_name="sum").build()


def told(*events) -> Run:
    run = Run("prun-1", nested())
    for seq, event in enumerate((RunStarted(), *events), start=1):
        run.apply(Recorded(run_id="prun-1", seq=seq, at=1_000.0 + seq, event=event))
    return run


def in_second_round() -> Run:
    return told(
        StepStarted("find"),
        StepDone("find", 1, ["a", "b"]),
        StepStarted("judge"),
        StepStarted("judge/each"),
        StepStarted("judge/each[0]"),
        StepStarted("judge/each[0]/large"),
        BranchTaken("judge/each[0]/large", 0),
        StepSkipped("judge/each[0]/large/leave", "its branch was not taken"),
        StepDone("judge/each[0]/large", 1),
        StepDone("judge/each[0]", 1),
        StepStarted("judge/each[1]"),
        StepStarted("judge/each[1]/size"),
    )


def test_bodies_are_frames_around_their_steps():
    picture = plan_picture(nested())
    frames = {frame.id: frame for frame in picture.frames}
    cards = {card.name: card for card in picture.cards}

    def around(name: str) -> list[str]:
        titles, at = [], cards[name].frame
        while at is not None:
            titles.append(frames[at].title)
            at = frames[at].parent
        return titles

    assert around("find") == around("sum") == []
    assert around("size") == ["each", "judge"]
    assert around("shorten") == ["if It is large", "large", "each", "judge"]
    assert around("leave") == ["else", "large", "each", "judge"]


def test_lines_end_at_frames_and_start_from_them():
    picture = plan_picture(nested())
    ids = picture.ids
    assert ids is not None
    assert set(picture.lines) == {
        Line(ids["find"], ids["judge"]),
        Line(ids["judge"], ids["sum"]),
        Line(ids["judge/each/size"], ids["judge/each/large"]),
    }
    placed = place(picture)
    assert all(route for route in placed.routes)


def test_a_picture_shows_the_round_that_began_last():
    states = shown_states(in_second_round())
    assert states["judge"] == states["judge/each"] == states["judge/each/size"] == "running"
    assert states["judge/each/large/leave"] == "skipped"
    frames = {f.title: f.state for f in plan_picture(nested(), states).frames}
    assert frames["else"] == "skipped"


def test_an_svg_of_bodies_is_sound_and_names_all_of_them():
    picture = ElementTree.fromstring(plan_to_svg(nested(), shown_states(in_second_round())))
    texts = {element.text for element in picture.iter() if element.text}
    assert {"judge", "each", "large", "else", "size", "leave"} <= texts


@pytest.mark.skipif(not has_dot(), reason="Graphviz is not installed")
def test_graphviz_draws_bodies_as_clusters():
    source = plan_to_dot(nested(), {"judge": "done"})
    drawn = subprocess.run(["dot", "-Tplain"], input=source, capture_output=True, text=True)
    assert (drawn.returncode, drawn.stderr) == (0, "")
    nodes = [line.split()[1] for line in drawn.stdout.splitlines() if line.startswith("node ")]
    assert len(nodes) == len(plan_picture(nested()).cards)
    assert source.count("subgraph cluster_") == len(plan_picture(nested()).frames)


def test_text_lists_steps_inside_others_below_them():
    rows = plan_to_text(nested()).splitlines()[1:]
    assert [row.split()[:2] for row in rows] == [
        ["1", "find"],
        ["2", "judge"],
        ["2.1", "each"],
        ["2.1.1", "size"],
        ["2.1.2", "large"],
        ["2.1.2.1", "shorten"],
        ["2.1.2.2", "leave"],
        ["3", "sum"],
    ]
    assert "← 2.1.1" in rows[4]


def test_text_of_a_run_shows_how_steps_inside_others_stand():
    rows = {row.split()[0]: row for row in run_to_text(in_second_round()).splitlines()[1:]}
    assert "running" in rows["2.1.1"]
    assert "skipped" in rows["2.1.2.2"]


def test_a_conditional_without_steps_is_a_card():
    plan = PlanBuilderV2().if_(True, step_name="empty").endif().llm_step(task="t").build()
    assert [card.name for card in plan_picture(plan).cards] == ["empty", "step_2"]
    plan_to_svg(plan)
