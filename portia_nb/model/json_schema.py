"""Check plain JSON against a JSON schema, and say each thing that is wrong in one sentence.

The `jsonschema` library does the checking (draft 2020-12); here is what it is told, since schemas
come from models and MCP servers too: nothing is fetched, broken patterns are passed over, and a
schema that never ends is a violation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, cast

MAX_VIOLATIONS = 20
# A pattern comes from outside; Python's engine has no time limit, so long text isn't matched.
MAX_PATTERN_TEXT = 10_000
_SHOWN = 80

Schema = Mapping[str, Any] | bool


def schema_violations(value: Any, schema: Schema) -> list[str]:
    """Return what is wrong with `value` under `schema`, one sentence each, at most 20.

    Args:
        value: plain JSON: None, bool, int, float, str, list, dict with string keys.
        schema: a JSON schema; references are resolved within it (`#/$defs/…`).

    >>> shape = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    >>> schema_violations({"city": "Oslo"}, shape)
    []
    >>> schema_violations({"city": 7}, shape)
    ['city: 7 is not a string']
    """
    from referencing.exceptions import Unresolvable

    found: list[str] = []
    try:
        for error in _validator(schema).iter_errors(value):
            found.extend(islice(_sentences(error), MAX_VIOLATIONS - len(found)))
            if len(found) >= MAX_VIOLATIONS:
                break
    except Unresolvable as error:
        found.append(f"the value: the schema's reference {error.ref!r} points nowhere")
    except RecursionError:
        found.append("the value: it, or its schema, is nested too deep to be checked")
    return found


def fits(value: Any, schema: Schema) -> bool:
    """Say whether `value` fits `schema`."""
    return not schema_violations(value, schema)


def load() -> None:
    """Import the checker, which takes a second where the checkers of all formats are installed.

    JupyterLab installs them. For a thread of its own, while there is something else to wait for.
    """
    _validator_class()


def resolve_reference(schema: Mapping[str, Any], root: Schema) -> Schema | None:
    """Return what the `$ref` of `schema` points at within `root`, None where that is nowhere."""
    path = schema["$ref"]
    if not isinstance(path, str) or not path.startswith("#"):
        return None
    found: Any = root
    for part in path.removeprefix("#").split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = cast("Mapping[str, Any]", found)[part]
    return cast("Schema", found)


def _validator(schema: Schema) -> Any:
    from referencing import Registry

    # A registry of our own: without one the library would fetch a reference from the network.
    return _validator_class()(schema, registry=Registry())


@cache
def _validator_class() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    return extend(Draft202012Validator, {"pattern": _pattern, "multipleOf": _multiple_of})


def _pattern(validator: Any, pattern: Any, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if not isinstance(value, str) or not isinstance(pattern, str) or len(value) > MAX_PATTERN_TEXT:
        return
    try:
        matches = re.search(pattern, value) is not None
    except re.error:
        return  # ECMAScript's syntax isn't Python's: not held against the value
    if not matches:
        yield ValidationError(f"{_shown(value)} doesn't match {pattern!r}")


def _multiple_of(validator: Any, step: Any, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, bool) or not isinstance(value, int | float) or not step:
        return
    ratio = value / step
    # 0.3 / 0.1 is 2.9999999999999996.
    if not math.isclose(ratio, round(ratio), rel_tol=1e-9, abs_tol=1e-9):
        yield ValidationError(f"{_shown(value)} is not a multiple of {step}")


def _sentences(error: Any) -> Iterator[str]:
    """Say what one error means, going into the alternative that came nearest."""
    if error.validator in ("anyOf", "oneOf") and error.context:
        for inner in _nearest(error.context):
            yield from _sentences(inner)
        return
    where = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
    ).removeprefix(".")
    for what in _words(error):
        yield f"{where or 'the value'}: {what}"


def _nearest(context: Iterable[Any]) -> list[Any]:
    """Return the errors of the alternative with the fewest; of equals, the deepest-lying."""
    alternatives: dict[Any, list[Any]] = {}
    for error in context:
        alternatives.setdefault(error.schema_path[0], []).append(error)

    def distance(errors: list[Any]) -> tuple[int, int]:
        return len(errors), -max(len(error.absolute_path) for error in errors)

    return min(alternatives.values(), key=distance)


_ARTICLE = {"null": "null", "integer": "an integer", "array": "an array", "object": "an object"}


def _words(error: Any) -> Iterator[str]:
    """Say it in the words that people and models are told it in."""
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case None:
            yield f"nothing is allowed here, found {_shown(value)}"
        case "type":
            names = [wanted] if isinstance(wanted, str) else wanted
            worded = " or ".join(_ARTICLE.get(name, f"a {name}") for name in names)
            yield f"{_shown(value)} is not {worded}"
        case "enum":
            yield f"{_shown(value)} is none of {', '.join(_shown(each) for each in wanted[:10])}"
        case "const":
            yield f"{_shown(value)} is not {_shown(wanted)}"
        case "required":
            yield f"{error.message.partition(' is a required property')[0]} is missing"
        case "additionalProperties" if wanted is False:
            properties = error.schema.get("properties", {})
            allowed = ", ".join(repr(each) for each in list(properties)[:10]) or "none"
            for name in value:
                if name not in properties:
                    yield f"{_shown(name)} is not allowed; allowed: {allowed}"
        case _:
            yield error.message if len(error.message) <= 300 else f"{error.message[:299]}…"


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
