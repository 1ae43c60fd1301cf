"""`Tool`: something that a step can call, described so that a model can choose its arguments."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from typing_extensions import TypeVar

from portia_nb.errors import InvalidToolDescriptionError
from portia_nb.model.language import ToolSpec

from .arguments import check_arguments, listed, refused
from .aside import run_aside
from .context import ToolRunContext

if TYPE_CHECKING:
    from portia_nb.model.clarification import Clarification

MAX_DESCRIPTION_CHARS = 16_384
"""Most characters that a tool's description and its arguments' schema may have together."""
_WIRE_CHARS = 64

R = TypeVar("R", default=Any)


class NoArguments(BaseModel):
    """The arguments of a tool that takes none."""

    model_config = ConfigDict(extra="forbid")


class ReadyResponse(BaseModel):
    """Whether a tool can be called now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ready: bool = True
    clarifications: tuple[Any, ...] = ()
    """Questions whose answers would make the tool ready."""


class Tool(BaseModel, Generic[R]):
    """Something that a step can call.

    Subclass it, give the fields their values and write `run` (plain) or `arun` (async); or write a
    function and decorate it with `portia_nb.tool`. What a tool returns is its step's output: any
    value, a `LocalDataValue` with value and summary, or a `Clarification` where a person must be
    asked first. Raise `ToolSoftError` where other arguments or a second try may help, and
    `ToolHardError` where not.

    Not frozen, unlike the nouns of a plan: tools may hold what they reuse between calls.

    Raises:
        InvalidToolDescriptionError: id, description, schema or signature of `run` can't be used.

    >>> class Times(BaseModel):
    ...     n: int = Field(description="how often")
    >>> class Cheer(Tool[str]):
    ...     id: str = "cheer"
    ...     name: str = "Cheer"
    ...     description: str = "Cheers n times."
    ...     args_schema: type[BaseModel] = Times
    ...     def run(self, ctx: ToolRunContext, n: int) -> str:
    ...         return "hip " * n + "hooray"
    >>> Cheer().parse_arguments({"n": "2"})
    {'n': 2}
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, protected_namespaces=(), validate_default=True
    )

    id: str
    """Unique within a registry; no commas, no line breaks."""
    name: str
    """As people read it."""
    description: str
    """What it does and when to use it, as planner and models read it."""
    args_schema: type[BaseModel] = NoArguments
    """A pydantic model whose fields are the arguments; their descriptions are shown to models."""
    output_schema: tuple[str, str] = ("any", "Whatever the tool returns.")
    """Type and description of what it returns."""
    should_summarize: bool = False
    """True: a model writes a summary of each output of a step that calls this tool."""
    structured_output_schema: type[BaseModel] | None = None
    """A pydantic model that the output is made to fit, in steps that ask for no other shape."""
    side_effect: bool | None = None
    """False: changes nothing, may run beside others and again. True: approved first, never silently
    repeated. None (not declared): keeps its place in the plan and isn't retried."""
    retries: int | None = Field(default=None, ge=0)
    """Further tries after a `ToolSoftError`; None leaves it to the run."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Seconds that one call may take; None leaves it to the run."""
    cache: bool | float = Field(default=False, ge=0)
    """True: an output is reused for equal arguments, in any run of the store; a number: for so many
    seconds. Not for a tool with ``side_effect=True``."""
    loop: Literal["caller", "background"] = "caller"
    """Where `arun` runs: on the loop of whoever waits for the run, or on portia_nb's own."""

    _schema: dict[str, Any] | None = PrivateAttr(default=None)

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str) -> str:
        if not value.strip() or "," in value or not value.isprintable():
            raise InvalidToolDescriptionError(
                f"tool id {value!r:.100} can't be used: it must have a character, and no comma, "
                "line break or control character",
                tool_id=value,
            )
        return value

    def check_description(self) -> Self:
        """Refuse a description that is too long.

        Raises:
            InvalidToolDescriptionError: description and schema exceed `MAX_DESCRIPTION_CHARS`.
        """
        size = len(self.description) + len(json.dumps(self.json_schema(), ensure_ascii=False))
        if size > MAX_DESCRIPTION_CHARS:
            raise InvalidToolDescriptionError(
                f"tool {self.id!r}: description and schema have {size:,} characters together, "
                f"{MAX_DESCRIPTION_CHARS:,} are allowed: shorten the description of the tool or of "
                "its arguments",
                tool_id=self.id,
            )
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.check_description()
        self._check_signature()
        if self.cache and self.side_effect is True:
            raise InvalidToolDescriptionError(
                f"tool {self.id!r} has cache and side_effect=True, and what changes the world is "
                "never left out: drop one of the two",
                tool_id=self.id,
            )
        return self

    def _check_signature(self) -> None:
        call = self.arun if self.is_async else self.run
        if not self.is_async and type(self).run is Tool.run:
            raise InvalidToolDescriptionError(
                f"tool {self.id!r} ({type(self).__name__}) has neither run nor arun: write one",
                tool_id=self.id,
            )
        parameters = list(inspect.signature(call).parameters.values())[1:]
        takes = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
        needs = {p.name for p in parameters if p.default is p.empty and p.kind not in _VARIABLE}
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        given = set(self.args_schema.model_fields)
        if needs - given or (given - takes and not takes_any):
            raise InvalidToolDescriptionError(
                f"tool {self.id!r}: {call.__name__} takes {listed(takes)}, but args_schema "
                f"({self.args_schema.__name__}) has {listed(given)}: give both the same names",
                tool_id=self.id,
            )

    @property
    def is_async(self) -> bool:
        """True: call `arun` on a loop; False: call `run` on a thread."""
        return type(self).arun is not Tool.arun

    def run(self, ctx: ToolRunContext, *args: Any, **arguments: Any) -> R | Clarification:
        """Do what the tool is for; subclasses write this, or `arun`.

        Args:
            ctx: the run that calls.
            args: never used by runs, which give every argument by name.
            arguments: checked by `args_schema`.

        Raises:
            ToolHardError: it failed, and trying again can't mend it.
            ToolSoftError: it failed, and other arguments or a second try may mend it.
        """
        raise NotImplementedError(
            f"tool {self.id!r} is async: await its arun instead of calling run"
        )

    async def arun(self, ctx: ToolRunContext, *args: Any, **arguments: Any) -> R | Clarification:
        """Await what the tool is for; without one of its own, a tool's `run` is called on a thread.

        The executor calls `run` itself, on its own threads, where `is_async` is false.
        """
        return await run_aside(self.run, ctx, *args, **arguments)

    def ready(self, ctx: ToolRunContext) -> ReadyResponse:
        """Say whether the tool can be called now; subclasses check what they need here.

        Raises:
            ToolHardError: it can't, and no answer would change that, e.g. a key is missing.
        """
        return ReadyResponse()

    def json_schema(self) -> dict[str, Any]:
        """Return the arguments' JSON schema, an object that allows no others; don't change it."""
        if self._schema is None:
            schema = self.args_schema.model_json_schema()
            schema.setdefault("properties", {})
            if self.args_schema.model_config.get("extra") != "allow":
                schema["additionalProperties"] = False
            self._schema = schema
        return self._schema

    def to_spec(self) -> ToolSpec:
        """Describe the tool to a model, under a name that every provider's API allows.

        >>> from portia_nb.tools.builtin.calculator import CalculatorTool
        >>> CalculatorTool().to_spec().name
        'calculator_tool'
        """
        return ToolSpec(wire_name(self.id), self.description, self.json_schema())

    def parse_arguments(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Check `raw` by `args_schema` and return the arguments to call the tool with.

        Defaults are filled in; values become what the schema says (``"2"`` becomes 2 for an int, a
        dict a nested pydantic model).

        Args:
            raw: arguments by name, as a model, a plan or a person gave them.

        Raises:
            ToolSoftError: something is missing, wrong or not an argument; each problem is one
                sentence of the message and one item of `problems`.
        """
        problems, arguments = check_arguments(self.args_schema, raw)
        if arguments is None:
            raise refused(self.id, problems)
        return arguments

    def argument_problems(
        self, raw: Mapping[str, Any], *, unknown: Collection[str] = ()
    ) -> list[str]:
        """Return what is wrong with `raw`, one sentence each; none: the tool can be called.

        Args:
            raw: the arguments that are known.
            unknown: names of arguments that are bound too, to values that aren't known yet.

        >>> from portia_nb.tools.builtin.calculator import CalculatorTool
        >>> CalculatorTool().argument_problems({"question": "1+1"}, unknown=["math_question"])
        ["'question' is not an argument: did you mean 'math_question'?"]
        """
        return check_arguments(self.args_schema, raw, unknown=frozenset(unknown))[0]


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def to_tool(given: Any) -> Tool[Any]:
    """Return `given` as a tool: an instance itself, a class or a decorated function made into one.

    Raises:
        InvalidToolDescriptionError: it is none of these.
    """
    if isinstance(given, Tool):
        return given
    if isinstance(given, type) and issubclass(given, Tool):
        try:
            return cast("type[Any]", given)()
        except ValidationError as error:
            raise InvalidToolDescriptionError(
                f"{given.__name__} can't be made without arguments ({error.error_count()} missing "
                "or wrong): give the instance instead of the class"
            ) from error
    hint = "give a Tool, a subclass of it, or a function decorated with @tool"
    if inspect.isroutine(given):
        hint = "decorate it with @tool"
    raise InvalidToolDescriptionError(f"{given!r:.100} is no tool: {hint}")


def wire_name(tool_id: str) -> str:
    """Return a name for `tool_id` that APIs take: 1 to 64 letters, digits, ``_`` and ``-``.

    Ids that fit stay as they are; others get a hash, so that two ids never share a name.
    """
    if re.fullmatch(rf"[A-Za-z0-9_-]{{1,{_WIRE_CHARS}}}", tool_id):
        return tool_id
    mark = hashlib.sha256(tool_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", tool_id).strip("_")
    return f"{plain[: _WIRE_CHARS - 9]}_{mark}" if plain else f"tool_{mark}"
