"""A step by the keys of the reference page, whatever kind it turns out to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema

from portia_nb.model.composite import AnyStep, Step as _AnyStep
from portia_nb.model.steps import BaseStep, Variable


class _IsAnyStep(type):
    """Makes ``isinstance(step, Step)`` true of each kind of step."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, BaseStep)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, BaseStep)


class Step(metaclass=_IsAnyStep):
    """Makes one step of a plan: a tool whose arguments a model chooses, or a model's own work.

    What comes back is an `LLMStep` where `tool_id` is None or ``llm_tool``, else a
    `SingleToolAgentStep`; both are instances of `Step`, like every other kind.

    >>> step = Step(task="Look up the weather", tool_id="weather_tool", output="$sky")
    >>> type(step).__name__, step.name, isinstance(step, Step)
    ('SingleToolAgentStep', 'sky', True)
    """

    def __new__(  # pyright: ignore[reportInconsistentConstructor]
        cls,
        *,
        task: str,
        output: str,
        inputs: Sequence[Variable] = (),
        tool_id: str | None = None,
        condition: str | None = None,
        **more: Any,
    ) -> AnyStep:
        """Make the step.

        Args:
            task: what it does.
            output: the name of what comes out, with ``$``.
            inputs: outputs of earlier steps and plan inputs that it is given, by name.
            tool_id: the tool that it calls.
            condition: a sentence; the step is skipped where a model judges it false.
            more: whatever else the step's kind has, such as ``retries``; ``kind`` itself too.

        Raises:
            pydantic.ValidationError: a field is unknown, or has a value that can't be used.
        """
        data = {
            "task": task,
            "output": output,
            "inputs": inputs,
            "tool_id": tool_id,
            "condition": condition,
            **more,
        }
        return cls.model_validate(data)

    @classmethod
    def model_validate(cls, data: Any) -> AnyStep:
        """Read a step of any kind from a dict.

        Raises:
            pydantic.ValidationError: it isn't a step.
        """
        return _adapter().validate_python(data)

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> AnyStep:
        """Read a step of any kind from JSON.

        Raises:
            pydantic.ValidationError: it isn't a step.
        """
        return _adapter().validate_json(text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """As a field's type, take any kind of step."""
        return handler.generate_schema(_AnyStep)


def _adapter() -> TypeAdapter[AnyStep]:
    return TypeAdapter(_AnyStep)
