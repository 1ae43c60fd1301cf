"""Inputs as a prompt shows them: JSON, so that data can't pass for instructions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from portia_nb.model import codecs

BY_REFERENCE = (
    " An entry with `by_reference` stands for a value that is too large to show: give a tool the "
    'whole of it by passing {"by_reference": "…"} as the argument, or look into it with {name}.'
)
"""What is said of values that are known by reference; ``{name}`` is the tool that reads them."""


def inputs_as_json(task: str, inputs: Mapping[str, Any], **more: Any) -> str:
    """Return the task and its inputs as one line of JSON.

    Args:
        task: what to do.
        inputs: values by name; anything that isn't JSON is shown as readable JSON.
        more: further entries that come after the task.
    """
    shown: dict[str, Any] = {"task": task, **more}
    if inputs:
        shown["inputs"] = {
            name.removeprefix("$"): codecs.to_plain_json(value) for name, value in inputs.items()
        }
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
