"""N34, N14: which rung doctor says holds, by what a kernel and its page are and did."""

from typing import Any

import pytest

from portia_nb.notebook.hearing import Hearing
from portia_nb.notebook.rungs import Abilities, standing

NEW = {"ipykernel": "7.4.0", "delivery": "kernel", "has_subshells": True, "sends_back": True}
MIDDLE = {"ipykernel": "7.0.1", "delivery": "detour", "has_subshells": True}
OLD = {"ipykernel": "6.31.0", "delivery": "detour"}
PAGE = {"has_stdin": True}
FORM, INPUT, DEFAULT = "the form", "input()", "the question's default"


@pytest.mark.parametrize(
    ("found", "awaiting", "blocked", "why"),
    [
        (NEW | PAGE, FORM, INPUT, "hands clicks to a cell that awaits"),
        (MIDDLE | PAGE, FORM, INPUT, "portia_nb lets them past the cell"),
        (MIDDLE | PAGE | {"uses_subshells": True}, FORM, FORM, "past the cell"),
        (NEW | PAGE | {"uses_subshells": True}, FORM, INPUT, "hands clicks"),
        (OLD | PAGE, FORM, INPUT, "past the cell"),
        (OLD | PAGE | {"delivery": "none"}, INPUT, INPUT, "delivers no click"),
        (NEW | PAGE | {"awaiting": False}, INPUT, INPUT, "no page drew a form"),
        (OLD | {"delivery": "none", "awaiting": True}, FORM, DEFAULT, "has reached such a cell"),
        (NEW | PAGE | {"blocked": True}, FORM, FORM, "hands clicks"),
        (NEW, DEFAULT, DEFAULT, "a program runs this notebook"),
        ({"has_stdin": True}, INPUT, INPUT, "this is a terminal"),
        ({}, DEFAULT, DEFAULT, "this is a terminal"),
    ],
)
def test_the_rung_is_told_from_what_is_there_and_what_was_heard(
    found: dict[str, Any], awaiting: str, blocked: str, why: str
):
    abilities = Abilities(**found)
    held = standing(abilities, awaits=True)
    assert (held.rung, standing(abilities, awaits=False).rung) == (awaiting, blocked)
    assert why in held.why


def test_asking_that_is_turned_off_says_by_what_and_a_lower_rung_says_what_to_do():
    off = standing(Abilities(asking_is_off="PORTIA_NO_ASK", **NEW, has_stdin=True), awaits=True)
    assert off.rung == "declared answers" and "PORTIA_NO_ASK" in off.why and off.better
    for found in (
        {},
        NEW,
        PAGE,
        NEW | PAGE | {"awaiting": False},
        OLD | PAGE | {"delivery": "none"},
    ):
        assert standing(Abilities(**found), awaits=True).better
    assert "cell of its own" in standing(Abilities(**NEW, has_stdin=True), awaits=False).better


def test_the_latest_cell_of_each_kind_counts():
    hearing = Hearing()
    hearing.note(awaits=True, reached=True)
    hearing.note(awaits=False, reached=False)
    assert (hearing.awaiting, hearing.blocked) == (True, False)
