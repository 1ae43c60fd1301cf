"""`@tool` turns functions into tools that describe themselves."""

from __future__ import annotations

import functools
import inspect
import types
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from portia_nb.config import Config
from portia_nb.errors import InvalidToolDescriptionError, ToolSoftError
from portia_nb.model.clarification import InputClarification
from portia_nb.model.values import LocalDataValue
from portia_nb.tools.base import Tool
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.decorator import tool
from portia_nb.tools.docstring import read_docstring

CONTEXT = ToolRunContext(config=Config(), step="here")


class Place(BaseModel):
    city: str
    country: str = "GB"


def call(made: type[Tool[Any]], **raw: Any) -> Any:
    instance = made()
    return instance.run(CONTEXT, **instance.parse_arguments(raw))


@tool
def greet(name: Annotated[str, "whom to greet"], times: int = 1) -> str:
    """Greet somebody.

    As often as asked.

    Args:
        name: not this text, since the annotation says it
        times: how often,
            at least once

    Returns:
        The greeting.

    Raises:
        ValueError: never shown to a model.
    """
    return f"hello {name} " * times


def test_a_decorated_function_is_a_class_whose_instance_is_the_tool() -> None:
    assert issubclass(greet, Tool)
    made = greet()
    assert (made.id, made.name) == ("greet", "Greet")
    assert made.description == "Greet somebody.\n\nAs often as asked."
    assert made.output_schema == ("str", "The greeting.")
    assert made.side_effect is None
    assert made.loop == "caller"
    assert greet.__module__ == __name__
    assert greet.function("you") == "hello you "


def test_the_arguments_are_described_by_annotation_then_docstring() -> None:
    properties = greet().json_schema()["properties"]
    assert properties["name"]["description"] == "whom to greet"
    assert properties["times"]["description"] == "how often, at least once"
    assert properties["times"]["default"] == 1
    assert greet().json_schema()["required"] == ["name"]
    assert greet().json_schema()["additionalProperties"] is False


def test_the_function_is_called_with_checked_arguments_and_defaults() -> None:
    assert call(greet, name="you", times="2") == "hello you hello you "
    assert call(greet, name="you") == "hello you "


def test_settings_are_those_of_a_tool() -> None:
    class Shape(BaseModel):
        n: int

    @tool(
        id="mine",
        name="My own",
        description="Says what it does.",
        side_effect=False,
        loop="background",
        retries=2,
        timeout_s=1.5,
        cache=True,
        should_summarize=True,
        structured_output_schema=Shape,
    )
    def other() -> int:
        """Not this."""
        return 1

    made = other()
    assert (made.id, made.name, made.description) == ("mine", "My own", "Says what it does.")
    assert (made.side_effect, made.loop, made.retries) == (False, "background", 2)
    assert (made.timeout_s, made.cache, made.should_summarize) == (1.5, True, True)
    assert made.structured_output_schema is Shape


def test_a_name_of_several_words_becomes_title_case() -> None:
    @tool
    def get_the_weather() -> str:
        """Get it."""
        return ""

    assert (get_the_weather().id, get_the_weather().name) == ("get_the_weather", "Get The Weather")


async def test_a_coroutine_function_becomes_an_async_tool() -> None:
    @tool
    async def fetch(url: str, ctx: ToolRunContext) -> str:
        """Fetch."""
        return f"{url} for {ctx.step}"

    made = fetch()
    assert made.is_async
    assert await made.arun(CONTEXT, url="a") == "a for here"
    with pytest.raises(NotImplementedError, match="await its arun"):
        made.run(CONTEXT, url="a")


async def test_a_plain_tool_awaited_runs_on_a_thread() -> None:
    assert not greet().is_async
    assert await greet().arun(CONTEXT, name="you", times=1) == "hello you "


def _bare_ctx(n: int, ctx) -> Any:  # type: ignore[no-untyped-def]
    """Do."""
    return ctx.step, n


def _bare_context(context, n: int) -> Any:  # type: ignore[no-untyped-def]
    """Do."""
    return context.step, n


def _typed_ctx(n: int, ctx: ToolRunContext) -> Any:
    """Do."""
    return ctx.step, n


def _any_context(n: int, context: Any = None) -> Any:
    """Do."""
    return context.step, n


def _noted_ctx(n: int, ctx: Annotated[ToolRunContext, "the run"]) -> Any:
    """Do."""
    return ctx.step, n


def _typed_otherwise_named(n: int, *, run: ToolRunContext) -> Any:
    """Do."""
    return run.step, n


@pytest.mark.parametrize(
    "function",
    [_bare_ctx, _bare_context, _typed_ctx, _any_context, _noted_ctx, _typed_otherwise_named],
)
def test_a_context_parameter_is_given_and_hidden(function: Any) -> None:
    function.__name__ = "f"
    made = tool(function)
    assert list(made().json_schema()["properties"]) == ["n"]
    assert call(made, n=1) == ("here", 1)


def test_a_context_that_is_text_is_an_argument_like_any_other() -> None:
    @tool
    def summarise(context: str, run: ToolRunContext) -> str:
        """Summarise."""
        return f"{context} {run.step}"

    assert list(summarise().json_schema()["properties"]) == ["context"]
    assert call(summarise, context="long") == "long here"


def test_rich_types_arrive_as_what_they_were_declared() -> None:
    @tool
    def take(
        place: Place,
        day: date,
        kind: Literal["a", "b"] = "a",
        many: list[int] | None = None,
        limit: Annotated[int, Field(ge=1, le=9, description="how many")] = 3,
        described: str = Field("x", description="by field", max_length=3),
    ) -> list[Any]:
        """Take them."""
        return [place, day, kind, many, limit, described]

    assert call(take, place={"city": "Oslo"}, day="2024-02-29", many=["1"]) == [
        Place(city="Oslo"),
        date(2024, 2, 29),
        "a",
        [1],
        3,
        "x",
    ]
    properties = take().json_schema()["properties"]
    assert properties["limit"]["description"] == "how many"
    assert properties["described"] | {"title": ""} == {
        "default": "x",
        "description": "by field",
        "maxLength": 3,
        "title": "",
        "type": "string",
    }
    with pytest.raises(ToolSoftError, match="'limit' is 10"):
        call(take, place={"city": "Oslo"}, day="2024-02-29", limit=10)


def test_a_number_is_taken_where_text_is_wanted() -> None:
    assert call(greet, name=42) == "hello 42 "


@pytest.mark.parametrize("name", ["json", "copy", "schema", "dict", "model_dump", "validate", "id"])
def test_arguments_may_be_called_like_methods_of_pydantic(name: str) -> None:
    function = types.FunctionType(
        (lambda a: a).__code__.replace(co_varnames=(name,)), globals(), "f"
    )
    function.__annotations__ = {name: str}
    function.__doc__ = "Do."
    made = tool(function)
    assert made().parse_arguments({name: "x"}) == {name: "x"}
    assert call(made, **{name: "x"}) == "x"


@pytest.mark.parametrize(
    "returned",
    [
        1,
        None,
        LocalDataValue(value=[1], summary="one"),
        InputClarification(argument_name="n", user_guidance="How many?"),
    ],
    ids=["value", "none", "value and summary", "clarification"],
)
def test_a_function_may_return_anything(returned: object) -> None:
    @tool
    def give() -> Any:
        """Give."""
        return returned

    assert call(give) is returned


def test_without_a_docstring_the_signature_describes_the_tool() -> None:
    @tool
    def undocumented(a: int, b: str = "x") -> bool:
        return bool(a) or bool(b)

    assert undocumented().description.startswith("undocumented(a: 'int', b: 'str'")


def test_types_of_an_enclosing_function_are_found() -> None:
    @dataclass
    class Local:
        n: int

    @tool
    def use(local: Local) -> int:
        """Use."""
        return local.n

    assert call(use, local={"n": 3}) == 3


def test_a_wrapped_function_keeps_its_own_signature() -> None:
    def twice(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(**kwargs: Any) -> Any:
            return function(**kwargs) * 2

        return wrapper

    @tool
    @twice
    def one(n: int) -> int:
        """One."""
        return n

    assert call(one, n=2) == 4


def _with_star(*names: str) -> None:
    """Star."""


def _with_kwargs(**names: str) -> None:
    """Kwargs."""


def _positional(a: int, /) -> None:
    """Positional."""


def _method(self: Any, a: int) -> None:
    """Act as a method."""


def _private(_a: int) -> None:
    """Private."""


def _unknown(a: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Say nothing known."""


def _yields() -> Any:
    """Yield."""
    yield 1


async def _ayields() -> Any:
    """Yield."""
    yield 1


class _Opaque(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    signature: inspect.Signature


def _opaque(a: _Opaque) -> None:
    """Take what no JSON describes."""


def _long() -> None:
    """Placeholder."""


_long.__doc__ = "word " * 4_000


def test_an_argument_of_a_class_without_a_json_shape_is_described_as_anything_and_checked() -> None:
    @tool(side_effect=False)
    def names(
        of: inspect.Signature,
        also: Annotated[inspect.Signature | None, "A second one"] = None,
        limit: int = 3,
    ) -> list[str]:
        """List the parameters of a signature."""
        return [*of.parameters][:limit]

    properties = names().args_schema.model_json_schema()["properties"]
    assert properties["of"] == {"title": "Of", "description": "Signature, as another step gives it"}
    assert properties["also"]["description"] == "A second one"
    assert properties["limit"]["type"] == "integer"
    signature = inspect.signature(_with_star)
    assert names().args_schema(of=signature).of is signature  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="instance of Signature"):
        names().args_schema(of="(a, b)")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_with_star, "name each argument"),
        (_with_kwargs, "name each argument"),
        (_positional, "can't be positional-only"),
        (_method, "methods can't be tools"),
        (_private, "without a leading underscore"),
        (_unknown, "an annotation can't be read: name 'Missing' is not defined"),
        (_yields, "return the list"),
        (_ayields, "return the list"),
        (_opaque, "can't be described to a model"),
        (_long, "16,384 are allowed"),
        (lambda a: a, "write it with def"),
        (int, "named function"),
        (3, "named function"),
        (functools.partial(print, 1), "named function"),
    ],
)
def test_a_function_that_can_not_be_a_tool_is_refused_with_the_reason(
    function: Any, words: str
) -> None:
    with pytest.raises(InvalidToolDescriptionError) as caught:
        tool(function)
    assert words in str(caught.value)


def test_an_unknown_setting_or_a_bad_id_is_refused_where_the_function_is_written() -> None:
    with pytest.raises(InvalidToolDescriptionError, match="no setting 'sideeffect'"):
        tool(sideeffect=True)  # type: ignore[call-overload]
    with pytest.raises(InvalidToolDescriptionError, match="no comma"):
        tool(id="a,b")(greet.function)


@pytest.mark.parametrize(
    ("text", "description", "arguments", "returns"),
    [
        (None, "", {}, ""),
        ("One line.", "One line.", {}, ""),
        ("Sum.\n\n    Body.\n    ", "Sum.\n\nBody.", {}, ""),
        ("S.\n\nArgs:\n  a (int): x\n  b: y\n    z", "S.", {"a": "x", "b": "y z"}, ""),
        ("S.\n\nReturns:\n    int: n\n\nRaises:\n    E: x", "S.", {}, "int: n"),
        ("S.\n\nExample:\n    >>> f()\n\nNote:\n    Careful.", "S.\n\nNote:\n    Careful.", {}, ""),
        ("S.\n\nArgs:\n    **k: rest\n\nMore text.", "S.\n\nMore text.", {"k": "rest"}, ""),
        ("\nArgs:\n    a: {0.__class__}", "", {"a": "{0.__class__}"}, ""),
    ],
)
def test_docstrings_are_split(
    text: str | None, description: str, arguments: dict[str, str], returns: str
) -> None:
    found = read_docstring(text)
    assert (found.description, found.arguments, found.returns) == (description, arguments, returns)
