"""Keep what models, tools and people answered in one JSON file, and read it back.

The same format serves `record`/`replay` and the shipped records behind the scripted model.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    ValidationError,
)

from portia_nb.errors import InvalidConfigError, StoreUnwritable
from portia_nb.model.language import (
    CallAnswer,
    DataAnswer,
    ModelReply,
    ModelRequest,
    TextAnswer,
    ToolCall,
    Usage,
)
from portia_nb.model.plain import to_plain_json

from .blotting import Blotter

MAX_BYTES = 256_000_000
"""A larger file is refused: the record is read as a whole."""


VERSION: Final = 1
"""Of the format."""


def _joined(text: Any) -> Any:
    is_lines = isinstance(text, list) and all(isinstance(line, str) for line in text)
    return "\n".join(text) if is_lines else text


def _in_lines(text: str) -> str | list[str]:
    return text.split("\n") if "\n" in text else text


Lines = Annotated[str, BeforeValidator(_joined), PlainSerializer(_in_lines)]
"""Text that stands in the file as a list of its lines, for people and for their diffs."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecordedCall(_Part):
    """A tool call that a model asked for."""

    id: str
    name: str
    arguments: dict[str, JsonValue]


class RecordedReply(_Part):
    """One answer of a model."""

    step: str = ""
    """Path of the step that asked; empty for planning and for the run as a whole."""
    purpose: str
    key: list[str]
    """The request's `record_key`: prompt and version, query or task, tool ids."""
    wanted: str
    """What kind of answer was asked for, e.g. ``data plan``; always compared."""
    match: Literal["prompt", "key"] = "prompt"
    """What must be equal: the whole prompt, or the purpose and key alone."""
    prompt_sha256: str
    prompt: Lines
    """The messages as text, for a person and for showing a difference; the hash is what counts."""
    text: Lines = ""
    data: JsonValue = None
    tool_calls: list[RecordedCall] = Field(default_factory=list[RecordedCall])
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0

    def as_reply(self, model: str | None) -> ModelReply:
        """Return the reply, which cost nothing this time."""
        calls = tuple(
            ToolCall(call.id, call.name, dict(call.arguments)) for call in self.tool_calls
        )
        name = self.model if model is None else model
        return ModelReply(self.text, self.data, calls, name, Usage(calls=0))


class RecordedError(_Part):
    """An error that a tool raised."""

    type: str = Field(max_length=200)
    """The class's name, e.g. ``ToolHardError``."""
    message: str


class RecordedOutput(_Part):
    """What one call of a tool came to: an output, questions, or an error."""

    step: str = ""
    """Path of the step that called it."""
    tool_id: str
    arguments: dict[str, JsonValue]
    """As `codecs.encode` writes them, each by itself."""
    output: JsonValue = None
    """As `codecs.encode` writes it; plain JSON stands for itself."""
    summary: str | None = None
    questions: list[dict[str, JsonValue]] = Field(default_factory=list[dict[str, JsonValue]])
    """Clarifications as JSON, where it put out these and no output."""
    error: RecordedError | None = None


class RecordedAnswer(_Part):
    """What was answered to a question while a run waited for it."""

    step: str = ""
    """Path of the step that asked."""
    category: str
    argument: str = ""
    question: str
    response: JsonValue = None
    """As `codecs.encode` writes it."""
    left_open: bool = False
    """True: nobody answered while the run lived, and the run returned with the question."""
    expired: bool = False
    """True: nobody answered in time, and there was no default, so the step failed."""


class Record(_Part):
    """Answers of models, tools and people, in the order in which they came."""

    format: Literal["portia-nb-record"] = "portia-nb-record"
    version: Literal[1] = VERSION
    about: str = ""
    recorded_at: AwareDatetime | None = None
    """When the recording began; the time of every event of a replay."""
    replies: list[RecordedReply] = Field(default_factory=list[RecordedReply])
    outputs: list[RecordedOutput] = Field(default_factory=list[RecordedOutput])
    answers: list[RecordedAnswer] = Field(default_factory=list[RecordedAnswer])

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record.

        Raises:
            InvalidConfigError: the file can't be read, is too large, or isn't a record of this
                version; the message says where in it.
        """
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a file"
                message = f"the record {str(path)!r} is {kind}: name a file"
            elif found.st_size > MAX_BYTES:
                message = (
                    f"the record {str(path)!r} has {found.st_size:,} bytes; "
                    f"{MAX_BYTES:,} are allowed"
                )
            else:
                return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            message = f"can't read the record {str(path)!r}: {error.strerror}"
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            message = f"{str(path)!r} is not a record: {where}: {first['msg']}"
            if first["loc"] == ("version",) and _is_later(first["input"]):
                message = (
                    f"{str(path)!r} is not a record that this portia_nb can read: it has version "
                    f"{first['input']}, and versions up to {VERSION} are known here. A later "
                    "portia_nb made it: update yours"
                )
        raise InvalidConfigError(message, path=str(path))

    def save(self, path: Path, secrets: Iterable[str] = ()) -> None:
        """Write the record, whole or not at all, with every one of `secrets` blotted out.

        Raises:
            StoreUnwritable: the file can't be written.
        """
        blotter = Blotter(secrets)
        write_record(path, self.as_text(blotter.json))

    def as_text(self, mend: Callable[[Any], Any] = lambda plain: plain) -> str:
        """Return the text of the file; `mend` is given its JSON first."""
        head = {"format": self.format, "version": self.version}
        plain = mend({**head, **self.model_dump(mode="json", exclude_defaults=True)})
        return json.dumps(plain, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def add_reply(self, request: ModelRequest, reply: ModelReply, step: str = "") -> None:
        """Keep what a model answered to `request`."""
        self.replies.append(recorded_reply(request, reply, step, Blotter()))

    def add_output(self, tool_id: str, arguments: dict[str, Any], output: Any) -> None:
        """Keep what a tool put out: `arguments` and `output` are JSON of `codecs.encode`."""
        self.outputs.append(RecordedOutput(tool_id=tool_id, arguments=arguments, output=output))


def _is_later(version: Any) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version > VERSION


def recorded_reply(
    request: ModelRequest, reply: ModelReply, step: str, blotter: Blotter
) -> RecordedReply:
    """Return a model's answer as a record holds it, without secrets."""
    prompt = blotter.text(prompt_text(request))
    calls = [
        RecordedCall(id=c.id, name=c.name, arguments=blotter.json(to_plain_json(c.arguments)))
        for c in reply.tool_calls
    ]
    return RecordedReply(
        step=step,
        purpose=request.purpose,
        key=blotter.json(list(request.record_key)),
        wanted=wanted_by(request),
        prompt_sha256=sha256_of(prompt),
        prompt=prompt.encode("utf-8", "replace").decode(),
        text=blotter.text(reply.text),
        data=blotter.json(to_plain_json(reply.data)),
        tool_calls=calls,
        model=reply.model,
        input_tokens=reply.usage.input_tokens,
        output_tokens=reply.usage.output_tokens,
    )


def records_in(folder: Path) -> tuple[str, ...]:
    """Return the names of the records in `folder`, by how they begin; none where it can't tell."""
    found: list[str] = []
    try:
        for path in sorted(folder.glob("*.json"))[:_MAX_LOOKED_AT]:
            if path.is_file():
                with path.open("rb") as file:
                    if b'"portia-nb-record"' in file.read(80):
                        found.append(path.name)
    except OSError:
        return ()
    return tuple(found)


_MAX_LOOKED_AT = 100


def write_record(path: Path, text: str) -> None:
    """Write the text of a record, whole or not at all.

    Raises:
        StoreUnwritable: the file can't be written.
    """
    part = path.with_name(_part_name(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A record is there to be shared, so it gets the mode of any other file.
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error.strerror) from error


def check_writable(path: Path) -> None:
    """Check that `write_record` could write to `path`; leaves nothing behind.

    Raises:
        StoreUnwritable: it could not.
    """
    folder = next(each for each in path.absolute().parents if each.exists())
    part = folder / _part_name(path)
    try:
        # Tried, not asked: rights say nothing of a disk that is mounted to be read only.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        part.unlink()
    except OSError as error:
        why = f"the folder {str(folder)!r} can't be written to ({error.strerror})"
        raise unwritable(path, why) from error


def unwritable(path: Path, why: str | None) -> StoreUnwritable:
    """Return the error for a record that can't be written."""
    return StoreUnwritable(
        f"can't write the record {str(path)!r}: {why}; choose another file", path=str(path)
    )


def _part_name(path: Path) -> str:
    return f"{path.name}.{secrets.token_hex(4)}.part"


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
        calls = [f"call {call.name} {canonical(call.arguments)}" for call in message.tool_calls]
        parts += [f"[{message.role}]", message.content, *calls, *message.images]
    return "\n".join(parts)


def sha256_of(text: str) -> str:
    """Return the hash under which a record looks a prompt up."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Any) -> str:
    """Return JSON as the one text that equal values share."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
