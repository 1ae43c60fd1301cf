"""The setting ``answers``: a dict, the JSON of one, or the name of a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator


def read_given(value: Any) -> Any:
    """Return `value`, read as JSON where it is the text of an object; other text names a file.

    Raises:
        ValueError: it begins like an object and isn't one.

    >>> read_given('{"city": "Oslo"}'), read_given("answers.json")
    ({'city': 'Oslo'}, 'answers.json')
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"it begins like JSON and isn't: {error}") from None
    return value


Answers = Annotated[dict[str, Any] | Path, BeforeValidator(read_given)]
"""Answers by the name of an argument or a step, or the file that holds them."""
