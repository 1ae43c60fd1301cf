"""How a question of each kind stands on the terminal."""

from typing import Any

import pytest

from portia_nb.cli.asking import prompt_for
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        (InputClarification(argument_name="city", user_guidance="Where?"), ["Where?", "> "]),
        (
            InputClarification(user_guidance="Where?", path="sky", default="Oslo"),
            ["sky asks: Where?", "Enter for Oslo> "],
        ),
        (
            MultipleChoiceClarification(
                user_guidance="Which?", options=["a", {"b": 1}], default="a"
            ),
            ["Which?", "  1. a", '  2. {"b": 1}', "number or text, Enter for a> "],
        ),
        (ValueConfirmationClarification(user_guidance="Right?"), ["Right?", "yes or no> "]),
        (
            UserVerificationClarification(user_guidance="Sure?", default=False),
            ["Sure?", "yes or no, Enter for false> "],
        ),
        (
            ActionClarification(user_guidance="Sign in", action_url="https://example.org/in"),
            ["Sign in", "  https://example.org/in", "Enter when done> "],
        ),
        (
            CustomClarification(user_guidance="Well?", data={"size": 3}),
            ["Well?", "  size: 3", "> "],
        ),
    ],
)
def test_a_question_shows_what_it_allows(question: Clarification, lines: list[str]):
    assert prompt_for(question).split("\n") == lines


def test_an_approval_shows_the_whole_call_and_offers_no_default():
    subject: dict[str, Any] = {"tool_id": "send", "arguments": {"to": "bob"}}
    question = UserVerificationClarification(
        user_guidance="Let send run?", source="approval", subject=subject, default=True
    )
    assert prompt_for(question).split("\n") == [
        "Let send run?",
        "send {",
        '  "to": "bob"',
        "}",
        "yes or no> ",
    ]
