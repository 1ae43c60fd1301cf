"""Two models around a record: one fills it while another answers, one answers from it alone."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from portia_nb.errors import RecordDrift
from portia_nb.model.language import LanguageModel, ModelReply, ModelRequest

from .records import REMEDY, Record, difference, prompt_text, wanted_by


class RecordingModel:
    """A model whose answers are kept in a record as they come."""

    def __init__(self, model: LanguageModel, record: Record) -> None:
        """Wrap `model`; answers go to `record`, which whoever made it saves."""
        self._model = model
        self._record = record

    @property
    def name(self) -> str:
        """The wrapped model's name."""
        return self._model.name

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Ask the model and keep its answer; an error is passed on and not kept."""
        reply = await self._model.reply(request, on_text=on_text)
        self._record.add_reply(request, reply)
        return reply


class PlayingModel:
    """A model that answers from a record only."""

    def __init__(self, record: Record, name: str | None = None) -> None:
        """Play `record`; replies carry `name`, or the name of the model that was recorded."""
        self._record = record
        self._name = name

    @property
    def name(self) -> str:
        """As given, else the recorded model's."""
        return self._name or next((reply.model for reply in self._record.replies), "record")

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Return the recorded answer.

        Raises:
            RecordDrift: the record holds no answer to this; the message shows the nearest prompt.
        """
        found = self._record.find_reply(request)
        if found is None:
            raise self._drift(request)
        if on_text is not None and found.text:
            on_text(found.text)
        return found.as_reply(self._name)

    def _drift(self, request: ModelRequest) -> RecordDrift:
        asked = f"{request.purpose}: {', '.join(request.record_key) or '(no key)'}"
        replies = [reply for reply in self._record.replies if reply.purpose == request.purpose]
        same_key = [kept for kept in replies if kept.key == list(request.record_key)]
        if not replies:
            message = f"the record holds no {request.purpose} call at all; asked for {asked}"
            return RecordDrift(f"{message}\n{REMEDY}", model=self.name)
        prompt = prompt_text(request)
        nearest = max(
            same_key or replies,
            key=lambda kept: difflib.SequenceMatcher(None, kept.prompt, prompt).quick_ratio(),
        )
        shown = difference(
            _headed(nearest.key, nearest.wanted, nearest.prompt),
            _headed(request.record_key, wanted_by(request), prompt),
        )
        return RecordDrift(
            f"the record holds no answer to {asked}; the nearest differs:\n{shown}\n{REMEDY}",
            model=self.name,
        )


def _headed(key: Iterable[str], wanted: str, prompt: str) -> str:
    return "\n".join([*(f"key: {part}" for part in key), f"wanted: {wanted}", prompt])
