"""What a step puts out: a value, and where one was asked for, a summary of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_serializer

from portia_nb.model import codecs


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

    def serialize_value(self) -> str:
        """Return the value as text: itself where it is text, else its JSON."""
        return codecs.to_text(self.value)

    @field_serializer("value", when_used="json")
    def _print_value(self, value: Any) -> Any:
        return codecs.to_plain_json(value)


class LocalDataValue(Output):
    """An output held in this process.

    >>> LocalDataValue(value={"a": 1}).model_dump_json()
    '{"value":{"a":1},"summary":null}'
    """
