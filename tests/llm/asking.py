"""Requests that the tests make."""

from portia_nb.model.language import (
    CallAnswer,
    DataAnswer,
    Message,
    ModelRequest,
    TextAnswer,
    ToolSpec,
)

POINT = {
    "type": "object",
    "properties": {
        "x": {"type": "integer", "minimum": 0},
        "note": {"type": "string", "minLength": 2, "default": "none"},
    },
    "required": ["x"],
    "additionalProperties": False,
}
PLACE = ToolSpec("place", "Place a point.", POINT)
MOVE = ToolSpec("move", "Move it.", {"type": "object", "properties": {"by": {"type": "integer"}}})


def ask(answer=None, text="Where?", **facts) -> ModelRequest:
    messages = (Message("system", "Be brief."), Message("user", text))
    return ModelRequest(messages, answer or TextAnswer(), **facts)


def ask_for_point(**facts) -> ModelRequest:
    return ask(DataAnswer("point", POINT), **facts)


def ask_for_call(forced="place", **facts) -> ModelRequest:
    return ask(CallAnswer((PLACE, MOVE), forced), **facts)
