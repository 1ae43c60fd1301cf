"""Models that people write themselves: text for messages, and data in the shape of a class."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from portia_nb.config import LLMProvider
from portia_nb.errors import ModelError, ModelReplyInvalid, PortiaBaseError
from portia_nb.model.json_schema import schema_violations
from portia_nb.model.language import (
    CallAnswer,
    DataAnswer,
    Message,
    ModelReply,
    ModelRequest,
    ToolCall,
    ToolSpec,
    Usage,
)

from .shapes import class_of

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class GenerativeModel(ABC):
    """A model of your own: say how to get text and data, and it can plan and do steps.

    A subclass implements `get_response` and `get_structured_response`, or their async twins, and
    goes wherever a model goes: ``Config(default_model=…)``, ``llm_step(model=…)``. It is a
    `LanguageModel` too. The models that ``config.get_default_model()`` hands out are of this class.

    >>> class Parrot(GenerativeModel):
    ...     def get_response(self, messages):
    ...         return Message("assistant", messages[-1].content.upper())
    ...
    ...     def get_structured_response(self, messages, schema):
    ...         return schema.model_validate_json(messages[-1].content)
    >>> Parrot("polly").get_response([Message("user", "hello")]).content
    'HELLO'
    >>> str(Parrot("polly"))
    'custom/polly'
    """

    provider: LLMProvider = LLMProvider.CUSTOM
    """Who serves it."""

    def __init__(self, model_name: str) -> None:
        """Call the model `model_name`."""
        self.model_name = model_name

    @abstractmethod
    def get_response(self, messages: list[Message]) -> Message:
        """Return the model's answer, a message of role ``assistant``.

        Args:
            messages: the conversation; roles are ``system``, ``user`` and ``assistant``.
        """

    @abstractmethod
    def get_structured_response(self, messages: list[Message], schema: type[M]) -> M:
        """Return the model's answer as an instance of `schema`.

        Args:
            messages: the conversation.
            schema: a pydantic class. Where a plan's steps ask, it holds any fields that fit the
                JSON schema that ``schema.model_json_schema()`` gives; ``schema.model_validate``
                and ``schema.model_validate_json`` check it.
        """

    async def aget_response(self, messages: list[Message]) -> Message:
        """Return what `get_response` does, called on a thread of its own."""
        return await _on_a_thread(lambda: self.get_response(messages))

    async def aget_structured_response(self, messages: list[Message], schema: type[M]) -> M:
        """Return what `get_structured_response` does, called on a thread of its own."""
        return await _on_a_thread(lambda: self.get_structured_response(messages, schema))

    @property
    def name(self) -> str:
        """The model as ``provider/name``."""
        return f"{getattr(self.provider, 'value', self.provider)}/{self.model_name}"

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Answer `request` through the methods above; see `LanguageModel.reply`.

        Where tools may be chosen, the choice is asked for as data. Tokens aren't counted.

        Raises:
            ModelReplyInvalid: what came isn't what was asked for, after `request.repairs` repairs.
            ModelError: the model raised something else; it is chained.
        """
        return await _Asking(self, request, on_text).answer()

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class _Asking:
    """One request, put to a model in the words of its own methods."""

    def __init__(
        self, model: GenerativeModel, request: ModelRequest, on_text: Callable[[str], None] | None
    ) -> None:
        self._model = model
        self._request = request
        self._on_text = on_text
        self._calls = 0

    async def answer(self) -> ModelReply:
        messages = [_in_plain_roles(message) for message in self._request.messages]
        match self._request.answer:
            case DataAnswer(name=name, schema=schema):
                return self._reply(data=await self._data(messages, name, schema))
            case CallAnswer(tools=tools, forced=str() as forced):
                spec = next(tool for tool in tools if tool.name == forced)
                data = await self._data(messages, forced, spec.parameters, spec.description)
                return self._reply(tool_calls=(ToolCall("call_0", forced, data),))
            case CallAnswer(tools=tools) if tools:
                return await self._choice(messages, tools)
            case _:
                return self._reply(text=await self._text(messages))

    async def _text(self, messages: list[Message]) -> str:
        said: Any = await self._call(lambda: self._model.aget_response(messages))
        text = getattr(said, "content", said)
        if not isinstance(text, str):
            raise ModelReplyInvalid(
                f"{self._model.name}: get_response returned {said!r:.200}; a Message is needed",
                model=self._model.name,
            )
        if self._on_text is not None and text:
            self._on_text(text)
        return text

    async def _data(
        self, messages: list[Message], name: str, schema: Mapping[str, Any], about: str = ""
    ) -> Any:
        """Ask for data under `schema`, and again with what is wrong where it doesn't fit."""
        shape = class_of(name, schema, about)
        problem, said = "", ""
        for _ in range(self._request.repairs + 1):
            try:
                asked = partial(self._model.aget_structured_response, messages, shape)
                got: Any = await self._call(asked)
            except ValidationError as error:
                first = error.errors(include_url=False, include_context=False)[0]
                problem, said = str(first["msg"]), _as_text(first.get("input"))
            else:
                data = got.model_dump(mode="json") if isinstance(got, BaseModel) else got
                if not (found := schema_violations(data, schema)):
                    return data
                problem, said = "; ".join(found[:5]), _as_text(data)
            messages = [
                *messages,
                Message("assistant", said or "(empty)"),
                Message("user", f"That answer can't be used: {problem}\nAnswer again, whole."),
            ]
        raise ModelReplyInvalid(
            f"the reply of {self._model.name} isn't what was asked for: {problem}",
            model=self._model.name,
            problem=problem,
            text=said,
            tries=self._calls,
        )

    async def _choice(self, messages: list[Message], tools: Sequence[ToolSpec]) -> ModelReply:
        """Let the model choose a tool, or answer in text, where it knows data only."""
        offered = [
            {"tool": tool.name, "about": tool.description, "arguments": tool.parameters}
            for tool in tools
        ]
        told = (
            "Either call one tool: give its name as `tool`, and as `arguments` JSON text under its "
            "schema. Or answer in words: leave `tool` null and put the answer into `text`. The "
            f"tools: {json.dumps(offered, ensure_ascii=False)}"
        )
        asked = [*messages, Message("user", told)]
        problem = ""
        data: dict[str, Any] = {}
        for attempt in range(self._request.repairs + 1):
            data = await self._data(asked, "next_action", _next_action(tools))
            if not data.get("tool"):
                return self._reply(text=data.get("text") or "")
            problem, arguments = _arguments(data, tools)
            if not problem:
                return self._reply(tool_calls=(ToolCall("call_0", data["tool"], arguments),))
            if attempt < self._request.repairs:
                asked += [
                    Message("assistant", json.dumps(data)),
                    Message("user", f"That call can't be made: {problem}"),
                ]
        raise ModelReplyInvalid(
            f"{self._model.name} called {data['tool']} with arguments that don't fit: {problem}",
            model=self._model.name,
            problem=problem,
            text=json.dumps(data),
        )

    async def _call(self, call: Callable[[], Any]) -> Any:
        self._calls += 1
        try:
            async with asyncio.timeout(self._request.timeout_s):
                return await call()
        except (PortiaBaseError, ValidationError):
            raise
        except Exception as error:
            raise ModelError(
                f"{self._model.name} raised {type(error).__name__}: {error}", model=self._model.name
            ) from error

    def _reply(self, **said: Any) -> ModelReply:
        return ModelReply(**said, model=self._model.name, usage=Usage(calls=self._calls))


def _next_action(tools: Sequence[ToolSpec]) -> dict[str, Any]:
    names: list[str | None] = [*(tool.name for tool in tools), None]
    return {
        "type": "object",
        "properties": {
            "tool": {"enum": names},
            "arguments": {"type": ["string", "null"]},
            "text": {"type": ["string", "null"]},
        },
        "required": ["tool", "arguments", "text"],
        "additionalProperties": False,
    }


def _arguments(data: Mapping[str, Any], tools: Sequence[ToolSpec]) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with a chosen call, or ``""`` and its arguments."""
    try:
        arguments = json.loads(data.get("arguments") or "{}")
    except (ValueError, RecursionError) as error:
        return f"its arguments are not JSON: {error}", {}
    spec = next(tool for tool in tools if tool.name == data["tool"])
    return "; ".join(schema_violations(arguments, spec.parameters)[:5]), arguments


def _in_plain_roles(message: Message) -> Message:
    """Return `message` in the roles that every model knows: what tools said becomes a user's."""
    if message.role == "tool":
        return Message("user", f"Result of call {message.tool_call_id}: {message.content}")
    if message.tool_calls:
        calls = "\n".join(
            f"Call {call.id}: {call.name} with {json.dumps(call.arguments)}"
            for call in message.tool_calls
        )
        return Message("assistant", "\n".join(filter(None, [message.content, calls])))
    return message


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=repr)[:4_000]


async def _on_a_thread(call: Callable[[], T]) -> T:
    """Await ``call()``, made on a daemon thread of its own; given up, it is left to itself.

    Not asyncio's executor: a call that hangs there keeps the interpreter from exiting.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: Any, error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def work() -> None:
        value: Any = None
        raised: Exception | None = None
        try:
            value = call()
        except Exception as error:
            # A future can't hold this one: a coroutine would end by it.
            is_stop = isinstance(error, StopIteration)
            raised = RuntimeError(f"it raised {error!r}") if is_stop else error
        try:
            loop.call_soon_threadsafe(settle, value, raised)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="portia-nb-model", daemon=True).start()
    return await done
