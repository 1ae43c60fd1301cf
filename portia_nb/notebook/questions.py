"""Questions as views show them, and what a form sends back as the answer that was meant."""

from __future__ import annotations

import json
from typing import Any

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

from .visible_text import one_line, visible

MAX_QUESTION_CHARS = 4_000
MAX_EXACT_CHARS = 20_000
MAX_OPTIONS = 200
APPROVAL = "approval"
"""Name of a `CustomClarification` that asks to approve; `approval` makes one."""

ShownQuestion = dict[str, Any]


def approval(
    guidance: str,
    *,
    tool_id: str | None = None,
    arguments: dict[str, Any] | None = None,
    **fields: Any,
) -> CustomClarification:
    """Return a question that asks to approve a plan, or one call with exactly these arguments.

    Args:
        guidance: what is to be approved, in plain words.
        tool_id: the tool that would be called; None: a plan is approved.
        arguments: what it would be called with, shown whole up to 20,000 characters each.
        fields: further fields of `CustomClarification`, such as `path`.

    The form answers True or False.
    """
    data = {} if tool_id is None else {"tool_id": tool_id, "arguments": dict(arguments or {})}
    return CustomClarification(name=APPROVAL, user_guidance=guidance, data=data, **fields)


def show_question(question: Clarification) -> ShownQuestion:
    """Return `question` as the view shows it: strings made visible, options by their text."""
    shown: ShownQuestion = {
        "id": str(question.id),
        "text": visible(question.user_guidance[:MAX_QUESTION_CHARS]),
        "kind": "input",
    }
    if question.path:
        shown["step"] = one_line(question.path, 120)
    if question.source:
        shown["source"] = one_line(question.source, 120)
    argument = getattr(question, "argument_name", "")
    if argument:
        shown["argument"] = one_line(argument, 120)
    match question:
        case MultipleChoiceClarification():
            shown["kind"] = "choice"
            shown["options"] = [one_line(to_text(o)) for o in question.options[:MAX_OPTIONS]]
        case ValueConfirmationClarification():
            shown["kind"] = "confirm"
        case UserVerificationClarification(source="approval"):
            shown |= {"kind": "approve", **_exact_call(question.subject or {})}
        case UserVerificationClarification():
            shown["kind"] = "verify"
        case ActionClarification():
            shown |= {"kind": "action", "url": visible(question.action_url, exact=True)}
        case CustomClarification(name="approval"):
            shown |= {"kind": "approve", **_exact_call(question.data)}
        case CustomClarification():
            shown["details"] = [_exact(name, value) for name, value in question.data.items()]
        case InputClarification() | _:
            pass
    if question.default is not None:
        shown["default"] = one_line(to_text(question.default))
    return shown


def read_answer(question: Clarification, value: Any) -> Any:
    """Return what the form's `value` means: an option itself, the default for an empty field.

    Raises:
        ValueError: the form named an option that isn't there.
    """
    if not isinstance(question, MultipleChoiceClarification):
        return question.default if value == "" and question.default is not None else value
    index = value.get("option") if isinstance(value, dict) else None
    if not isinstance(index, int) or not 0 <= index < len(question.options):
        raise ValueError(f"choose one of the {len(question.options)} options")
    return question.options[index]


def _exact_call(data: dict[str, Any]) -> dict[str, Any]:
    arguments = data.get("arguments")
    if not isinstance(arguments, dict):
        return {}
    return {
        "tool": one_line(str(data.get("tool_id", "")), 120),
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
