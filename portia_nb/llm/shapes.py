"""A JSON schema as a pydantic class, for models that are asked in terms of classes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, create_model, model_validator

from portia_nb.model.json_schema import schema_violations


class Shape(BaseModel):
    """Takes any fields that fit the schema of its class, and gives that schema as its own."""

    model_config = ConfigDict(extra="allow")

    shape: ClassVar[Mapping[str, Any]] = {"type": "object"}
    """The JSON schema that instances fit."""

    @model_validator(mode="before")
    @classmethod
    def _fits(cls, data: Any) -> Any:
        if violations := schema_violations(data, cls.shape):
            raise ValueError("; ".join(violations[:5]))
        return data

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the schema, a copy that may be changed."""
        return {"title": cls.__name__, **copy.deepcopy(dict(cls.shape))}


def class_of(name: str, schema: Mapping[str, Any], about: str = "") -> type[Shape]:
    """Return a class whose instances fit `schema`.

    Args:
        name: the name of the class, as a model sees it.
        schema: a JSON schema, an object at its root.
        about: what it is, as a model sees it.

    >>> Point = class_of("Point", {"type": "object", "properties": {"x": {"type": "integer"}}})
    >>> Point.model_validate_json('{"x": 3}').model_dump()
    {'x': 3}
    >>> Point(x="three")
    Traceback (most recent call last):
        ...
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Point
      Value error, x: ...
    """
    made = create_model(name, __base__=Shape, __doc__=about or None)
    made.shape = schema
    return made
