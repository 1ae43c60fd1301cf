"""Read the inputs that a caller gives a run, in every shape that callers know."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from portia_nb.errors import InputsMissing
from portia_nb.model.plan import Plan, PlanInput

logger = logging.getLogger("portia_nb")


def read_plan_run_inputs(given: Any, plan: Plan) -> dict[str, Any]:
    """Return the value of each input of `plan`, by its name without ``$``, in the plan's order.

    An input that isn't given takes its default. One that the plan hasn't got is logged and ignored.

    Args:
        given: a dict of values by name; one ``{"name": …, "value": …}``; a list of those, of
            `PlanInput`s, or of both; or None. Names go with or without ``$``.
        plan: what is going to run.

    Raises:
        InputsMissing: inputs without a default are missing, a `ValueError`.
        ValueError: an input is given twice, or `given` has another shape. The message lists the
            inputs that the plan takes.

    >>> plan = Plan(plan_inputs=[PlanInput(name="city"), PlanInput(name="unit", value="°C")])
    >>> read_plan_run_inputs([{"name": "$city", "value": "Oslo"}], plan)
    {'city': 'Oslo', 'unit': '°C'}
    """
    declared = {_plain(known.name): known for known in plan.plan_inputs}
    values = inputs_by_name(given, declared)
    for name in values.keys() - declared.keys():
        near = get_close_matches(name, list(declared), n=1)
        logger.warning(
            "input %r is ignored: the plan takes %s%s",
            name,
            _listed(declared) or "no inputs",
            f" (did you mean {near[0]!r}?)" if near else "",
        )
    missing = [n for n, known in declared.items() if n not in values and known.value is None]
    if missing:
        raise InputsMissing(
            f"the plan needs {_listed({name: declared[name] for name in missing})}, and "
            f"{_named(values)}: pass plan_run_inputs={{{', '.join(f'{n!r}: …' for n in missing)}}}",
            missing=tuple(missing),
            plan_id=plan.id,
        )
    return {name: values.get(name, known.value) for name, known in declared.items()}


def read_plan_inputs(given: Any) -> tuple[PlanInput, ...]:
    """Return the inputs that a plan is to have; values in `given` are left out, defaults are kept.

    Args:
        given: a list of names, of dicts with a ``name`` and perhaps a ``description``, or of
            `PlanInput`s; a single one of these; a dict whose keys are the names; or None.

    Raises:
        ValueError: `given` has another shape.

    >>> [made.name for made in read_plan_inputs(["$city", {"name": "unit", "value": "K"}])]
    ['city', 'unit']
    """
    match given:
        case None:
            return ()
        case str() | PlanInput():
            items: list[Any] = [given]
        case Mapping() if "name" in given and set(given) <= {"name", "value", "description"}:
            items = [given]
        case _:
            try:
                items = list(given)  # of a dict: its keys
            except TypeError:
                raise ValueError(
                    "plan_inputs is a list of names, {'name': …, 'description': …} or PlanInput, "
                    f"not {given!r:.80}"
                ) from None
    return tuple(_declared(item) for item in items)


def _declared(item: Any) -> PlanInput:
    match item:
        case PlanInput():
            return item.model_copy(update={"name": _plain(item.name)})
        case str():
            return PlanInput(name=_plain(item))
        case {"name": str(name)} if set(item) <= {"name", "value", "description"}:
            return PlanInput(name=_plain(name), description=item.get("description"))
        case _:
            raise ValueError(
                f"an input of a plan is a name, a {{'name': …}} or a PlanInput, not {item!r:.80}"
            )


def inputs_by_name(given: Any, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a caller gives inputs, by name without ``$``.

    Args:
        given: as `read_plan_run_inputs` takes it.
        declared: the inputs that there are, by name.

    Raises:
        ValueError: an input is given twice, or `given` has another shape.
    """
    match given:
        case None:
            return {}
        case PlanInput():
            pairs = _pairs([given])
        case Mapping() if set(given) == {"name", "value"} and not set(given) <= set(declared):
            pairs = _pairs([given])
        case Mapping():
            pairs = list(given.items())
        case list() | tuple():
            pairs = _pairs(given)
        case _:
            raise ValueError(_SHAPES.replace("{}", type(given).__name__))
    values: dict[str, Any] = {}
    for name, value in pairs:
        if not isinstance(name, str):
            raise ValueError(f"an input's name is text, not {name!r:.80}")
        if _plain(name) in values:
            raise ValueError(f"input {_plain(name)!r} is given twice")
        values[_plain(name)] = value
    return values


_SHAPES = (
    "plan_run_inputs is a dict of values by name, or a list of {'name': …, 'value': …} or PlanInput"
    ", not {}"
)


def _pairs(given: list[Any] | tuple[Any, ...]) -> list[tuple[Any, Any]]:
    pairs: list[tuple[Any, Any]] = []
    for item in given:
        match item:
            case PlanInput():
                # One that is made without a value leaves the plan's own default as it is.
                if "value" in item.model_fields_set:
                    pairs.append((item.name, item.value))
            case Mapping() if "name" in item and item.keys() <= {"name", "value", "description"}:
                if "value" not in item:
                    raise ValueError(f"input {item['name']!r} is given without a 'value'")
                pairs.append((item["name"], item["value"]))
            case _:
                raise ValueError(_SHAPES.replace("{}", f"a list that holds {item!r:.80}"))
    return pairs


def _plain(name: str) -> str:
    return name.removeprefix("$")


def _listed(inputs: Mapping[str, PlanInput]) -> str:
    return ", ".join(
        repr(name) + (f" ({known.description})" if known.description else "")
        for name, known in inputs.items()
    )


def _named(values: Mapping[str, Any]) -> str:
    return f"only {', '.join(map(repr, values))} came" if values else "none came"
