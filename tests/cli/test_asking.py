"""Who answers a question, and how one of each kind stands on the terminal."""

from concurrent.futures import Future
from typing import Any, cast

import pytest

from portia_nb.cli.asking import Asking, prompt_for
from portia_nb.cli.terminal import Terminal
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)
from portia_nb.session.answering import DeclaredAnswers
from portia_nb.session.live import LiveRun

CITY = InputClarification(argument_name="city", user_guidance="Where?", path="sky")
APPROVAL = UserVerificationClarification(
    user_guidance="Let send run?", source="approval", path="send", default=True
)


class Answers:
    """Stands where a run stands, and writes down who answers what."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.done: Future[None] = Future()
        self.questions: dict[str, Clarification] = {}

    def answer(self, clarification_id: str, response: Any, by: str = "") -> None:
        self.told.append((by, self.questions[clarification_id].check_answer(response)))

    def nobody_answers(self, clarification_id: str) -> None:
        self.told.append(("nobody",))

    def asked(
        self, question: Clarification, *, yes: bool = False, person: bool = False, **declared: Any
    ) -> list[tuple[Any, ...]]:
        """Return what became of `question`."""
        self.questions[question.id] = question
        terminal = Terminal(never_asks=True)
        terminal.can_ask = person
        asking = Asking(
            terminal,
            DeclaredAnswers(declared),
            yes=yes,
            hand_on=lambda live, asked, complaint: self.told.append(("person", complaint)),
        )
        asking(cast(LiveRun, self), question)
        return self.told


@pytest.mark.parametrize(
    ("question", "given", "told"),
    [
        (CITY, {}, ("nobody",)),
        (CITY, {"yes": True}, ("nobody",)),
        (CITY, {"city": "Oslo", "person": True}, ("--answer", "Oslo")),
        (CITY, {"person": True}, ("person", "")),
        (CITY.model_copy(update={"default": "Rome"}), {}, ("default", "Rome")),
        (CITY.model_copy(update={"default": "Rome"}), {"person": True}, ("person", "")),
        (APPROVAL, {}, ("nobody",)),
        (APPROVAL, {"send": True}, ("nobody",)),
        (APPROVAL, {"person": True}, ("person", "")),
        (APPROVAL, {"yes": True, "person": True}, ("--yes", True)),
        (
            UserVerificationClarification(user_guidance="Sure?", path="sure"),
            {"yes": True},
            ("nobody",),
        ),
        (
            UserVerificationClarification(user_guidance="Sure?", path="sure"),
            {"sure": "perhaps", "person": True},
            (
                "person",
                "--answer sure=perhaps is refused: 'perhaps' is neither yes nor no, and 'Sure?' "
                "needs one of them",
            ),
        ),
    ],
)
def test_the_first_way_to_an_answer_is_taken(
    question: Clarification, given: dict[str, Any], told: tuple[Any, ...]
):
    assert Answers().asked(question, **given) == [told]


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
