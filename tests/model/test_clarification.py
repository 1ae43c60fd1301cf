"""Questions to a person, and which answers they allow."""

import json

import pytest
from pydantic import ValidationError

from portia_nb.errors import InvalidAnswer
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    ClarificationCategory,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
    read_clarification,
)
from portia_nb.model.ids import PlanRunUUID

EVERY_KIND = [
    InputClarification(argument_name="city", user_guidance="Which city?"),
    MultipleChoiceClarification(argument_name="c", user_guidance="Which?", options=("a", 2, True)),
    ActionClarification(action_url="https://example.org/login", require_confirmation=True),
    ValueConfirmationClarification(argument_name="n", user_guidance="Is it 3?"),
    UserVerificationClarification(user_guidance="Go on?"),
    CustomClarification(name="draw", data={"colour": "red"}),
]


@pytest.mark.parametrize("question", EVERY_KIND, ids=lambda q: q.category.value)
def test_each_kind_comes_back_from_json_as_its_own_class(question):
    question = question.model_copy(update={"plan_run_id": PlanRunUUID.new(), "step": 2})
    back = read_clarification(json.loads(question.model_dump_json()))
    assert type(back) is type(question)
    assert back == question


def test_the_json_has_the_references_keys():
    printed = json.loads(InputClarification(argument_name="a").model_dump_json())
    assert sorted(printed) == sorted(
        ["id", "plan_run_id", "category", "response", "step", "user_guidance", "resolved", "source",
         "argument_name"]
    )  # fmt: skip
    assert printed["category"] == "Input"
    assert json.loads(UserVerificationClarification().model_dump_json())["user_confirmed"] is False


@pytest.mark.parametrize(
    ("options", "response", "taken"),
    [
        (("a", "b"), "b", "b"),
        ((1, 2), 2, 2),
        ((1, 2), "2", 2),
        ((True, 1), 1, 1),
        ((1, True), True, True),
        ((None, "None"), "None", "None"),
    ],
)
def test_a_choice_is_one_of_the_options(options, response, taken):
    question = MultipleChoiceClarification(options=options)
    answer = question.answered(response)
    assert answer.response is taken or answer.response == taken
    assert type(answer.response) is type(taken)
    assert answer.resolved


@pytest.mark.parametrize("response", ["c", 3, None, "A", ["a"], {"a": 1}, True])
def test_a_choice_that_is_not_offered_is_refused_with_what_is(response):
    question = MultipleChoiceClarification(options=("a", 1), user_guidance="Which?")
    with pytest.raises(InvalidAnswer, match=r"choose one of 'a', 1"):
        question.answered(response)


@pytest.mark.parametrize("kind", [ValueConfirmationClarification, UserVerificationClarification])
@pytest.mark.parametrize(
    ("response", "taken"),
    [(True, True), (False, False), ("yes", True), (" No ", False), ("TRUE", True), ("n", False)],
)
def test_yes_and_no_are_read_from_words_too(kind, response, taken):
    assert kind().answered(response).response is taken


@pytest.mark.parametrize("kind", [ValueConfirmationClarification, UserVerificationClarification])
@pytest.mark.parametrize("response", ["maybe", "", None, 1, 0, [], "nope", "yes please"])
def test_neither_yes_nor_no_is_refused(kind, response):
    with pytest.raises(InvalidAnswer, match="neither yes nor no"):
        kind(user_guidance="Go on?").answered(response)


@pytest.mark.parametrize(("response", "confirmed"), [("yes", True), ("no", False)])
def test_a_written_no_never_confirms(response, confirmed):
    question = UserVerificationClarification()
    assert not question.user_confirmed
    answer = question.answered(response)
    assert answer.user_confirmed is confirmed
    assert read_clarification(json.loads(answer.model_dump_json())).user_confirmed is confirmed


def test_confirmation_cannot_be_claimed_in_json():
    data = {"category": "User Verification", "user_confirmed": True, "response": False,
            "resolved": True}  # fmt: skip
    assert read_clarification(data).user_confirmed is False


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "//x", " https://x"],
)
def test_an_action_leads_to_the_web_only(url):
    with pytest.raises(ValidationError, match="http"):
        ActionClarification(action_url=url)


def test_answering_leaves_the_question_as_it_is():
    question = InputClarification(argument_name="a")
    answer = question.answered("x")
    assert (question.resolved, question.response) == (False, None)
    assert (answer.id, answer.resolved, answer.response) == (question.id, True, "x")
    with pytest.raises(ValidationError):
        question.resolved = True


@pytest.mark.parametrize("data", [{}, {"category": "Telepathy"}, {"category": "Input", "x": 1}, 5])
def test_what_is_no_question_is_refused(data):
    with pytest.raises(ValidationError):
        read_clarification(data)


def test_path_and_default_are_printed_where_they_are_set():
    plain = json.loads(Clarification().model_dump_json())
    assert not {"path", "default"} & plain.keys()
    placed = json.loads(Clarification(path="a[2]/b", default="x").model_dump_json())
    assert (placed["path"], placed["default"]) == ("a[2]/b", "x")
    assert ClarificationCategory(plain["category"]) is ClarificationCategory.CUSTOM
