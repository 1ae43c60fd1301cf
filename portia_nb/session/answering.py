"""What any face needs to let a person answer: which words mean which answer, and what is approved.

Pure: nothing here shows, asks or waits. A notebook and a terminal ask in their own ways, and what
was typed means the same in both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from portia_nb.config import Config
from portia_nb.drawing.clean import clean
from portia_nb.errors import InvalidAnswer, InvalidOption, ToolNotFoundError
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)
from portia_nb.model.composite import AnyStep, Composite, bodies
from portia_nb.model.order import effective_side_effect, strongest
from portia_nb.model.plain import to_text
from portia_nb.model.plan import Plan, ReActAgentStep
from portia_nb.planning.needs import changing_places
from portia_nb.running.calls import APPROVAL
from portia_nb.tools.registry import ToolRegistry

from .launch import tool_of, tools_of

MAX_EXACT_CHARS = 20_000
"""Characters of a call's arguments that are shown to who approves it."""

MAX_DEFAULT_CHARS = 200
# Joiners shape scripts and emoji, so `clean` keeps them; who approves must see them.
_JOINERS = "\u200c\u200d"


def is_approval(question: Clarification) -> bool:
    """Tell whether `question` asks to let a call be made: only a person or ``--yes`` says yes."""
    return isinstance(question, UserVerificationClarification) and question.source == APPROVAL


def is_yes_no(question: Clarification) -> bool:
    """Tell whether yes and no are the answers to `question`."""
    return isinstance(question, UserVerificationClarification | ValueConfirmationClarification)


def name_of(question: Clarification) -> str:
    """Return the name by which a declared answer meets `question`: its argument's, else its step's.

    >>> from portia_nb.model.clarification import InputClarification
    >>> name_of(InputClarification(argument_name="city", path="sky"))
    'city'
    """
    argument = str(getattr(question, "argument_name", ""))
    return argument or question.path or str(question.id)


class DeclaredAnswers:
    """Answers that were given before their questions, by name; for one run."""

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        """Hold `answers`, by the name of an argument, or the name or path of a step."""
        self._answers = dict(answers or {})
        self._used: set[tuple[str, str | None]] = set()

    def take(self, question: Clarification) -> tuple[str, Any] | None:
        """Return the name and the value of the answer to `question`, None where there is none.

        Each serves once for each path: a tool that asks the same again wasn't content with it. An
        approval is never taken from here.

        >>> from portia_nb.model.clarification import InputClarification
        >>> declared = DeclaredAnswers({"city": "Oslo"})
        >>> question = InputClarification(argument_name="city", path="sky")
        >>> declared.take(question), declared.take(question)
        (('city', 'Oslo'), None)
        """
        if is_approval(question):
            return None
        path = question.path or ""
        for name in (path, name_of(question), path.partition("[")[0]):
            if name in self._answers and (name, question.path) not in self._used:
                self._used.add((name, question.path))
                return name, self._answers[name]
        return None

    def unused(self) -> tuple[str, ...]:
        """Return the names of answers that have met no question so far."""
        met = {name for name, _ in self._used}
        return tuple(name for name in self._answers if name not in met)


def misfit(name: str, question: Clarification, refusal: Exception) -> InvalidAnswer:
    """Return the error of a declared answer that its question doesn't allow; it says which one.

    Without the answer itself, which may be nobody else's business.

    Args:
        name: under which it was declared.
        question: what it was to answer.
        refusal: what the question said to it.
    """
    said, asked = str(refusal), repr(question.user_guidance)
    about = "" if asked in said else f"{asked} asks for something else: "
    return InvalidAnswer(
        f"the answer declared for {name!r} doesn't fit: {about}{said}",
        clarification_id=question.id,
        declared=name,
    )


def read_typed(question: Clarification, typed: str) -> Any:
    """Return what a typed line means as an answer: a number may stand for an option.

    Nothing typed means the question's default; for an action, that it is done.

    Raises:
        InvalidAnswer: the question doesn't allow it; the message says what it allows.

    >>> read_typed(MultipleChoiceClarification(user_guidance="?", options=["Rome", "Oslo"]), "2")
    'Oslo'
    """
    text = typed.strip()
    if not text and question.default is not None and not is_approval(question):
        return question.check_answer(question.default)
    if isinstance(question, ActionClarification):
        return question.check_answer(text or True)
    if not text:
        raise InvalidAnswer("nothing was typed", clarification_id=question.id)
    if isinstance(question, MultipleChoiceClarification):
        return question.check_answer(_option(question, text))
    return question.check_answer(text if is_yes_no(question) else typed)


def read_answers_file(name: str | Path, option: str = "--answers") -> dict[str, Any]:
    """Return the answers in a JSON file of names and values.

    Raises:
        InvalidOption: it can't be read, or isn't an object; the message names `option`.
    """
    try:
        answers = json.loads(Path(name).read_text("utf-8"))
    except FileNotFoundError as error:
        raise InvalidOption(f"{option} {name}: there is no such file", option=option) from error
    except (OSError, ValueError) as error:
        raise InvalidOption(f"{option} {name}: {error}", option=option) from error
    if not isinstance(answers, dict):
        found = type(answers).__name__
        raise InvalidOption(
            f"{option} {name}: a JSON object of names and answers is needed, not a {found}",
            option=option,
        )
    return answers


def standing_answers(config: Config) -> dict[str, Any]:
    """Return the answers that the setting ``answers`` gives to whatever run asks for them.

    Raises:
        InvalidOption: its file can't be read.

    >>> standing_answers(Config(answers={"city": "Oslo"}))
    {'city': 'Oslo'}
    """
    if isinstance(config.answers, Path):
        return read_answers_file(config.answers, f"setting answers ({config.origin('answers')})")
    return dict(config.answers or {})


def side_effects(plan: Plan, tools: ToolRegistry) -> dict[str, bool | None]:
    """Return, by a step's place such as ``each_city/sky``, whether it changes the world.

    As it and its tool declare; a step that holds steps counts for the strongest of them. A step
    whose tool isn't in `tools` counts by what it says itself; `check_plan` refuses it.
    """
    effects: dict[str, bool | None] = {}

    def note(steps: Sequence[AnyStep], prefix: str) -> list[bool | None]:
        return [note_step(step, prefix + step.name) for step in steps]

    def note_step(step: AnyStep, place: str) -> bool | None:
        effects[place] = None  # before those in it
        if isinstance(step, Composite):
            inner = [note(body, f"{place}/") for body in bodies(step)]
            effects[place] = strongest(effect for body in inner for effect in body)
        else:
            effects[place] = side_effect_of(step, tools)
        return effects[place]

    note(plan.steps, "")
    return effects


def side_effect_of(step: AnyStep, tools: ToolRegistry) -> bool | None:
    """Return whether a step that holds no others changes the world, as it and its tool declare."""
    try:
        declared = (
            strongest(tool.side_effect for tool in tools_of(step, tools))
            if isinstance(step, ReActAgentStep)
            else tool_of(step, tools).side_effect
        )
    except (ToolNotFoundError, TypeError):
        declared = None
    return effective_side_effect(step, declared)


def plan_approval_text(
    plan: Plan, effects: Mapping[str, bool | None], calls: Sequence[str] = ()
) -> str | None:
    """Return the question whether `plan` may run; None where no step of it changes the world.

    Args:
        plan: the plan as it was shown; the text carries the beginning of its hash.
        effects: as `side_effects` returns them.
        calls: places of the steps whose calls are shown with the question and approved by it.
    """
    changing = list(map(clean, changing_places(effects)))
    if not changing:
        return None
    what = "step changes" if len(changing) == 1 else "steps change"
    return (
        f"Run this plan ({plan.content_hash()[:12]})? {len(changing)} {what} something outside: "
        f"{', '.join(changing)}. {_what_is_asked(changing, list(map(clean, calls)))}"
    )


def _what_is_asked(changing: Sequence[str], calls: Sequence[str]) -> str:
    left = [place for place in changing if place not in calls]
    if not calls:
        return "Each such call is asked for again, with its exact arguments."
    shown = ", ".join(calls)
    if not left:
        return f"With it you approve the exact {'calls' if len(calls) > 1 else 'call'} shown here."
    return (
        f"With it you approve the exact call of {shown}, shown here; each other one is asked for "
        "again, with its exact arguments."
    )


def exact_call_text(question: Clarification) -> str:
    r"""Return the call that `question` asks to approve: what is approved must be what is seen.

    The arguments are shown whole up to `MAX_EXACT_CHARS`, as JSON; characters that a screen would
    obey or hide are there as ``\u`` escapes. Empty where no call is asked about.
    """
    subject = getattr(question, "subject", None)
    if subject and "calls" in subject:
        return "\n".join(
            f"{clean(place)}: {_exact_call(call)}" for place, call in subject["calls"].items()
        )
    return _exact_call(subject) if subject and "tool_id" in subject else ""


def _exact_call(subject: Mapping[str, Any]) -> str:
    text = json.dumps(subject.get("arguments", {}), ensure_ascii=False, indent=2, default=repr)
    cut = len(text) - MAX_EXACT_CHARS
    more = f"\n… {cut:,} more characters" if cut > 0 else ""
    return f"{clean(str(subject['tool_id']))} {visible_json(text[:MAX_EXACT_CHARS])}{more}"


def deadline_text(question: Clarification) -> str:
    """Return until when `question` may be answered, and what comes then; empty: there is no end.

    >>> deadline_text(Clarification(user_guidance="?"))
    ''
    """
    if question.expires_at is None:
        return ""
    at = datetime.fromtimestamp(question.expires_at)
    day = "" if at.date() == datetime.now().date() else f"{at:%Y-%m-%d} "
    then = "the run fails"
    if question.default is not None:
        then = f"{clean(to_text(question.default))[:MAX_DEFAULT_CHARS]} is taken"
    return f"Answer by {day}{at:%H:%M:%S}; after that {then}."


def visible_json(text: str) -> str:
    r"""Return JSON text with every character that a screen obeys or hides as a ``\u`` escape.

    It reads back as the same value.

    >>> visible_json('{"a": "\u202eb"}')
    '{"a": "\\u202eb"}'
    """
    if text.isascii() and "\x7f" not in text:
        return text  # JSON itself escapes the other control characters
    return "".join(
        c if c == "\n" or (c not in _JOINERS and clean(c) == c) else json.dumps(c)[1:-1]
        for c in text
    )


def _option(question: MultipleChoiceClarification, text: str) -> Any:
    """Return the option that a typed number stands for, else the text itself."""
    options = question.options
    is_number = text.isascii() and text.isdecimal() and text not in map(str, options)
    if is_number and len(text) < 6 and 0 < int(text) <= len(options):
        return options[int(text) - 1]
    return text
