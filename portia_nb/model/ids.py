"""Ids with the prefixes of the reference page: ``plan-``, ``prun-``, ``clar-``."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self
from uuid import UUID, uuid4

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class PrefixedUUID(str):
    """A string ``<prefix>-<uuid>``; equal to that string, and checked when it is made.

    >>> PlanUUID.new().startswith("plan-")
    True
    >>> PlanUUID("prun-1")
    Traceback (most recent call last):
        ...
    ValueError: 'prun-1' is no plan id: it must be 'plan-' and a UUID
    """

    prefix: ClassVar[str] = ""
    noun: ClassVar[str] = ""
    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check `value` and keep it as it is.

        Raises:
            ValueError: `value` isn't the prefix, a dash and a UUID.
        """
        head, _, tail = value.partition("-")
        if head != cls.prefix or not _UUID.fullmatch(tail):
            raise ValueError(
                f"{value!r} is no {cls.noun} id: it must be '{cls.prefix}-' and a UUID"
            )
        return str.__new__(cls, value)

    @classmethod
    def new(cls) -> Self:
        """Make a new random id."""
        return str.__new__(cls, f"{cls.prefix}-{uuid4()}")

    @property
    def uuid(self) -> UUID:
        """The UUID behind the prefix."""
        return UUID(self[len(self.prefix) + 1 :])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read from and write as a plain JSON string."""
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )


_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class PlanUUID(PrefixedUUID):
    """Id of a plan."""

    prefix, noun = "plan", "plan"
    __slots__ = ()


class PlanRunUUID(PrefixedUUID):
    """Id of a run."""

    prefix, noun = "prun", "run"
    __slots__ = ()


class ClarificationUUID(PrefixedUUID):
    """Id of a clarification."""

    prefix, noun = "clar", "clarification"
    __slots__ = ()
