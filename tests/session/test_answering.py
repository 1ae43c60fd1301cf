"""What typed words mean as answers, which declared answer serves, and what is approved."""

import json
import time
from typing import Any

import pytest

from portia_nb import PlanBuilderV2, example_tool_registry, open_source_tool_registry
from portia_nb.errors import InvalidAnswer, InvalidOption
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)
from portia_nb.running.calls import approval_subject
from portia_nb.session.answering import (
    MAX_EXACT_CHARS,
    DeclaredAnswers,
    deadline_text,
    exact_call_text,
    is_approval,
    plan_approval_text,
    read_answers_file,
    read_typed,
    side_effects,
    visible_json,
)

TEXT = InputClarification(argument_name="city", user_guidance="Where?")
CHOICE = MultipleChoiceClarification(user_guidance="Which?", options=["a", 7, "2"])
CONFIRM = ValueConfirmationClarification(user_guidance="Right?")
VERIFY = UserVerificationClarification(user_guidance="Sure?")
ACTION = ActionClarification(user_guidance="Sign in", action_url="https://example.org")
CUSTOM = CustomClarification(name="own", user_guidance="Well?")


def call_of(arguments: dict[str, Any], **more: Any) -> UserVerificationClarification:
    subject = approval_subject("send", arguments)
    return UserVerificationClarification(source="approval", subject=subject, **more)


@pytest.mark.parametrize(
    ("question", "typed", "answer"),
    [
        (TEXT, " New  York ", " New  York "),
        (TEXT.model_copy(update={"default": "Oslo"}), "", "Oslo"),
        (TEXT.model_copy(update={"default": "Oslo"}), "Rome", "Rome"),
        (CHOICE, "1", "a"),
        (CHOICE, "7", 7),
        (CHOICE, " a ", "a"),
        # An option's own text goes before its number.
        (CHOICE, "2", "2"),
        (CHOICE, "3", "2"),
        (CHOICE.model_copy(update={"default": 7}), "", 7),
        (CONFIRM, "YES", True),
        (VERIFY, "n", False),
        (VERIFY.model_copy(update={"default": False}), "", False),
        (ACTION, "", True),
        (ACTION, "done", "done"),
        (CUSTOM, "anything", "anything"),
        (call_of({}), "y", True),
    ],
)
def test_typed_words_mean_an_answer(question: Clarification, typed: str, answer: Any):
    assert read_typed(question, typed) == answer
    assert type(read_typed(question, typed)) is type(answer)


@pytest.mark.parametrize(
    ("question", "typed", "said"),
    [
        (TEXT, "  ", "nothing was typed"),
        (CHOICE, "4", "'4' is not offered for 'Which?': choose one of 'a', 7, '2'"),
        (CHOICE, "0", "'0' is not offered"),
        (CHOICE, "9" * 5_000, "is not offered"),
        (CHOICE, "²", "'²' is not offered"),
        (VERIFY, "perhaps", "neither yes nor no"),
        (call_of({}, default=True), "", "nothing was typed"),
    ],
)
def test_words_that_mean_no_answer_are_refused(question: Clarification, typed: str, said: str):
    with pytest.raises(InvalidAnswer) as refused:
        read_typed(question, typed)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["city", "sky", "sky[2]"])
def test_an_answer_is_declared_by_argument_step_or_path(name: str):
    asked = TEXT.model_copy(update={"path": "sky[2]"})
    assert DeclaredAnswers({name: "Oslo"}).take(asked) == (name, "Oslo")


def test_a_declared_answer_serves_each_path_once():
    declared = DeclaredAnswers({"city": "Oslo", "other": 1})
    first, second = (TEXT.model_copy(update={"path": f"sky[{i}]"}) for i in (0, 1))
    assert declared.take(first) == declared.take(second) == ("city", "Oslo")
    assert declared.take(first) is None
    assert declared.unused() == ("other",)


def test_an_approval_is_never_declared_by_name():
    question = call_of({"to": "bob"}, path="send")
    assert is_approval(question)
    assert DeclaredAnswers({"send": True}).take(question) is None


def test_the_exact_call_shows_what_a_screen_would_hide_and_reads_back():
    arguments = {"to": "bob\u202e\u200d\x7f\x9b", "text": "日本\né"}
    text = exact_call_text(call_of(arguments))
    assert text.startswith("send {")
    assert json.loads(text.removeprefix("send ")) == arguments
    assert "日本" in text
    assert not {"\u202e", "\u200d", "\x7f", "\x9b"} & set(text)


def test_a_huge_call_is_cut_and_says_so():
    text = exact_call_text(call_of({"text": "x" * (2 * MAX_EXACT_CHARS)}))
    assert len(text) < MAX_EXACT_CHARS + 100
    assert text.endswith("more characters")


def test_no_call_is_shown_where_none_is_asked_about():
    assert exact_call_text(VERIFY) == exact_call_text(TEXT) == ""


@pytest.mark.parametrize("char", ["\U000e0041", "\u2028", "\x85", "\ud800", "\x1b"])
def test_visible_json_keeps_the_value(char: str):
    text = json.dumps(f"a{char}b", ensure_ascii=False)
    assert json.loads(visible_json(text)) == f"a{char}b"
    assert char not in visible_json(text)


def test_a_plan_is_approved_where_a_step_changes_something():
    plan = (
        PlanBuilderV2()
        .invoke_tool_step(tool="calculator_tool", args={"math_question": "1"}, step_name="sum")
        .invoke_tool_step(
            tool="file_writer_tool", args={"filename": "f", "content": "c"}, step_name="write"
        )
        .user_verify(message="Go on?", step_name="sure")
        .build()
    )
    effects = side_effects(plan, open_source_tool_registry)
    assert effects == {"sum": False, "write": True, "sure": False}
    text = plan_approval_text(plan, effects)
    assert text is not None
    assert plan.content_hash()[:12] in text
    assert "1 step changes something outside: write." in text
    # A tool that isn't there is the plan's check's to refuse.
    unknown = side_effects(plan, example_tool_registry)
    assert (unknown["write"], plan_approval_text(plan, unknown)) == (None, None)


def test_answers_are_read_from_a_json_object(tmp_path: Any):
    path = tmp_path / "answers.json"
    path.write_text('{"city": "Oslo", "count": 3}')
    assert read_answers_file(str(path)) == {"city": "Oslo", "count": 3}


@pytest.mark.parametrize("text", ["[1]", "{", None])
def test_an_answers_file_that_holds_none_is_refused_by_name(tmp_path: Any, text: str | None):
    path = tmp_path / "answers.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidOption, match=r"^--answers .*answers\.json: "):
        read_answers_file(str(path))


def test_until_when_a_question_may_be_answered_is_said_with_what_comes_then():
    soon = time.time() + 5
    clock = time.strftime("%H:%M:%S", time.localtime(soon))
    asked = InputClarification(user_guidance="?", expires_at=soon)
    if time.localtime(soon).tm_mday == time.localtime().tm_mday:
        assert deadline_text(asked) == f"Answer by {clock}; after that the run fails."
    with_default = asked.model_copy(update={"default": "a\x1b[2Jb"})
    assert deadline_text(with_default).endswith("after that ab is taken.")
    later = asked.model_copy(update={"expires_at": soon + 86_400 * 3})
    assert f"{time.localtime(soon + 86_400 * 3).tm_year}-" in deadline_text(later)
