"""Models to be asked by hand: what `Config.get_default_model` and its like hand out."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from portia_nb.config import Config, LLMProvider, Purpose
from portia_nb.llm.choice import Models
from portia_nb.llm.generative import GenerativeModel
from portia_nb.model.callables import SchemaRef
from portia_nb.model.language import (
    LanguageModel,
    Message,
    ModelReply,
    ModelRequest,
)
from portia_nb.running.background import background
from portia_nb.running.shaped import ask_until_it_fits

from .waiting import await_here, refuse_own_loop, wait_here

M = TypeVar("M", bound=BaseModel)


def model_of(config: Config, given: Any, purpose: Purpose = "execution") -> GenerativeModel:
    """Return a model to be asked by hand.

    Args:
        config: the settings, keys and addresses among them.
        given: ``"provider/name"``, any model, or None for the provider's own choice.
        purpose: what the provider's own choice is made for.

    Raises:
        InvalidConfigError: `given` names no provider that is known, or is no model.
        ConfigNotFoundError: the provider needs an address and has none.
    """
    if isinstance(given, GenerativeModel):
        return given
    models = Models(config)
    made = AskedModel(models.named(given, purpose))
    last = weakref.finalize(made, _hang_up, models, background.loop)
    last.atexit = False  # the process closes its connections itself
    return made


def _hang_up(models: Models, loop: asyncio.AbstractEventLoop) -> None:
    """Close a model's connections on the loop they belong to; called on any thread."""
    loop.call_soon_threadsafe(lambda: loop.create_task(models.aclose()))


class AskedModel(GenerativeModel):
    """Any `LanguageModel`, with the methods of a `GenerativeModel`.

    The plain methods wait in any thread, inside a running event loop too; the async ones may be
    awaited on any loop. Calls made here belong to no run, so no run counts them.
    """

    def __init__(self, model: LanguageModel) -> None:
        """Ask `model`."""
        provider, _, name = model.name.partition("/")
        super().__init__(name or provider)
        self._model = model
        if provider in set(LLMProvider):
            self.provider = LLMProvider(provider)

    @property
    def name(self) -> str:
        """The model as ``provider/name``."""
        return self._model.name

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Answer `request`; see `LanguageModel.reply`."""
        return await self._model.reply(request, on_text=on_text)

    def get_response(self, messages: list[Message]) -> Message:
        """Return the model's answer; see `aget_response`."""
        refuse_own_loop("aget_response")
        return wait_here(background.submit(self._text(messages)))

    async def aget_response(self, messages: list[Message]) -> Message:
        """Return the model's answer.

        Raises:
            ModelError: of the kind that says what went wrong.
        """
        return await await_here(background.submit(self._text(messages)))

    def get_structured_response(self, messages: list[Message], schema: type[M]) -> M:
        """Return the model's answer as an instance of `schema`; see its async twin."""
        refuse_own_loop("aget_structured_response")
        return wait_here(background.submit(self._shaped(messages, schema)))

    async def aget_structured_response(self, messages: list[Message], schema: type[M]) -> M:
        """Return the model's answer as an instance of `schema`, checked by pydantic.

        An answer that doesn't fit goes back to the model with what is wrong.

        Raises:
            InvalidAgentOutputError: three answers didn't fit.
            ModelError: of the kind that says what went wrong.
        """
        return await await_here(background.submit(self._shaped(messages, schema)))

    async def _text(self, messages: list[Message]) -> Message:
        request = ModelRequest(_checked(messages), record_key=("get_response",))
        return Message("assistant", (await self._model.reply(request)).text)

    async def _shaped(self, messages: list[Message], schema: type[M]) -> M:
        shape = SchemaRef.of(schema)
        key = ("get_structured_response", shape.name)
        request = ModelRequest(_checked(messages), record_key=key)
        return await ask_until_it_fits(self._model.reply, request, shape, model=self.name)


def _checked(messages: Any) -> tuple[Message, ...]:
    if not messages or not all(isinstance(message, Message) for message in messages):
        raise TypeError(
            "messages is a list of Message, such as [Message('user', 'Hello')], not "
            f"{messages!r:.200}"
        )
    return tuple(messages)
