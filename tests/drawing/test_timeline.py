"""When steps ran, from events to bars to SVG."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from portia_nb.drawing.svg_check import check_svg
from portia_nb.drawing.timeline import MAX_ROWS, Bar, Segment, bars_of, draw_timeline
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    Recorded,
    RunStarted,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)

from .hostile import texts


def recorded(*timed) -> list[Recorded]:
    return [
        Recorded(run_id="prun-1", seq=seq, at=at, event=event)
        for seq, (at, event) in enumerate(timed, start=1)
    ]


def test_waits_for_a_person_and_pauses_before_a_retry_are_stretches_of_their_own():
    question = InputClarification(argument_name="city", user_guidance="Which city?")
    error = ErrorRecord("ToolSoftError", "busy")
    bars = bars_of(
        recorded(
            (0, RunStarted()),
            (1, StepStarted("find", 1)),
            (2, StepFailed("find", 1, error, 1.5)),
            (3.5, StepStarted("find", 2)),
            (4, StepDone("find", 2, 1)),
            (4, StepStarted("ask", 1)),
            (5, ClarificationRaised("ask", question)),
            (25, ClarificationResolved(question.id, "Rome")),
            (25.5, StepStarted("ask", 1)),
            (26, StepDone("ask", 1, "Rome")),
            (26, StepSkipped("rest", "not needed")),
            (27, StepStarted("late", 1)),
            (28, StepCancelled("late", 1)),
        )
    )
    assert [(b.name, b.state) for b in bars] == [
        ("find", "done"),
        ("ask", "done"),
        ("rest", "skipped"),
        ("late", "stopped"),
    ]
    assert [(s.start, s.end, s.kind, s.state) for s in bars[0].segments] == [
        (1, 2, "ran", "failed"),
        (2, 3.5, "paused", "waiting"),
        (3.5, 4, "ran", "done"),
    ]
    assert [(s.start, s.end, s.kind) for s in bars[1].segments] == [
        (4, 5, "ran"),
        (5, 25, "asked"),
        (25.5, 26, "ran"),
    ]
    check_svg(draw_timeline(bars))


@pytest.mark.parametrize(("now", "end"), [(None, 3), (9, 9), (1, 3)])
def test_an_unfinished_step_lasts_until_now(now, end):
    events = recorded((2, StepStarted("a", 1)), (3, StepStarted("b", 1)))
    first = bars_of(events, now=now)[0]
    assert first.segments == [Segment(2, end, "ran", "running")]


@given(texts)
@settings(max_examples=100, deadline=None)
def test_any_name_gives_a_harmless_timeline(name):
    svg = draw_timeline([Bar(name, [Segment(0, 1, "ran", "done")])])
    assert svg.startswith("<svg")
    check_svg(svg)


@pytest.mark.parametrize("span", [0, 1e-6, 0.02, 3, 59, 4_000, 1e6])
def test_any_length_of_time_is_drawn_with_few_ticks(span):
    svg = draw_timeline([Bar("a", [Segment(100, 100 + span, "ran", "done")])])
    assert svg.count('text-anchor="middle"') <= 6


def test_no_bars_and_very_many_bars_are_drawn():
    draw_timeline([])
    bar = [Segment(0, 1, "ran", "done")]
    svg = draw_timeline([Bar(f"s{i}", bar) for i in range(MAX_ROWS + 7)])
    assert "and 7 more" in svg
    assert "s300" not in svg
