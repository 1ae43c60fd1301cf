from typing import Any

import pytest

from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)
from portia_nb.notebook.questions import read_answer, show_question
from tests.notebook.stories import approval


@pytest.mark.parametrize(
    ("question", "kind", "more"),
    [
        (
            InputClarification(argument_name="city", user_guidance="Which?"),
            "input",
            {"argument": "city"},
        ),
        (InputClarification(user_guidance="Which?", default="Rome"), "input", {"default": "Rome"}),
        (
            InputClarification(user_guidance="What?", default=["bread", "cheese"]),
            "input",
            {"default": "bread, cheese"},
        ),
        (
            MultipleChoiceClarification(options=(1, "b"), user_guidance="?"),
            "choice",
            {"options": ["1", "b"]},
        ),
        (ValueConfirmationClarification(user_guidance="5?"), "confirm", {}),
        (UserVerificationClarification(user_guidance="Go?"), "verify", {}),
        (
            ActionClarification(action_url="https://a.example/x", user_guidance="Sign in"),
            "action",
            {"url": "https://a.example/x"},
        ),
        (
            CustomClarification(name="colour", data={"a": 1}),
            "input",
            {"details": [{"name": "a", "text": "1"}]},
        ),
    ],
)
def test_each_kind_of_question_has_its_form(
    question: Clarification, kind: str, more: dict[str, Any]
):
    shown = show_question(question)
    assert shown["kind"] == kind and shown["id"] == question.id
    assert more.items() <= shown.items()


def test_an_approval_shows_every_argument_whole_and_visible():
    question = approval(
        "Delete?", tool_id="rm", arguments={"path": "a\u202eb", "deep": {"x": "y" * 3_000}}
    )
    shown = show_question(question)
    assert shown["kind"] == "approve" and shown["tool"] == "rm"
    path, deep = shown["details"]
    assert path == {"name": "path", "text": "a⟨U+202E⟩b"}
    assert "y" * 3_000 in deep["text"] and "cut" not in deep


def test_a_hook_that_asks_before_a_call_shows_every_argument_too():
    question = UserVerificationClarification(
        user_guidance="Call Rm?", subject={"tool_id": "rm", "arguments": {"path": "/"}}
    )
    shown = show_question(question)
    assert shown["kind"] == "verify" and shown["details"] == [{"name": "path", "text": "/"}]


def test_a_question_says_until_when_it_may_be_answered():
    shown = show_question(InputClarification(user_guidance="Where?", expires_at=1e6))
    assert shown["text"].startswith("Where?\nAnswer by 1970-01-1")


def test_the_approval_of_a_plan_names_no_call():
    shown = show_question(approval("Run this plan?"))
    assert shown["kind"] == "approve" and not {"tool", "details", "source"} & set(shown)


def test_what_is_too_long_to_approve_says_so():
    shown = show_question(approval("?", tool_id="t", arguments={"a": "x" * 30_000}))
    assert shown["details"][0]["cut"] == "10,000 more characters are not shown"


def test_a_form_answers_a_choice_with_the_option_itself():
    options = ({"a": 1}, 2, "2")
    question = MultipleChoiceClarification(options=options, user_guidance="?")
    assert [read_answer(question, {"option": i}) for i in range(3)] == list(options)


@pytest.mark.parametrize("value", ["2", 2, {"option": 3}, {"option": -1}, {"option": "0"}, None])
def test_a_form_that_names_no_option_is_refused(value: Any):
    question = MultipleChoiceClarification(options=("a", "b", "c"), user_guidance="?")
    with pytest.raises(ValueError, match="one of the 3 options"):
        read_answer(question, value)


def test_an_empty_field_means_the_default_and_only_where_there_is_one():
    assert read_answer(InputClarification(default=5), "") == 5
    assert read_answer(InputClarification(), "") == ""


def test_a_question_with_a_type_has_a_fitting_field():
    """N14."""
    schema = {"type": "integer", "minimum": 1}
    shown = show_question(InputClarification(user_guidance="?", answer_schema=schema, default=2))
    assert shown["field"] == {"kind": "integer", "min": 1, "hint": "a whole number, at least 1"}
    several = {"type": "array", "items": {"enum": [1, "1", "a\u202eb"]}}
    shown = show_question(CustomClarification(user_guidance="?", answer_schema=several))
    assert shown["field"] == {"kind": "several", "options": ["1", "1", "a⟨U+202E⟩b"]}


def test_a_form_answers_with_the_chosen_options_themselves():
    """N14."""
    schema = {"type": "array", "items": {"enum": [1, "1", "b"]}}
    question = InputClarification(user_guidance="?", answer_schema=schema)
    assert read_answer(question, {"options": [0, 2]}) == [1, "b"]
    with pytest.raises(ValueError, match="one of the 3"):
        read_answer(question, {"options": [3]})


def test_options_beyond_a_thousand_are_counted():
    """N14."""
    question = MultipleChoiceClarification(options=tuple(range(1_200)), user_guidance="?")
    shown = show_question(question)
    assert len(shown["options"]) == 1_000 and shown["more"] == "200 more options are not listed"
