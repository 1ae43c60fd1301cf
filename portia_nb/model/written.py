"""Steps as the reference SDK has them written: ``LLMStep(step_name=…, task=…, inputs=[…])``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.reference import Argument, Input, StepOutput, show, to_argument
from portia_nb.model.steps import Variable, text_argument


def fields_of(words: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, and the bound objects, that the keywords of the SDK mean.

    References may stand anywhere, as in the calls of the builder; all else is a literal, dicts too.

    Args:
        words: keywords, `step_name` among them.
        known: the fields of the step's class.

    >>> fields_of({"step_name": "sky", "tool": "weather_tool", "args": {"city": Input("c")}}, {})
    {'name': 'sky', 'tool_id': 'weather_tool', 'args': {'city': Input('c')}}
    """
    fields: dict[str, Any] = {}
    for word, value in words.items():
        match word:
            case "step_name":
                fields["name"] = str(value).removeprefix("$")
            case "task" if "task_parts" in known:
                fields["task"], fields["task_parts"] = text_argument(to_argument(value))
            case "inputs":
                fields["inputs"] = to_variables(value)
            case "message":
                fields["message"] = to_argument(value)
                fields.setdefault("task", text_argument(fields["message"])[0])
            case "args" | "options" | "output_schema" | "function" if value is not None:
                fields[word] = _READERS[word](value)
            case "model":
                fields["model"], fields["_model"] = _by_name(value, "name")
            case "tool":
                fields["tool_id"], fields["_tool"] = _by_name(value, "id")
            case "tools":
                named = [_by_name(tool, "id") for tool in value or ()]
                fields["tool_ids"] = None if value is None else tuple(name for name, _ in named)
                fields["_tools"] = tuple(tool for _, tool in named if tool is not None)
            case _:
                fields[word] = value
    return {name: value for name, value in fields.items() if name[0] != "_" or value is not None}


def _by_name(given: Any, attribute: str) -> tuple[str | None, Any]:
    """Return a tool's id or a model's name, and the object itself where it isn't given by that."""
    if given is None or isinstance(given, str):
        return given, None
    made = given() if isinstance(given, type) else given
    return getattr(made, attribute), made


def to_variables(inputs: Sequence[Any] | Mapping[str, Any] | None) -> tuple[Variable, ...]:
    """Return a variable for each of `inputs`, each with a name of its own.

    Args:
        inputs: references, values and `Variable`s, or a dict of them by name.

    Raises:
        TypeError: `inputs` is neither a list nor a dict.

    >>> [v.name for v in to_variables([StepOutput("sky"), StepOutput("who", path="name"), 7])]
    ['$sky', '$who.name', 'input_2']
    """
    if inputs is None:
        return ()
    if isinstance(inputs, Mapping):
        return tuple(
            Variable(name=name, value=to_argument(value)) for name, value in inputs.items()
        )
    if not isinstance(inputs, list | tuple):
        raise TypeError(
            f"inputs is a list, or a dict by name, not {inputs!r:.80}: put it in a list"
        )
    variables: dict[str, Variable] = {}
    for index, given in enumerate(inputs):
        variable = given if isinstance(given, Variable) else _variable(to_argument(given), index)
        if variables.get(variable.name, variable) != variable:
            variable = variable.model_copy(update={"name": f"{variable.name}_{index}"})
        variables[variable.name] = variable
    return tuple(variables.values())


def _variable(argument: Argument, index: int) -> Variable:
    match argument:
        case StepOutput() | Input():
            return Variable(name=show(argument), value=argument)
        case _:
            return Variable(name=f"input_{index}", value=argument)


def to_arguments(args: Mapping[str, Any] | None) -> dict[str, Argument]:
    """Return the arguments by name, each with the references in it found."""
    return {name: to_argument(value) for name, value in (args or {}).items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "args": to_arguments,
    "options": to_argument,
    "output_schema": SchemaRef.of,
    "function": FunctionRef.of,
}
