"""Read what ``--set`` gives a fork or a retry, in the notebook and in the terminal alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portia_nb.errors import InvalidOption


def read_edits(
    values: Mapping[str, Any], step: str | None, command: str
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the fields of the step that is named, and those of steps that stand before a dot.

    Args:
        values: by the name that ``--set`` gave: FIELD where `step` is named, else STEP.FIELD.
        step: the step that the command names, if it names one.
        command: as a person would type it, for errors.

    Raises:
        InvalidOption: no step is named, and a name has no dot.

    >>> read_edits({"args.city": "Oslo", "task": "Look"}, "sky", "fork")
    ({'args': {'city': 'Oslo'}, 'task': 'Look'}, {})
    >>> read_edits({"sky.args.city": "Oslo"}, None, "fork")
    ({}, {'sky': {'args': {'city': 'Oslo'}}})
    """
    if step is not None:
        return with_arguments(values), {}
    edits: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        named, dot, field = name.partition(".")
        if not dot:
            raise InvalidOption(
                f"--set {name}: of which step? Name it: {command} RUN STEP --set {name}=…, or "
                f"--set STEP.{name}=…",
                option="--set",
            )
        edits.setdefault(named, {})[field] = value
    return {}, {named: with_arguments(fields) for named, fields in edits.items()}


def with_arguments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` with ``args.city`` as an entry of ``args``.

    Raises:
        InvalidOption: a field is given as a whole, and an entry of it, too.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        field, dot, argument = name.partition(".")
        if dot and field in fields:
            raise InvalidOption(
                f"--set {name} and --set {field}: one gives a part of what the other gives as a "
                "whole; leave one out",
                option="--set",
            )
        if dot:
            found.setdefault(field, {})[argument] = value
        else:
            found[name] = value
    return found


def step_named(word: str | None) -> str | int | None:
    """Return the step that a person means: a name, or a number as the views count, from 1.

    Python counts from 0; a negative number counts from the end, as there.

    Raises:
        InvalidOption: the number is 0.

    >>> step_named("sky"), step_named("1"), step_named("-1")
    ('sky', 0, -1)
    """
    if word is None or not word.lstrip("-").isdecimal():
        return word
    number = int(word)
    if number == 0:
        raise InvalidOption("step 0: steps count from 1, as the views show them", option="STEP")
    return number - 1 if number > 0 else number
