"""What a server has been found to refuse, so that it is asked the right way from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from portia_nb.model.language import Answer, CallAnswer, DataAnswer

from .presets import ALL_MODES, Mode, Preset
from .strict import REMOVABLE

Choice = Literal["named", "required", "auto"]
"""How a tool is forced: by its name, by demanding any, or not at all."""

_ABOUT_SCHEMA = re.compile(
    r"invalid schema|schema (is|must|has|too|contains)|invalid_function_para"
)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a server is asked; each refusal leads to the next way, see `next_after`."""

    modes: tuple[Mode, ...] = ALL_MODES
    strict: bool = True
    choice: Choice = "named"
    limit_field: str = "max_tokens"
    extras: Mapping[str, object] = field(default_factory=dict[str, object])
    streams: bool = True
    counts_stream: bool = True
    """`stream_options` is sent, so that a stream ends with its usage."""
    removed: frozenset[str] = frozenset()
    """Schema keywords left out."""

    @classmethod
    def of(cls, preset: Preset) -> Habits:
        """Return how a server of `preset` is asked at first."""
        return cls(
            modes=preset.modes,
            strict=preset.strict,
            limit_field=preset.limit_field,
            extras=preset.extras,
            removed=preset.removed_keywords,
        )

    def mode_for(self, answer: Answer) -> Mode | None:
        """Return how `answer` is asked for; None for free text and for a free choice of tools."""
        match answer:
            case DataAnswer():
                return self.modes[0]
            case CallAnswer(forced=str()):
                return "forced_tool" if "forced_tool" in self.modes else self.modes[0]
            case _:
                return None

    def next_after(self, detail: str, sent: Mapping[str, Any], answer: Answer) -> Habits | None:
        """Return the next way to ask after a refusal, or None where there is none.

        Args:
            detail: what the server said.
            sent: the request that it refused.
            answer: what was asked for.
        """
        said = detail.lower()
        return (
            self._without_field(said, sent)
            or self._without_keyword(said, sent)
            or self._without_strict(said, sent)
            or self._with_other_mode(said, answer)
        )

    def _without_field(self, said: str, sent: Mapping[str, Any]) -> Habits | None:
        """Leave out, or rename, a field that the server names."""
        if "stream_options" in sent and "stream_options" in said:
            return replace(self, counts_stream=False)
        if "stream" in sent and re.search(r"\bstream(ing)?\b", said):
            return replace(self, streams=False)
        named = {name for name in self.extras if name in sent and name in said}
        if named:
            kept = {name: value for name, value in self.extras.items() if name not in named}
            return replace(self, extras=kept)
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
        if self.limit_field in sent and self.limit_field in said:
            return replace(self, limit_field=other[self.limit_field])
        return None

    def _without_keyword(self, said: str, sent: Mapping[str, Any]) -> Habits | None:
        """Leave out a schema keyword that the server names."""
        words = set(re.findall(r"[a-z_]+", said))
        used = {word for word in REMOVABLE - self.removed if word.lower() in words}
        used &= _keywords_in([sent.get("response_format"), sent.get("tools")])
        return replace(self, removed=self.removed | used) if used else None

    def _without_strict(self, said: str, sent: Mapping[str, Any]) -> Habits | None:
        is_meant = "strict" in said or "additionalproperties" in said or _ABOUT_SCHEMA.search(said)
        was_strict = "strict" in _keywords_in([sent.get("response_format"), sent.get("tools")])
        return replace(self, strict=False) if self.strict and was_strict and is_meant else None

    def _with_other_mode(self, said: str, answer: Answer) -> Habits | None:
        mode = self.mode_for(answer)
        if mode is None:
            return None
        if mode == "forced_tool" and self.choice == "named" and "tool_choice" in said:
            return replace(self, choice="required")
        if mode == "forced_tool" and self.choice == "required" and "tool_choice" in said:
            return replace(self, choice="auto")
        rest = tuple(each for each in self.modes if each != mode)
        return replace(self, modes=rest, choice="named") if rest else None


def is_about_schema(detail: str) -> bool:
    """Say whether a refusal is about the one schema sent rather than what the server can do."""
    return _ABOUT_SCHEMA.search(detail.lower()) is not None


def _keywords_in(value: Any) -> set[str]:
    """Return every key used anywhere in `value`."""
    if isinstance(value, list):
        return set[str]().union(*(_keywords_in(each) for each in value))
    if isinstance(value, dict):
        return set[str](value).union(*(_keywords_in(each) for each in value.values()))
    return set()
