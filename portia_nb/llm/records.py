"""Keep what models and tools answered in one JSON file, and answer from it again.

The same format serves `--record`/`--replay` and the shipped records behind the scripted model.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from portia_nb.errors import InvalidConfigError, RecordDrift, StoreUnwritable
from portia_nb.model.language import (
    CallAnswer,
    DataAnswer,
    ModelReply,
    ModelRequest,
    TextAnswer,
    ToolCall,
    Usage,
)

MAX_SHOWN_LINES = 12
REMEDY = "Record again, or run without the record."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecordedCall(_Part):
    """A tool call that a model asked for."""

    id: str
    name: str
    arguments: dict[str, Any]


class RecordedReply(_Part):
    """One answer of a model."""

    purpose: str
    key: list[str]
    """The request's `record_key`: prompt and version, query or task, tool ids."""
    wanted: str
    """What kind of answer was asked for, e.g. ``data plan``; always compared."""
    match: Literal["prompt", "key"] = "prompt"
    """What must be equal: the whole prompt, or the purpose and key alone."""
    prompt_sha256: str
    prompt: str
    """The messages as text, for a person and for showing a difference; the hash is what counts."""
    text: str = ""
    data: Any = None
    tool_calls: list[RecordedCall] = Field(default_factory=list[RecordedCall])
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0

    def as_reply(self, model: str | None) -> ModelReply:
        """Return the reply, which cost nothing this time."""
        calls = tuple(ToolCall(call.id, call.name, call.arguments) for call in self.tool_calls)
        name = self.model if model is None else model
        return ModelReply(self.text, self.data, calls, name, Usage(calls=0))


class RecordedOutput(_Part):
    """What one call of a tool put out."""

    tool_id: str
    arguments: dict[str, Any]
    output: Any
    """Plain JSON, as the caller wrote the value down."""


class Record(_Part):
    """Answers of models and tools, in the order in which they came."""

    format: Literal["portia-nb-record"] = "portia-nb-record"
    version: Literal[1] = 1
    about: str = ""
    replies: list[RecordedReply] = Field(default_factory=list[RecordedReply])
    outputs: list[RecordedOutput] = Field(default_factory=list[RecordedOutput])

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record.

        Raises:
            InvalidConfigError: the file can't be read, or isn't a record of this version.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            message = f"can't read the record {str(path)!r}: {error.strerror}"
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            message = f"{str(path)!r} is not a record: {where}: {first['msg']}"
        raise InvalidConfigError(message, path=str(path))

    def save(self, path: Path, secrets: Iterable[str] = ()) -> None:
        """Write the record, whole or not at all, with every one of `secrets` blotted out.

        Raises:
            StoreUnwritable: the file can't be written.
        """
        plain = _blotted(self.model_dump(), [secret for secret in secrets if secret])
        text = json.dumps(plain, ensure_ascii=False, indent=1, allow_nan=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, text + "\n")
        except OSError as error:
            raise StoreUnwritable(
                f"can't write the record {str(path)!r}: {error.strerror}; choose another file",
                path=str(path),
            ) from error

    def add_reply(self, request: ModelRequest, reply: ModelReply) -> None:
        """Keep what a model answered to `request`."""
        prompt = prompt_text(request)
        calls = [
            RecordedCall(id=c.id, name=c.name, arguments=c.arguments) for c in reply.tool_calls
        ]
        self.replies.append(
            RecordedReply(
                purpose=request.purpose,
                key=list(request.record_key),
                wanted=wanted_by(request),
                prompt_sha256=_sha256(prompt),
                prompt=prompt,
                text=reply.text,
                data=reply.data,
                tool_calls=calls,
                model=reply.model,
                input_tokens=reply.usage.input_tokens,
                output_tokens=reply.usage.output_tokens,
            )
        )

    def add_output(self, tool_id: str, arguments: dict[str, Any], output: Any) -> None:
        """Keep what a tool put out: `arguments` and `output` are plain JSON."""
        self.outputs.append(RecordedOutput(tool_id=tool_id, arguments=arguments, output=output))

    def find_reply(self, request: ModelRequest) -> RecordedReply | None:
        """Return the answer kept for `request`, or None."""
        asked = (request.purpose, list(request.record_key), wanted_by(request))
        sha256 = _sha256(prompt_text(request))
        near = [kept for kept in self.replies if (kept.purpose, kept.key, kept.wanted) == asked]
        for reply in near:
            if reply.prompt_sha256 == sha256:
                return reply
        return next((reply for reply in near if reply.match == "key" and request.record_key), None)

    def find_output(self, tool_id: str, arguments: dict[str, Any]) -> RecordedOutput | None:
        """Return the output kept for this call of a tool, or None."""
        asked = _canonical(arguments)
        for output in self.outputs:
            if output.tool_id == tool_id and _canonical(output.arguments) == asked:
                return output
        return None

    def output_of(self, tool_id: str, arguments: dict[str, Any]) -> Any:
        """Return what the tool put out when it was recorded.

        Raises:
            RecordDrift: it wasn't called with these arguments.
        """
        found = self.find_output(tool_id, arguments)
        if found is not None:
            return found.output
        of_tool = [each for each in self.outputs if each.tool_id == tool_id]
        if not of_tool:
            known = ", ".join(sorted({each.tool_id for each in self.outputs})) or "none"
            raise RecordDrift(
                f"the record holds no call of {tool_id!r}; it holds calls of: {known}",
                tool_id=tool_id,
            )
        asked = _readable(arguments)
        nearest = max(
            (_readable(each.arguments) for each in of_tool),
            key=lambda kept: difflib.SequenceMatcher(None, kept, asked).quick_ratio(),
        )
        raise RecordDrift(
            f"the record holds no call of {tool_id!r} with these arguments; the nearest differs:\n"
            f"{difference(nearest, asked)}\n{REMEDY}",
            tool_id=tool_id,
        )


def _write_whole(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def wanted_by(request: ModelRequest) -> str:
    """Return what kind of answer `request` asks for, with the names that it gives."""
    match request.answer:
        case TextAnswer():
            return "text"
        case DataAnswer(name=name):
            return f"data {name}"
        case CallAnswer(tools=tools, forced=forced):
            return f"call {forced or ', '.join(tool.name for tool in tools)}"


def prompt_text(request: ModelRequest) -> str:
    """Return the messages of `request` as text, which is what a record compares."""
    parts: list[str] = []
    for message in request.messages:
        calls = [f"call {call.name} {_canonical(call.arguments)}" for call in message.tool_calls]
        parts += [f"[{message.role}]", message.content, *calls, *message.images]
    return "\n".join(parts)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _readable(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1)


def difference(kept: str, asked: str) -> str:
    """Return the first lines in which two texts differ."""
    lines = [
        line if len(line) <= 200 else line[:199] + "…"
        for line in difflib.unified_diff(
            kept.splitlines(), asked.splitlines(), "recorded", "asked", lineterm="", n=0
        )
        if not line.startswith("@@")
    ]
    more = len(lines) - MAX_SHOWN_LINES
    return "\n".join(lines[:MAX_SHOWN_LINES] + ([f"… {more} more lines"] if more > 0 else []))


def _blotted(value: Any, secrets: list[str]) -> Any:
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, "***")
            return value
        case list():
            return [_blotted(each, secrets) for each in value]
        case dict():
            return {_blotted(key, secrets): _blotted(each, secrets) for key, each in value.items()}
        case _:
            return value
