"""From plans and runs to pictures, Graphviz source and text."""

from __future__ import annotations

import random
import re
import subprocess

import pytest
from hypothesis import given, settings

from portia_nb.drawing.condense import MAX_CARDS, collapse_finished, group_alike
from portia_nb.drawing.dot import plan_to_dot
from portia_nb.drawing.graphviz_layout import has_dot
from portia_nb.drawing.looks import LOOKS
from portia_nb.drawing.picture import Card, Frame, Line, Picture, place
from portia_nb.drawing.plan_picture import plan_picture, shown_states
from portia_nb.drawing.svg import draw_svg
from portia_nb.drawing.text import cells, cut_cells, plan_to_text, run_to_text, short_text
from portia_nb.model.events import (
    ErrorRecord,
    Recorded,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
    StepUncertain,
)
from portia_nb.model.order import effective_side_effect, waits
from portia_nb.model.plan import Plan
from portia_nb.model.run import Run

from .hostile import PAYLOADS, texts


def step(name: str, *needs: str, **more) -> dict:
    inputs = [{"name": f"${need}"} for need in needs]
    return {
        "task": f"Do {name}",
        "inputs": inputs,
        "tool_id": "search_tool",
        "output": f"${name}",
        **more,
    }


def stocks() -> Plan:
    return Plan(
        plan_context={"query": "Which grew faster?"},
        steps=[
            step("amazon"),
            step("google"),
            step("compare", "amazon", "google", tool_id="llm_tool"),
            step("mail", "amazon", side_effect=True, tool_id="mail_tool"),
            step("log", tool_id="llm_tool", after=["amazon"]),
        ],
    )


def test_a_picture_has_a_card_a_step_and_a_line_for_each_reason_to_wait():
    picture = plan_picture(stocks(), {"amazon": "done"})
    assert [(card.name, card.note, card.state) for card in picture.cards] == [
        ("amazon", "search_tool", "done"),
        ("google", "search_tool", "waiting"),
        ("compare", "model", "waiting"),
        ("mail", "mail_tool", "waiting"),
        ("log", "model", "waiting"),
    ]
    assert set(picture.lines) == {
        Line("n0", "n2"),
        Line("n1", "n2"),
        Line("n0", "n3"),
        Line("n2", "n3", "place"),
        Line("n0", "n4", "after"),
        Line("n3", "n4", "place"),
    }
    assert picture.ids == {
        "amazon": "n0",
        "google": "n1",
        "compare": "n2",
        "mail": "n3",
        "log": "n4",
    }


def test_the_order_that_the_executor_uses_is_the_order_drawn():
    plan = stocks()
    order = waits(plan, lambda s: effective_side_effect(s, None), assume_side_effects=True)
    lines = plan_picture(plan, order=order).lines
    assert Line("n0", "n1", "place") in lines  # an undeclared tool keeps its place


def test_a_plan_that_refers_to_nothing_is_drawn_without_that_line():
    plan = Plan(steps=[step("a", "nowhere"), step("b", "a", after=["gone"])])
    assert plan_picture(plan).lines == (Line("n0", "n1"),)
    assert "nowhere" not in plan_to_dot(plan)
    assert plan.to_dot() == plan_to_dot(plan)
    assert plan_to_text(plan).count("←") == 1


def test_a_plan_with_a_cycle_is_drawn():
    plan = Plan(steps=[step("a", "b"), step("b", "a"), step("c", "c")])
    drawn = [draw_svg(plan_picture(plan)), plan_to_dot(plan), plan_to_text(plan)]
    for name in ("a", "b", "c"):
        assert all(name in text for text in drawn)


def run_of(plan: Plan, *events) -> Run:
    run = Run("prun-1", plan)
    for seq, event in enumerate((RunStarted(), *events), start=1):
        run.apply(Recorded(run_id="prun-1", seq=seq, at=1_000.0 + seq, event=event))
    return run


def test_a_runs_states_reach_picture_and_text():
    run = run_of(
        stocks(),
        StepStarted("amazon", 1),
        StepDone("amazon", 1, "up 52 %\x1b[31m"),
        StepStarted("google", 1),
        StepFailed("google", 1, ErrorRecord("ToolHardError", "no\u202e such page")),
        StepStarted("mail", 1),
        StepUncertain("mail", 1, "mail_tool", {}),
    )
    assert shown_states(run) == {"amazon": "done", "google": "failed", "mail": "uncertain"}
    lines = run_to_text(run).splitlines()
    assert re.search(r"✓ done +amazon +search_tool +1\.0 s +up 52 %$", lines[1])
    assert re.search(r"✗ failed +google .* ToolHardError: no such page$", lines[2])
    assert "○ waiting" in lines[3]
    assert "! uncertain" in lines[4]


def test_a_step_that_was_uncertain_and_is_done_shows_as_done():
    uncertain = StepUncertain("mail", 1, "mail_tool", {})
    assert shown_states(run_of(stocks(), uncertain)) == {"mail": "uncertain"}
    done = StepDone("mail", 1, "sent")
    assert shown_states(run_of(stocks(), uncertain, done)) == {"mail": "done"}


# -- text ------------------------------------------------------------------------------------


def test_a_plan_as_text_is_an_aligned_list_with_what_each_step_waits_for():
    assert plan_to_text(stocks(), {"amazon": "done"}).splitlines() == [
        "Plan: Which grew faster? (5 steps)",
        "1  ✓ done     amazon   search_tool                  Do amazon",
        "2  ○ waiting  google   search_tool                  Do google",
        "3  ○ waiting  compare  model        ← 1, 2          Do compare",
        "4  ○ waiting  mail     mail_tool    ← 1 (place: 3)  Do mail",
        "5  ○ waiting  log      model        ← 1 (place: 4)  Do log",
        "(place: …) waits its turn, as that step or this one may have side effects;",
        "side_effect=False frees a tool or function that only reads.",
    ]


@given(texts, texts)
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_the_list_or_reaches_the_terminal(name, task):
    plan = Plan(
        plan_context={"query": task},
        steps=[{"task": task, "output": f"${name}", "name": name or "x"}, step("b", name)],
    )
    text = plan_to_text(plan, {})
    assert not re.search(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text
    )
    assert len(text.splitlines()) == 3
    assert all(cells(line) <= 130 for line in text.splitlines())


def test_wide_characters_keep_columns_aligned():
    plan = Plan(steps=[step("日本"), step("abcd")])
    first, second = plan_to_text(plan).splitlines()[1:]
    assert cells(first[: first.index("search_tool")]) == cells(
        second[: second.index("search_tool")]
    )


def test_a_value_whose_repr_fails_is_still_listed():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    assert short_text(Broken()).startswith("<Broken instance at ")
    assert short_text("a\n b") == "a b"
    assert short_text({"a": [1, None]}) == "{'a': [1, None]}"
    assert len(short_text("x" * 1_000_000)) == 401


def test_cut_cells_counts_wide_characters_twice():
    assert cut_cells("日本語日本語", 6) == "日本…"


# -- dot -------------------------------------------------------------------------------------


def random_labels(count: int) -> list[str]:
    rng = random.Random(7)
    alphabet = "<>&\"'\\/;:{}[]|()=%#\n\r\t\0\x1b lNGETH0aé日\u202e\ud800"
    return [
        rng.choice(PAYLOADS)[:400] + "".join(rng.choices(alphabet, k=rng.randrange(12)))
        for _ in range(count)
    ]


@pytest.mark.skipif(not has_dot(), reason="Graphviz's dot is not installed")
def test_ten_thousand_hostile_labels_give_no_engine_error_and_no_link():
    labels = random_labels(10_000)
    for start in range(0, len(labels), 2_500):
        steps = [
            {"task": "t", "output": f"$s{start + i}", "name": f"{label}{start + i}"}
            for i, label in enumerate(labels[start : start + 2_500])
        ]
        plan = Plan(plan_context={"query": labels[start]}, steps=steps)
        # `dot -Tsvg -Knop` reads and draws every label without spending time on the layout.
        source = plan_to_dot(plan, {}).replace(" [label=", ' [pos="0,0", label=')
        done = subprocess.run(
            ["dot", "-Knop", "-Tsvg"], input=source.encode(), capture_output=True, check=True
        )
        assert done.stderr == b""
        svg = done.stdout.decode()
        assert svg.count('class="node"') == len(steps)
        assert "<a " not in svg
        assert "xlink:href" not in svg


@pytest.mark.skipif(not has_dot(), reason="Graphviz's dot is not installed")
def test_dot_shows_a_label_letter_for_letter():
    label = 'a "quoted" \\N \\\\ <b>&lt; C:\\'
    plan = Plan(steps=[{"task": "t", "output": "$a", "name": label}])
    done = subprocess.run(
        ["dot", "-Tplain-ext"], input=plan_to_dot(plan).encode(), capture_output=True, check=True
    )
    svg = subprocess.run(
        ["dot", "-Tsvg"], input=plan_to_dot(plan).encode(), capture_output=True, check=True
    ).stdout.decode()
    assert done.returncode == 0
    assert "a &quot;quoted&quot; \\N \\\\ &lt;b&gt;&amp;lt; C:\\</text>" in svg.replace(
        "&#45;", "-"
    )


# -- large pictures ----------------------------------------------------------------------------


def fan(count: int) -> Plan:
    names = [f"w{i}" for i in range(count)]
    return Plan(steps=[step("find"), *(step(n, "find") for n in names), step("pack", *names)])


def test_steps_that_stand_alike_share_a_panel_and_its_lines():
    picture = group_alike(plan_picture(fan(20)))
    assert [frame.title for frame in picture.frames] == [""]
    assert picture.lines == (Line("n0", "g0"), Line("g0", "n21"))
    assert [card.id for card in picture.cards] == [f"n{i}" for i in range(22)]
    assert place(picture).width < 1_500
    assert group_alike(plan_picture(fan(3))) == plan_picture(fan(3))


def test_a_small_picture_is_not_folded():
    picture = plan_picture(fan(20), dict.fromkeys((s.name for s in fan(20).steps), "done"))
    assert collapse_finished(picture) is picture


def chain(count: int, done: int) -> Picture:
    plan = Plan(steps=[step("s0"), *(step(f"s{i}", f"s{i - 1}") for i in range(1, count))])
    return plan_picture(plan, {f"s{i}": "done" for i in range(done)})


def test_finished_levels_fold_into_one_card_and_every_step_leads_to_its_card():
    picture = collapse_finished(chain(400, 390))
    assert len(picture.cards) == 11
    first = picture.cards[0]
    assert (first.name, first.state, first.count) == ("390 steps", "done", 390)
    assert picture.counts() == {"done": 390, "waiting": 10}
    assert picture.ids is not None
    assert {picture.ids[f"s{i}"] for i in range(390)} == {first.id}
    assert picture.ids["s395"] == "n395"
    assert picture.lines[0] == Line(first.id, "n390")
    draw_svg(picture)


def test_a_complete_run_keeps_its_last_level_open():
    picture = collapse_finished(chain(400, 400))
    assert [(card.name, card.count) for card in picture.cards] == [("399 steps", 399), ("s399", 1)]


def test_nothing_is_folded_before_anything_is_finished():
    picture = chain(400, 0)
    assert collapse_finished(picture) is picture


def test_a_finished_frame_folds_as_a_whole():
    inner = tuple(Card(f"n{i}", f"s{i}", "t", "done", frame="f0") for i in range(MAX_CARDS))
    picture = Picture(
        (*inner, Card("m1", "a", "t", "failed"), Card("m2", "b", "t")),
        (Line("n0", "n1"), Line("f0", "m1"), Line("n3", "m2"), Line("m1", "m2")),
        (Frame("f0", "loop", state="done"),),
        ids={"loop": "f0", "s7": "n7", "a": "m1"},
    )
    folded = collapse_finished(picture)
    assert folded.frames == ()
    assert [card.count for card in folded.cards] == [MAX_CARDS, 1, 1]
    assert folded.ids == {"loop": "n0", "s7": "n0", "a": "m1"}
    assert set(folded.lines) == {Line("n0", "m1"), Line("n0", "m2"), Line("m1", "m2")}
    draw_svg(folded)


def test_failed_and_waiting_steps_are_never_folded():
    states = list(LOOKS)
    plan = fan(300)
    shown = {s.name: states[i % len(states)] for i, s in enumerate(plan.steps)}
    picture = collapse_finished(plan_picture(plan, shown))
    assert picture.counts() == plan_picture(plan, shown).counts()
