"""Read what a person gives a step of the builder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from portia_nb.model import codecs
from portia_nb.model.answer_shape import read_shaped
from portia_nb.model.callables import SchemaRef
from portia_nb.model.language import LanguageModel
from portia_nb.model.plan import text_argument
from portia_nb.model.reference import to_argument
from portia_nb.tools.base import Tool, to_tool


def json_only(value: Any, what: str) -> Any:
    """Return `value`, which is written into the plan as it is.

    Raises:
        TypeError: it isn't plain JSON; the message names `what`.
    """
    if codecs.encode_or_describe(value) is not value:
        raise TypeError(f"{what} is written into the plan: give plain JSON, not {value!r:.80}")
    return value


def answer_schema(given: Any, default: Any, *, has_options: bool) -> dict[str, Any] | None:
    """Return the JSON schema of the answers that a question takes; None: any text.

    Raises:
        TypeError: `given` is no type that has one, there are options too, or `default` doesn't fit.
    """
    if given is None or given is str:
        return None
    if isinstance(given, str):
        raise TypeError(
            f"answer_type={given!r:.80} is text: give the type itself, such as int or list[str]"
        )
    if has_options:
        raise TypeError("give a question its options or an answer_type, not both")
    try:
        schema = SchemaRef.of(given).json_schema
        if default is not None and "enum" not in schema:
            read_shaped(default, schema)
    except ValueError as error:
        raise TypeError(f"answer_type={given!r:.80}, default={default!r:.80}: {error}") from None
    return schema


def task_fields(task: str) -> dict[str, Any]:
    """Return the fields of a step that hold `task`: as text for people, and with its references."""
    shown, parts = text_argument(to_argument(task))
    return {"task": shown, "task_parts": parts}


def tool_and_id(given: str | Tool[Any] | type[Tool[Any]]) -> tuple[str, Tool[Any] | None]:
    """Return a tool's id, and the tool itself where it isn't given by its id.

    Raises:
        InvalidToolDescriptionError: it is no tool.
    """
    if isinstance(given, str):
        return given, None
    tool = to_tool(given)
    return tool.id, tool


def tools_and_ids(
    given: Iterable[str | Tool[Any] | type[Tool[Any]]] | None,
) -> tuple[tuple[str, ...] | None, tuple[Tool[Any], ...]]:
    """Return the ids of an agent's tools, and those tools that aren't given by their ids.

    Raises:
        TypeError: it is a single tool or id.
        InvalidToolDescriptionError: one is no tool.
    """
    if given is None:
        return None, ()
    if isinstance(given, str | Tool | type):
        raise TypeError(f"tools is a list of tools and ids, not {given!r:.80}: put it in a list")
    found = [tool_and_id(each) for each in given]
    return tuple(tool_id for tool_id, _ in found), tuple(tool for _, tool in found if tool)


def model_name(model: str | LanguageModel | None) -> str | None:
    """Return the model's name, ``"provider/name"``."""
    return model if model is None or isinstance(model, str) else model.name


def model_object(model: str | LanguageModel | None) -> LanguageModel | None:
    """Return the model where it isn't given by its name."""
    return None if isinstance(model, str) else model
