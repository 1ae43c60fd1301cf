"""N18: when steps ran, from events to stretches to bars, as SVG, text and table."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from portia_nb.drawing.svg_check import check_svg
from portia_nb.drawing.timeline import MAX_OPEN, MAX_ROWS, Timeline
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    Recorded,
    RunStarted,
    RunStopped,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from portia_nb.model.plan import Plan
from portia_nb.model.run import replay
from portia_nb.model.stretches import StepTimes, Stretch, times_of

from .hostile import texts

BUSY = ErrorRecord("ToolSoftError", "busy")
QUESTION = InputClarification(argument_name="city", user_guidance="Which city?", path="ask")


def timeline_of(*timed: tuple[float, AnyEvent], now: float | None = None) -> Timeline:
    events = [Recorded(seq, at, "prun-1", event) for seq, (at, event) in enumerate(timed, start=1)]
    run = replay("prun-1", Plan(), events)
    return Timeline.of([times_of(record) for record in run.steps.values()], now=now)


def stretches(timeline: Timeline, path: str) -> list[tuple[str, float, float | None, str]]:
    (bar,) = (bar for bar in timeline.bars if bar.path == path)
    return [(s.kind, s.start, s.end, s.state) for s in bar.stretches]


def eventful() -> Timeline:
    return timeline_of(
        (0, RunStarted()),
        (1, StepStarted("find", 1)),
        (2, StepFailed("find", 1, BUSY, 1.5)),
        (3.5, StepStarted("find", 2)),
        (4, StepDone("find", 2, 1)),
        (4, StepStarted("ask", 1)),
        (5, ClarificationRaised("ask", QUESTION)),
        (25, ClarificationResolved(QUESTION.id, "Rome")),
        (25.5, StepStarted("ask", 1)),
        (26, StepDone("ask", 1, "Rome")),
        (26, StepSkipped("rest", "not needed")),
        (27, StepStarted("late", 1)),
        (28, StepCancelled("late", 1)),
    )


def test_waits_for_a_person_and_before_a_retry_are_stretches_of_their_own():
    timeline = eventful()
    assert [(b.path, b.state, b.tries) for b in timeline.bars] == [
        ("find", "done", 2),
        ("ask", "done", 1),
        ("rest", "skipped", 1),
        ("late", "stopped", 1),
    ]
    assert stretches(timeline, "find") == [
        ("ran", 1, 2, "failed"),
        ("paused", 2, 3.5, "waiting"),
        ("ran", 3.5, 4, "done"),
    ]
    assert stretches(timeline, "ask") == [
        ("ran", 4, 5, "asking"),
        ("asked", 5, 25, "waiting"),
        ("ran", 25.5, 26, "done"),
    ]
    assert timeline.headline() == (
        "Timeline: 4 steps, 27 s in all, 20 s of waiting for a person, "
        "1.5 s of waiting before the next try"
    )
    check_svg(timeline.svg())


def test_what_was_killed_stopped_or_failed_and_resumed_keeps_each_try_and_no_time_between():
    timeline = timeline_of(
        (0, RunStarted()),
        (0, StepStarted("killed")),
        (0, StepStarted("stopped")),
        (0, StepStarted("failed")),
        (1, StepCancelled("stopped", 1)),
        (2, StepFailed("failed", 1, BUSY)),
        (3, StepStarted("other")),  # the last that is known before the process was killed
        (1000, RunStarted()),
        *((1001, StepStarted(name)) for name in ("killed", "stopped", "failed")),
        *((1002, StepDone(name, 1)) for name in ("killed", "stopped", "failed")),
    )
    again = ("ran", 1001, 1002, "done")
    assert stretches(timeline, "killed") == [("ran", 0, 3, "stopped"), again]
    assert stretches(timeline, "stopped") == [("ran", 0, 1, "stopped"), again]
    assert stretches(timeline, "failed") == [("ran", 0, 2, "failed"), again]
    assert stretches(timeline, "other") == [("ran", 3, 3, "stopped")]


def test_a_run_that_is_stopped_between_two_tries_waits_no_longer():
    timeline = timeline_of(
        (0, RunStarted()),
        (1, StepStarted("a")),
        (2, StepFailed("a", 1, BUSY, 60)),
        (5, RunStopped()),
        (1000, RunStarted()),
        (1001, StepStarted("a", 2)),
        (1002, StepDone("a", 2)),
    )
    assert stretches(timeline, "a")[1] == ("paused", 2, 5, "waiting")


def test_times_of_a_clock_that_stands_still_or_jumps_back_keep_every_try():
    still = timeline_of(
        (7, RunStarted()),
        (7, StepStarted("a")),
        (7, StepFailed("a", 1, BUSY, 1)),
        (7, StepStarted("a", 2)),
        (7, StepDone("a", 2)),
    )
    assert [s.kind for s in still.bars[0].stretches] == ["ran", "paused", "ran"]
    back = timeline_of((9, RunStarted()), (9, StepStarted("a")), (3, StepDone("a", 1)))
    assert back.bars[0].seconds("ran") == 0
    for timeline in (still, back):
        assert "done" in repr(timeline)
        check_svg(timeline.svg())


@pytest.mark.parametrize(("now", "end"), [(None, 3), (9, 9), (1, 3)])
def test_an_unfinished_step_lasts_until_now(now, end):
    timeline = timeline_of((2, StepStarted("a", 1)), (3, StepStarted("b", 1)), now=now)
    assert stretches(timeline, "a") == [("ran", 2, end, "running")]


def test_the_text_has_a_sign_for_each_kind_of_stretch_and_says_which():
    lines = repr(eventful()).splitlines()
    assert lines[1:] == [
        "find  |x··█                                    |"
        "  ✓ done, ran 1.5 s, waited 1.5 s before the next try, 2 tries",
        "ask   |    █???????????????????????????????█   |"
        "  ✓ done, ran 1.5 s, waited 20 s for a person",
        "rest  |                                     »  |  » skipped",
        "late  |                                      ■■|  ■ stopped, ran 1 s",
        "█ ran   x failed   ? waited for a person   · waited before the next try   ■ stopped"
        "   » skipped",
    ]


def test_the_table_has_a_row_for_each_stretch():
    frame = eventful().to_frame()
    assert list(frame["what"][:3]) == ["ran", "waited before the next try", "ran"]
    assert list(frame["ended"][:3]) == ["failed", "waiting", "done"]
    assert frame["seconds"].sum() == pytest.approx(3 + 21.5 + 1)
    assert str(frame["start"].dt.tz) == "UTC"
    assert list(timeline_of().to_frame().columns) == list(frame.columns)


def test_the_html_is_a_picture_and_a_table_that_say_the_same_without_a_script():
    html = eventful()._repr_html_()
    assert "\n" not in html and "<script" not in html and "style>" not in html
    assert '<img src="data:image/svg+xml,' in html
    assert "<td>✓ done</td><td>ran 1.5 s, waited 20 s for a person</td>" in html


@given(texts)
@settings(max_examples=100, deadline=None)
def test_any_name_gives_a_harmless_timeline(name):
    times = StepTimes(name, "done", (Stretch("ran", 0, 1, "done"),))
    timeline = Timeline.of([times])
    check_svg(timeline.svg())
    assert "<script" not in timeline._repr_html_()
    assert "\x1b" not in repr(timeline)


@pytest.mark.parametrize("span", [0, 1e-6, 0.02, 3, 59, 4_000, 1e6])
def test_any_length_of_time_is_drawn_with_few_ticks(span):
    times = StepTimes("a", "done", (Stretch("ran", 100, 100 + span, "done"),))
    assert Timeline.of([times]).svg().count(' font-size="11" text-anchor="middle"') <= 6


def test_500_steps_are_folded_such_that_what_went_wrong_and_what_took_long_stays():
    times = []
    for n in range(500):
        stretch = Stretch("ran", n, n + (5 if n == 250 else 1), "done")
        times.append(StepTimes(f"s{n}", "done", (stretch,)))
    tries = (
        Stretch("ran", 100, 100.4, "failed"),
        Stretch("paused", 100.4, 100.6, "waiting"),
        Stretch("ran", 100.6, 101, "done"),
    )
    times[100] = StepTimes("s100", "done", tries)
    timeline = Timeline.of(times)
    bars = timeline.folded()
    assert len(bars) <= MAX_OPEN
    assert sum(bar.count for bar in bars) == 500
    assert {"s100", "s250", "s499"} <= {bar.path for bar in bars if bar.count == 1}
    assert any(bar.name == "149 steps: s101 … s249" for bar in bars)
    svg = timeline.svg()
    assert len(svg) < 30_000
    assert "149 steps" in svg and "149 steps" in repr(timeline)


def test_no_bars_and_very_many_bars_are_drawn():
    assert repr(timeline_of()) == "Timeline: 0 steps, 0 s in all"
    check_svg(timeline_of().svg())
    failed = [
        StepTimes(f"s{n}", "failed", (Stretch("ran", n, n + 1, "failed"),))
        for n in range(MAX_ROWS + 7)
    ]
    svg = Timeline.of(failed).svg()
    assert "and 7 more" in svg
    assert f"s{MAX_ROWS}<" not in svg
