"""The ladder, rung by rung, without a kernel."""

import asyncio
import builtins
import concurrent.futures
from typing import Any

import pytest

from portia_nb.errors import InvalidAnswer
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
)
from portia_nb.notebook.asking import Ladder, Prompts, prompt_for

SOON_S = 0.05


class Asked:
    """A run as the ladder sees it: it notes what became of its questions."""

    def __init__(self, question: Clarification) -> None:
        self.question = question
        self.done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.heard: list[tuple[Any, str]] = []
        self.stopped = ""
        self.settled = asyncio.Event()

    def answer(self, clarification_id: str, response: Any, by: str = "") -> None:
        assert clarification_id == self.question.id
        self.heard.append((self.question.check_answer(response), by))
        self.settled.set()

    def nobody_answers(self, clarification_id: str) -> None:
        self.heard.append((None, "nobody"))
        self.settled.set()

    def stop(self, reason: str = "") -> None:
        self.stopped = reason
        self.settled.set()


class Shell:
    """A shell whose kernel allows stdin, or doesn't."""

    def __init__(self, allows: bool) -> None:
        self.kernel = type("Kernel", (), {"_allow_stdin": allows})()


CITY = MultipleChoiceClarification(
    argument_name="city", path="trip[2]/sky", user_guidance="Which?", options=["Rome", "Oslo"]
)
FREE = InputClarification(argument_name="name", path="greet", user_guidance="Who?")
APPROVAL = UserVerificationClarification(
    source="approval",
    path="send",
    user_guidance="Let send run?",
    subject={"tool_id": "send", "arguments": {"text": "a\u202eb"}, "sha256": "0"},
)


async def climbed(ladder: Ladder, question: Clarification) -> Asked:
    """Put `question` to the ladder and return what it heard."""
    asked = Asked(question)
    ladder(asked, question)  # pyright: ignore[reportArgumentType]
    await asyncio.wait_for(asked.settled.wait(), 5)
    return asked


@pytest.mark.parametrize("name", ["city", "trip[2]/sky", "trip"])
async def test_a_declared_answer_is_found_by_argument_path_or_step(name: str):
    asked = await climbed(Ladder(declared={name: "Oslo"}, has_form=lambda: True), CITY)
    assert asked.heard == [("Oslo", "--answer")]


async def test_a_declared_answer_serves_once_for_each_path():
    ladder = Ladder(declared={"city": "Oslo"}, is_headless=True)
    assert (await climbed(ladder, CITY)).heard == [("Oslo", "--answer")]
    assert (await climbed(ladder, CITY)).heard == [(None, "nobody")]
    other = CITY.model_copy(update={"path": "trip[3]/sky"})
    assert (await climbed(ladder, other)).heard == [("Oslo", "--answer")]


async def test_a_declared_answer_that_is_refused_stops_the_run():
    ladder = Ladder(declared={"city": "Bern"})
    asked = await climbed(ladder, CITY)
    assert isinstance(ladder.problem, InvalidAnswer)
    assert "city='Bern'" in asked.stopped
    assert asked.heard == []


async def test_a_drawn_form_is_left_to_the_person():
    ladder = Ladder(has_form=lambda: True, form_time_s=0, prompts=Prompts(Shell(True)))
    asked = Asked(CITY)
    ladder(asked, CITY)  # pyright: ignore[reportArgumentType]
    await asyncio.sleep(SOON_S)
    assert asked.heard == []


async def test_a_form_that_is_drawn_in_time_is_left_to_the_person():
    drawn: list[bool] = []
    prompts = Prompts(Shell(True))
    ladder = Ladder(has_form=lambda: bool(drawn), form_time_s=SOON_S, prompts=prompts)
    asked = Asked(CITY)
    ladder(asked, CITY)  # pyright: ignore[reportArgumentType]
    drawn.append(True)
    await asyncio.sleep(2 * SOON_S)
    prompts.close()
    assert asked.heard == []


async def test_a_page_that_is_not_there_is_waited_for_once_in_a_run():
    """N24: a run of many questions that nobody answers takes no longer than one of a single one."""
    missed: list[str] = []
    note = lambda: missed.append("missed")  # noqa: E731
    ladder = Ladder(has_form=lambda: False, form_time_s=SOON_S, missed=note)
    with_default = FREE.model_copy(update={"default": "Ada"})
    await climbed(ladder, with_default)
    for _ in range(3):
        asked = Asked(with_default)
        ladder(asked, with_default)  # pyright: ignore[reportArgumentType]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asked.heard == [("Ada", "default")]
    assert missed == ["missed"] * 4


async def test_without_form_and_stdin_the_default_answers_and_else_nobody():
    ladder = Ladder(has_form=lambda: False, form_time_s=0, prompts=Prompts(Shell(False)))
    assert (await climbed(ladder, FREE)).heard == [(None, "nobody")]
    asked = await climbed(ladder, FREE.model_copy(update={"default": "Ada"}))
    assert asked.heard == [("Ada", "default")]


async def test_a_default_that_is_not_allowed_is_nobodys_answer():
    ladder = Ladder(is_headless=True)
    asked = await climbed(ladder, CITY.model_copy(update={"default": "Bern"}))
    assert asked.heard == [(None, "nobody")]


async def test_only_yes_or_a_person_approves():
    plain = Ladder(declared={"send": True}, is_headless=True)
    asked = await climbed(plain, APPROVAL.model_copy(update={"default": True}))
    assert asked.heard == [(None, "nobody")]
    asked = await climbed(Ladder(yes=True, is_headless=True), APPROVAL)
    assert asked.heard == [(True, "--yes")]


async def test_a_closed_cell_asks_no_more_and_refuses_what_is_in_line(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(builtins, "input", lambda _: pytest.fail("asked"))
    prompts = Prompts(Shell(True))
    ladder = Ladder(form_time_s=0, prompts=prompts)
    waiting = Asked(FREE)
    ladder(waiting, FREE)  # pyright: ignore[reportArgumentType]
    assert waiting.heard == []
    prompts.close()
    prompts.serve()
    assert waiting.heard == [(None, "nobody")]
    assert (await climbed(ladder, FREE)).heard == [(None, "nobody")]


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str | BaseException) -> list[str]:
    """Let `input()` return these lines in turn, and return the prompts that it showed."""
    left, shown = list(lines), []

    def answer(prompt: str) -> str:
        shown.append(prompt)
        line = left.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr(builtins, "input", answer)
    return shown


def prompted(question: Clarification) -> Asked:
    """Ask `question` by `input()` and return what was heard."""
    prompts = Prompts(Shell(True))
    asked = Asked(question)
    assert prompts.offer(asked, question, lambda *_: asked.nobody_answers(question.id))
    prompts.serve()
    return asked


def test_input_asks_until_the_answer_fits(monkeypatch: pytest.MonkeyPatch):
    shown = typed(monkeypatch, "", "Bern", "7", "2")
    assert prompted(CITY).heard == [("Oslo", "input()")]
    assert "1. Rome" in shown[0]
    assert "'Bern' is not offered" in shown[2]


def test_nothing_typed_means_the_default(monkeypatch: pytest.MonkeyPatch):
    shown = typed(monkeypatch, "")
    assert prompted(FREE.model_copy(update={"default": "Ada"})).heard == [("Ada", "input()")]
    assert shown[0].endswith("[Ada] > ")


@pytest.mark.parametrize("error", [EOFError(), RuntimeError("no stdin")])
def test_where_nothing_can_be_typed_the_next_rung_is_taken(
    monkeypatch: pytest.MonkeyPatch, error: Exception
):
    typed(monkeypatch, error)
    assert prompted(FREE).heard == [(None, "nobody")]


def test_an_interrupt_at_the_prompt_goes_on_to_the_cell(monkeypatch: pytest.MonkeyPatch):
    typed(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        prompted(FREE)


def test_a_run_that_ended_meanwhile_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    typed(monkeypatch)
    prompts = Prompts(Shell(True))
    asked = Asked(FREE)
    prompts.offer(asked, FREE, lambda *_: None)
    asked.done.set_result(None)
    prompts.serve()
    assert asked.heard == []


def test_the_prompt_of_an_approval_shows_the_exact_call():
    prompt = prompt_for(APPROVAL)
    assert "send" in prompt
    assert "\u202e" not in prompt
    assert "202e" in prompt.lower()
    assert prompt.endswith("[yes/no] > ")


def test_the_prompt_of_an_action_shows_where_to_go():
    question = ActionClarification(user_guidance="Sign in", action_url="https://example.org/in")
    assert "https://example.org/in" in prompt_for(question)


def test_a_terminal_without_a_kernel_is_asked_only_where_someone_types(
    monkeypatch: pytest.MonkeyPatch,
):
    import sys

    prompts = Prompts(object())
    for is_tty in (True, False):
        monkeypatch.setattr(sys.stdin, "isatty", lambda is_tty=is_tty: is_tty, raising=False)
        assert prompts.offer(Asked(FREE), FREE, lambda *_: None) is is_tty


@pytest.mark.parametrize(
    ("question", "answers", "said"),
    [
        (
            InputClarification(
                argument_name="n", user_guidance="How many?", answer_schema={"type": "integer"}
            ),
            {"n": "many"},
            "the answer declared for 'n' doesn't fit: 'How many?' asks for something else: "
            "write a whole number, such as 3",
        ),
        (
            CITY,
            {"city": "Bern"},
            "the answer declared for 'city' doesn't fit: 'Bern' is not offered for 'Which?': "
            "choose one of 'Rome', 'Oslo'",
        ),
    ],
)
async def test_a_declared_answer_that_does_not_fit_is_named_with_its_question(
    question: Clarification, answers: dict[str, Any], said: str
):
    ladder = Ladder(declared=answers)
    asked = await climbed(ladder, question)
    assert asked.stopped
    assert str(ladder.problem) == said
    assert ladder.problem is not None and ladder.problem.declared in answers
