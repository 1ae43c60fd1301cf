"""Questions as views show them, and what a form sends back as the answer that was meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from portia_nb.model.answer_shape import hint_of, kind_of, limits
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)
from portia_nb.model.plain import to_plain_json, to_text
from portia_nb.running.calls import APPROVAL
from portia_nb.session.answering import deadline_text

from .visible_text import one_line, visible

MAX_QUESTION_CHARS = 4_000
MAX_EXACT_CHARS = 20_000
MAX_OPTIONS = 1_000
ShownQuestion = dict[str, Any]


def show_question(question: Clarification) -> ShownQuestion:
    """Return `question` as the view shows it: strings made visible, options by their text."""
    shown: ShownQuestion = {
        "id": str(question.id),
        "text": visible(question.user_guidance[:MAX_QUESTION_CHARS]),
        "kind": "input",
    }
    names = {"step": question.path, "source": question.source}
    names["argument"] = getattr(question, "argument_name", "")
    shown |= {key: one_line(name, 120) for key, name in names.items() if name}
    match question:
        case MultipleChoiceClarification():
            shown["kind"] = "choice"
            shown |= _options(question.options)
        case ValueConfirmationClarification():
            shown["kind"] = "confirm"
        case UserVerificationClarification(source=source) if source == APPROVAL:
            shown |= {"kind": "approve", **_exact_call(question.subject or {})}
            del shown["source"]
        case UserVerificationClarification():
            shown |= {"kind": "verify", **_exact_call(question.subject or {})}
        case ActionClarification():
            shown |= {"kind": "action", "url": visible(question.action_url, exact=True)}
        case CustomClarification():
            shown["details"] = [_exact(name, value) for name, value in question.data.items()]
            shown |= _field(question.answer_schema)
        case InputClarification():
            shown |= _field(question.answer_schema)
        case _:
            pass
    if until := deadline_text(question):
        shown["text"] += f"\n{visible(until)}"
    if question.default is not None:
        shown["default"] = _in_a_word(question.default)
    return shown


def _field(schema: dict[str, Any] | None) -> dict[str, Any]:
    """Return which field the form has, where it isn't one for any text."""
    if schema is None:
        return {}
    field: dict[str, Any] = {"kind": kind_of(schema), **limits(schema)}
    if options := field.get("options"):
        field |= _options(options)
    if field["kind"] in ("number", "integer"):  # others show what they take
        field["hint"] = hint_of(schema)
    return {"field": field}


def _options(options: Sequence[Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"options": [one_line(to_text(o), 200) for o in options[:MAX_OPTIONS]]}
    if (more := len(options) - MAX_OPTIONS) > 0:
        shown["more"] = f"{more:,} more options are not listed"
    return shown


def _in_a_word(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, list) and default and all(isinstance(e, str | int) for e in default):
        return one_line(", ".join(map(to_text, default)))  # as it is written into the field
    return one_line(to_text(default))


def read_answer(question: Clarification, value: Any) -> Any:
    """Return what the form's `value` means: options themselves, the default for an empty field.

    Raises:
        ValueError: the form named an option that isn't there.
    """
    if isinstance(question, MultipleChoiceClarification):
        index = value.get("option") if isinstance(value, dict) else None
        return _option_at(question.options, index)
    if value == "" and question.default is not None:
        return question.default
    schema = getattr(question, "answer_schema", None)
    if schema is not None and kind_of(schema) == "several" and isinstance(value, dict):
        options = limits(schema)["options"]
        return [_option_at(options, index) for index in value.get("options") or ()]
    return value


def _option_at(options: Sequence[Any], index: Any) -> Any:
    if not isinstance(index, int) or not 0 <= index < len(options):
        raise ValueError(f"choose one of the {len(options)} options")
    return options[index]


def _exact_call(subject: dict[str, Any]) -> dict[str, Any]:
    """Return which calls are to be approved; nothing where a plan spells none of them out."""
    if calls := subject.get("calls"):
        return {
            "details": [
                _exact(f"{place}: {call['tool_id']}", call["arguments"])
                for place, call in calls.items()
            ]
        }
    arguments = subject.get("arguments")
    if not isinstance(arguments, dict):
        return {}
    return {
        "tool": one_line(str(subject.get("tool_id", "")), 120),
        "details": [_exact(name, value) for name, value in arguments.items()],
    }


def _exact(name: str, value: Any) -> dict[str, str]:
    """Return one argument, whole: what is approved must be what is seen."""
    plain = to_plain_json(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, indent=2)
    shown = {
        "name": visible(str(name), exact=True),
        "text": visible(text[:MAX_EXACT_CHARS], exact=True),
    }
    if len(text) > MAX_EXACT_CHARS:
        shown["cut"] = f"{len(text) - MAX_EXACT_CHARS:,} more characters are not shown"
    return shown
