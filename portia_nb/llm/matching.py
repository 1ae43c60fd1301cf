"""Find in a record what was answered to a call: by its content, never by the order of calls."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from portia_nb.errors import RecordDrift
from portia_nb.model.language import ModelRequest

from .blotting import Blotter
from .records import (
    Record,
    RecordedAnswer,
    RecordedOutput,
    RecordedReply,
    canonical,
    prompt_text,
    sha256_of,
    wanted_by,
)

MAX_SHOWN_LINES = 12
_MAX_COMPARED = 200
"""Entries, and lines of two texts, that are compared to show a difference."""
_MAX_COMPARED_CHARS = 20_000
REMEDY = "Record again, or run without the record."

E = TypeVar("E", RecordedReply, RecordedOutput, RecordedAnswer)


class Matches:
    """Finds the answers of one record, for one player of it.

    The n-th call of some content gets the n-th answer that was recorded for it; those of the same
    step come first, so that steps that run side by side get their own. Once all were given it
    begins anew, as when a notebook's cell is run again.
    """

    def __init__(self, record: Record, blotter: Blotter | None = None) -> None:
        """Look into `record`.

        Args:
            record: what was recorded.
            blotter: blots out what was blotted out when it was recorded; None: by looks alone.
        """
        self.record = record
        self._plain = Blotter()
        self._blotter = blotter or self._plain
        self._replies: _Turns[RecordedReply] = _Turns()
        self._outputs: _Turns[RecordedOutput] = _Turns()
        self._answers: _Turns[RecordedAnswer] = _Turns()
        for reply in record.replies:
            self._replies.add(_reply_key(reply), reply)
        for output in record.outputs:
            self._outputs.add((output.tool_id, _arguments_text(output.arguments)), output)
        for answer in record.answers:
            self._answers.add((answer.category, answer.argument, answer.question), answer)

    def reply(self, request: ModelRequest, step: str = "") -> RecordedReply | None:
        """Return the answer of a model to `request`, or None where the record holds none."""
        key = tuple(self._blotter.json(list(request.record_key)))
        near = (request.purpose, key, wanted_by(request))
        prompt = prompt_text(request)
        for blotter in dict.fromkeys((self._blotter, self._plain)):
            found = self._replies.take((*near, sha256_of(blotter.text(prompt))), step)
            if found is not None:
                return found
        return self._replies.take((*near, None), step) if key else None

    def output(
        self, tool_id: str, arguments: dict[str, Any], step: str = ""
    ) -> RecordedOutput | None:
        """Return what a call of a tool came to, or None where the record holds no such call.

        Args:
            tool_id: the tool.
            arguments: JSON of `codecs.encode`, each by itself.
            step: path of the step that calls.
        """
        blotted = {name: self._blotter.named(name, each) for name, each in arguments.items()}
        return self._outputs.take((tool_id, _arguments_text(blotted)), step)

    def answer(
        self, category: str, argument: str, question: str, step: str = ""
    ) -> RecordedAnswer | None:
        """Return the answer to a question, or None where the record holds none."""
        return self._answers.take((category, argument, self._blotter.text(question)), step)

    def unused(self) -> tuple[str, ...]:
        """Return what nobody has asked for so far, a short text each."""
        return (
            *(f"{each.purpose} reply {_place(each)}" for each in self._replies.left()),
            *(f"call of {each.tool_id} {_place(each)}" for each in self._outputs.left()),
            *(f"answer to {each.question!r:.80}" for each in self._answers.left()),
        )

    # -- drift -------------------------------------------------------------------------------------

    def no_reply(self, request: ModelRequest, model: str) -> RecordDrift:
        """Return the error for a request that the record holds no answer to."""
        key: list[str] = self._blotter.json(list(request.record_key))
        asked = f"{request.purpose}: {', '.join(key) or '(no key)'}"
        replies = [reply for reply in self.record.replies if reply.purpose == request.purpose]
        same_key = [kept for kept in replies if kept.key == key]
        if not replies:
            message = f"the record holds no {request.purpose} call at all; asked for {asked}"
            return RecordDrift(f"{message}\n{REMEDY}", model=model)
        prompt = self._blotter.text(prompt_text(request))
        nearest = _nearest(same_key or replies, prompt, lambda kept: kept.prompt)
        shown = difference(
            _headed(nearest.key, nearest.wanted, nearest.prompt),
            _headed(key, wanted_by(request), prompt),
        )
        return RecordDrift(
            f"the record holds no answer to {asked}; the nearest differs:\n{shown}\n{REMEDY}",
            model=model,
        )

    def no_output(self, tool_id: str, arguments: dict[str, Any]) -> RecordDrift:
        """Return the error for a call of a tool that the record doesn't hold."""
        of_tool = [each for each in self.record.outputs if each.tool_id == tool_id]
        if not of_tool:
            known = ", ".join(sorted({each.tool_id for each in self.record.outputs})) or "none"
            return RecordDrift(
                f"the record holds no call of {tool_id!r}; it holds calls of: {known}\n{REMEDY}",
                tool_id=tool_id,
            )
        blotted = {name: self._blotter.named(name, each) for name, each in arguments.items()}
        asked = _readable(blotted)
        nearest = _nearest(of_tool, asked, lambda kept: _readable(kept.arguments))
        return RecordDrift(
            f"the record holds no call of {tool_id!r} with these arguments; the nearest differs:\n"
            f"{difference(_readable(nearest.arguments), asked)}\n{REMEDY}",
            tool_id=tool_id,
        )


class _Turns(Generic[E]):
    """Entries by content, and whose turn it is."""

    def __init__(self) -> None:
        self._all: dict[Hashable, list[E]] = defaultdict(list)
        self._of_step: dict[tuple[Hashable, str], list[E]] = defaultdict(list)
        self._turn: dict[int, int] = defaultdict(int)
        self._used: set[int] = set()

    def add(self, key: Hashable, entry: E) -> None:
        self._all[key].append(entry)
        self._of_step[key, entry.step].append(entry)

    def take(self, key: Hashable, step: str) -> E | None:
        found = self._of_step.get((key, step)) or self._all.get(key)
        if found is None:
            return None
        turn = self._turn[id(found)]
        self._turn[id(found)] = turn + 1
        entry = found[turn % len(found)]
        self._used.add(id(entry))
        return entry

    def left(self) -> Iterator[E]:
        return (e for found in self._all.values() for e in found if id(e) not in self._used)


def difference(kept: str, asked: str) -> str:
    """Return the first lines in which two texts differ."""
    old, new = kept.splitlines(), asked.splitlines()
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    found = difflib.unified_diff(
        old[same : same + _MAX_COMPARED],
        new[same : same + _MAX_COMPARED],
        "recorded",
        "asked",
        lineterm="",
        n=0,
    )
    lines = [
        line if len(line) <= 200 else line[:199] + "…"
        for line in found
        if not line.startswith("@@")
    ]
    more = len(lines) - MAX_SHOWN_LINES
    return "\n".join(lines[:MAX_SHOWN_LINES] + ([f"… {more} more lines"] if more > 0 else []))


def _nearest(entries: Sequence[E], asked: str, text_of: Any) -> E:
    """Return the entry whose text is most like `asked`; of many, among the first."""
    cut = asked[:_MAX_COMPARED_CHARS]

    def likeness(entry: E) -> float:
        text = str(text_of(entry))[:_MAX_COMPARED_CHARS]
        return difflib.SequenceMatcher(None, text, cut, autojunk=False).quick_ratio()

    return max(entries[:_MAX_COMPARED], key=likeness)


def _reply_key(reply: RecordedReply) -> Hashable:
    sha256 = reply.prompt_sha256 if reply.match == "prompt" else None
    return (reply.purpose, tuple(reply.key), reply.wanted, sha256)


def _arguments_text(arguments: dict[str, Any]) -> str:
    return canonical(_without_descriptions(arguments))


def _without_descriptions(value: Any) -> Any:
    """Return `value` without what is said of values that can't be kept, such as their addresses."""
    match value:
        case {"$": "unkept"}:
            return {"$": "unkept", "type": value.get("type")}
        case dict():
            return {key: _without_descriptions(each) for key, each in value.items()}
        case list():
            return [_without_descriptions(each) for each in value]
        case _:
            return value


def _readable(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1)


def _headed(key: Iterable[str], wanted: str, prompt: str) -> str:
    return "\n".join([*(f"key: {part}" for part in key), f"wanted: {wanted}", prompt])


def _place(entry: RecordedReply | RecordedOutput) -> str:
    return f"in step {entry.step!r}" if entry.step else "outside of steps"
