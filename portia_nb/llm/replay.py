"""Two models around a record: one fills it while another answers, one answers from it alone."""

from __future__ import annotations

from collections.abc import Callable

from portia_nb.model.language import LanguageModel, ModelReply, ModelRequest

from .matching import Matches
from .records import Record


class RecordingModel:
    """A model whose answers are kept in a record as they come."""

    def __init__(
        self,
        model: LanguageModel,
        record: Record | None = None,
        *,
        keep: Callable[[ModelRequest, ModelReply], None] | None = None,
    ) -> None:
        """Wrap `model`.

        Args:
            model: who answers.
            record: where answers are kept; whoever made it saves it.
            keep: or what is called with each request and its answer.
        """
        self._model = model
        self._keep = keep if keep is not None else (record or Record()).add_reply

    @property
    def name(self) -> str:
        """The wrapped model's name."""
        return self._model.name

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Ask the model and keep its answer; an error is passed on and not kept."""
        reply = await self._model.reply(request, on_text=on_text)
        self._keep(request, reply)
        return reply


class PlayingModel:
    """A model that answers from a record only."""

    def __init__(
        self, record: Record | Matches, name: str | None = None, *, step: str = ""
    ) -> None:
        """Play `record`.

        Args:
            record: the record, or whoever finds answers in it for several models.
            name: of the model in replies; None: the model that was recorded.
            step: path of the step that asks.
        """
        self._matches = record if isinstance(record, Matches) else Matches(record)
        self._name = name
        self._step = step

    @property
    def name(self) -> str:
        """As given, else the recorded model's."""
        replies = self._matches.record.replies
        return self._name or next((reply.model for reply in replies), "record")

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Return the recorded answer.

        Raises:
            RecordDrift: the record holds no answer to this; the message shows the nearest prompt.
        """
        found = self._matches.reply(request, self._step)
        if found is None:
            raise self._matches.no_reply(request, self.name)
        if on_text is not None and found.text:
            on_text(found.text)
        return found.as_reply(self._name)
