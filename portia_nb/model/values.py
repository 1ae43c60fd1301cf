"""What a step puts out: a value, and where one was asked for, a summary of it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ConfigDict, field_serializer

from portia_nb.model import codecs

MAX_REPR_CHARS = 2_000
"""Of a value in the `repr` of its output: a run is often the last word of a cell, and so shown."""


class Output(BaseModel):
    """What a step or a run put out."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    value: Any = None
    """The value itself, as Python made it."""
    summary: str | None = None

    def get_value(self) -> Any:
        """Return the value."""
        return self.value

    def get_summary(self) -> str | None:
        """Return the summary, or None where nobody asked for one."""
        return self.summary

    def full_value(self) -> Any:
        """Return the value, whole."""
        return self.value

    def to_frame(self) -> Any:
        """Return a value that is a table as a pandas `DataFrame`.

        Tables are a `DataFrame` or a `Series`, a list of dicts or models (a row for each), and a
        dict of lists of one length (a column for each).

        Raises:
            TypeError: the value is no table.
            ImportError: pandas isn't installed.
        """
        # Tables stand above the nouns, so they are found by name, at the call.
        return import_module("portia_nb.session.frames").table(self.value)

    def serialize_value(self) -> str:
        """Return the value as text: itself where it is text, else its JSON."""
        return codecs.to_text(self.value)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show the value cut."""
        yield "value", _Cut(self.value)
        yield "summary", self.summary

    @field_serializer("value", when_used="json")
    def _print_value(self, value: Any) -> Any:
        return codecs.to_plain_json(value)


class LocalDataValue(Output):
    """An output held in this process.

    >>> LocalDataValue(value={"a": 1}).model_dump_json()
    '{"value":{"a":1},"summary":null}'
    """


class _Cut:
    """Shows a value in at most about `MAX_REPR_CHARS` characters."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        shown = Repr()
        shown.maxstring = shown.maxother = shown.maxlong = MAX_REPR_CHARS
        shown.maxdict = shown.maxlist = shown.maxtuple = shown.maxset = shown.maxfrozenset = 100
        value = self._value
        if isinstance(value, bytes | bytearray) and len(value) > MAX_REPR_CHARS:
            return f"<{type(value).__name__} of {len(value):,} bytes>"
        text = shown.repr(value)
        return text if len(text) <= 2 * MAX_REPR_CHARS else f"{text[: 2 * MAX_REPR_CHARS]}…"
