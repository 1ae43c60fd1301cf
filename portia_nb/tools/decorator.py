"""`@tool`: turn a typed function into a Tool class."""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args, get_origin, overload

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, create_model
from pydantic.errors import (
    PydanticInvalidForJsonSchema,
    PydanticSchemaGenerationError,
    PydanticUserError,
)
from pydantic.fields import FieldInfo

from portia_nb.errors import InvalidToolDescriptionError

from .base import Tool
from .context import ToolRunContext
from .docstring import Docstring, read_docstring

_CONTEXT_NAMES = ("ctx", "context")


class FunctionTool(Tool[Any]):
    """Base of the classes that `@tool` makes."""

    function: ClassVar[Callable[..., Any]]
    """The function as it was before it was decorated."""
    context_name: ClassVar[str | None] = None
    """The parameter that gets the `ToolRunContext`."""

    if TYPE_CHECKING:
        # Type checkers can't see that `@tool` gives the required fields their values.
        def __init__(self, **fields: Any) -> None: ...

    @classmethod
    def _call(cls, ctx: ToolRunContext, arguments: dict[str, Any]) -> Any:
        if cls.context_name is not None:
            arguments[cls.context_name] = ctx
        return cls.function(**arguments)


class _SyncFunction(FunctionTool):
    def run(self, ctx: ToolRunContext, **arguments: Any) -> Any:
        """Call the function."""
        return self._call(ctx, arguments)


class _AsyncFunction(FunctionTool):
    async def arun(self, ctx: ToolRunContext, **arguments: Any) -> Any:
        """Await the function."""
        return await self._call(ctx, arguments)


@overload
def tool(function: Callable[..., Any], /) -> type[FunctionTool]: ...


@overload
def tool(
    *,
    id: str | None = None,
    name: str | None = None,
    description: str | None = None,
    side_effect: bool | None = None,
    loop: Literal["caller", "background"] = "caller",
    retries: int | None = None,
    timeout_s: float | None = None,
    cache: bool = False,
    should_summarize: bool = False,
    structured_output_schema: type[BaseModel] | None = None,
) -> Callable[[Callable[..., Any]], type[FunctionTool]]: ...


def tool(function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Turn a function, plain or async, into a Tool class: ``my_tool()`` makes the instance.

    The docstring is the description; ``Annotated[str, "…"]``, a pydantic ``Field`` or an ``Args:``
    entry describes an argument. A parameter ``ctx`` or ``context`` without a type of its own, or
    any parameter of type `ToolRunContext`, gets the run's context and is hidden from models. The
    function may return any value, a `LocalDataValue` with value and summary, or a `Clarification`.

    Args:
        function: what to turn; left out where settings are given.
        settings: ``id`` (default: the function's name), ``name`` (the id in title case),
            ``description``, ``side_effect``, ``loop``, ``retries``, ``timeout_s``, ``cache``,
            ``should_summarize`` and ``structured_output_schema``, as on `Tool`.

    Raises:
        InvalidToolDescriptionError: the function can't be described: ``*args``, an annotation that
            can't be read or put into a schema, a generator, a class, or an unknown setting.

    >>> @tool(side_effect=False)
    ... def add(a: int, b: Annotated[int, "the other number"] = 1) -> int:
    ...     '''Add two numbers.'''
    ...     return a + b
    >>> add().parse_arguments({"a": 2})
    {'a': 2, 'b': 1}
    """
    unknown = settings.keys() - _SETTINGS
    if unknown:
        raise InvalidToolDescriptionError(
            f"@tool has no setting {min(unknown)!r}; its settings: {', '.join(sorted(_SETTINGS))}"
        )
    frame = inspect.currentframe()
    local_names = frame.f_back.f_locals if frame and frame.f_back else {}
    if function is not None:
        return _make(function, settings, local_names)
    return lambda function: _make(function, settings, local_names)


_SETTINGS = {
    "id",
    "name",
    "description",
    "side_effect",
    "loop",
    "retries",
    "timeout_s",
    "cache",
    "should_summarize",
    "structured_output_schema",
}


def _make(
    function: Callable[..., Any], settings: Mapping[str, Any], local_names: Mapping[str, Any]
) -> type[FunctionTool]:
    name = _check_function(function)
    doc = read_docstring(function.__doc__)
    hints = _hints(function, name, local_names)
    signature = inspect.signature(function)
    context_name = _find_context(signature, hints)
    given = {key: value for key, value in settings.items() if value is not None}
    tool_id = given.pop("id", name)
    values: dict[str, Any] = {
        "id": tool_id,
        "name": str(tool_id).replace("_", " ").strip().title(),
        # Without a docstring the signature still says more than nothing.
        "description": doc.description or f"{name}{signature}",
        "output_schema": _describe_output(hints.get("return", Any), doc),
        "args_schema": _make_schema(name, signature, hints, doc, context_name),
        **given,
    }
    is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
    fields = {key: (Tool.model_fields[key].annotation, value) for key, value in values.items()}
    made = create_model(
        "".join(part.title() for part in name.split("_")) or "Function",
        __base__=_AsyncFunction if is_async else _SyncFunction,
        __module__=function.__module__,
        __doc__=function.__doc__ or values["description"],
        **fields,  # type: ignore[call-overload]
    )
    made.function = staticmethod(function)
    made.context_name = context_name
    # An id or a description that can't be used is found here, where the function is written.
    made()
    return made


def _check_function(function: Any) -> str:
    """Return the function's name, having refused what is no function or can't be a tool."""
    name = getattr(function, "__name__", None)
    if isinstance(function, type) or not callable(function) or not isinstance(name, str):
        raise InvalidToolDescriptionError(
            f"@tool turns a named function into a tool, not {function!r:.100}"
        )
    if not name.isidentifier():
        raise InvalidToolDescriptionError(f"{name} has no name to be called by: write it with def")
    plain = inspect.unwrap(function)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise InvalidToolDescriptionError(
            f"function {name!r} yields, and a tool returns once: return the list of what it yields"
        )
    return name


def _hints(
    function: Callable[..., Any], name: str, local_names: Mapping[str, Any]
) -> dict[str, Any]:
    plain = inspect.unwrap(function)
    try:
        # Names of an enclosing function are no globals: look where @tool stands, too.
        return typing.get_type_hints(plain, localns=dict(local_names), include_extras=True)
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        raise InvalidToolDescriptionError(
            f"function {name!r}: an annotation can't be read: {error}", tool_id=name
        ) from error


def _find_context(signature: inspect.Signature, hints: Mapping[str, Any]) -> str | None:
    for name in signature.parameters:
        hint = hints.get(name, Any)
        bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        if bare is ToolRunContext or (name in _CONTEXT_NAMES and bare is Any):
            return name
    return None


def _make_schema(
    name: str,
    signature: inspect.Signature,
    hints: Mapping[str, Any],
    doc: Docstring,
    context_name: str | None,
) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.name == context_name:
            continue
        _check_parameter(parameter, name)
        hint = hints.get(parameter.name, Any)
        fields[parameter.name] = (hint, _field_of(parameter, hint, doc))
    try:
        try:
            return _schema_of(name, fields)
        except PydanticInvalidForJsonSchema:
            return _schema_of(name, {k: (_left_open(hint), f) for k, (hint, f) in fields.items()})
    except (PydanticUserError, PydanticSchemaGenerationError, NameError, TypeError) as error:
        # Pydantic's own frames, some twenty, would bury the sentence in a notebook.
        raise InvalidToolDescriptionError(
            f"function {name!r}: its arguments can't be described to a model: "
            f"{str(error).splitlines()[0]}; annotate such an argument as Any",
            tool_id=name,
        ) from None


def _schema_of(name: str, fields: Mapping[str, Any]) -> type[BaseModel]:
    """Return the model of the arguments, having tried that JSON Schema can say it."""
    with warnings.catch_warnings():
        # "Field name 'json' shadows an attribute": values are read from __dict__, so it may.
        warnings.filterwarnings("ignore", message="Field name .* shadows an attribute")
        schema = create_model(
            f"{name}_arguments",
            __config__=ConfigDict(
                extra="forbid",
                arbitrary_types_allowed=True,
                protected_namespaces=(),
                # Models and earlier steps often give a number where text is wanted.
                coerce_numbers_to_str=True,
            ),
            **fields,
        )
    schema.model_json_schema()
    return schema


def _left_open(hint: Any) -> Any:
    """Return `hint`, described as anything where JSON has no shape for it, such as a DataFrame.

    A value of it comes from another step, and is still checked to be an instance.
    """
    try:
        TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).json_schema()
    except PydanticInvalidForJsonSchema:
        bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        kind = getattr(bare, "__name__", None) or str(bare)
        return Annotated[hint, WithJsonSchema({"description": f"{kind}, as another step gives it"})]
    except (PydanticUserError, PydanticSchemaGenerationError):
        pass  # such as a model, which brings its own configuration
    return hint


def _check_parameter(parameter: inspect.Parameter, function: str) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        reason = "name each argument, so that a model can be told of it"
    elif parameter.kind is parameter.POSITIONAL_ONLY:
        reason = "arguments are given by name, so it can't be positional-only"
    elif parameter.name in ("self", "cls"):
        reason = "methods can't be tools: decorate a function, or write a subclass of Tool"
    elif parameter.name.startswith("_") or parameter.name == "model_config":
        reason = "choose a name without a leading underscore, other than model_config"
    else:
        return
    raise InvalidToolDescriptionError(
        f"function {function!r}, parameter {str(parameter)!r}: {reason}", tool_id=function
    )


def _field_of(parameter: inspect.Parameter, hint: Any, doc: Docstring) -> Any:
    """Return the pydantic field of a parameter, with the first description that there is."""
    default = parameter.default
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    fields = [each for each in (*notes, default) if isinstance(each, FieldInfo)]
    text = next((field.description for field in fields if field.description), None)
    if text is None:
        text = next((note for note in notes if isinstance(note, str)), None)
    if text is None:
        text = doc.arguments.get(parameter.name)
    if isinstance(default, FieldInfo):
        given = copy(default)
        given.description = text
        return given
    return Field(... if default is parameter.empty else default, description=text)


def _describe_output(hint: Any, doc: Docstring) -> tuple[str, str]:
    notes: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        notes = tuple(rest)
    if hint is Any:
        kind = "any"
    elif hint is type(None) or hint is None:
        kind = "null"
    else:
        kind = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    text = next((note for note in notes if isinstance(note, str)), doc.returns)
    return kind, text or "What the function returns."
