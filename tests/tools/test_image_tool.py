"""`image_understanding_tool` hands a picture to the run's model, and nothing else."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portia_nb.config import Config
from portia_nb.errors import ToolHardError
from portia_nb.model.language import ModelReply, ModelRequest
from portia_nb.tools.builtin import image
from portia_nb.tools.builtin.image import ImageUnderstandingTool
from portia_nb.tools.context import ToolRunContext

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


class Eye:
    """A model that remembers what it was shown."""

    name = "test/eye"

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        self.requests.append(request)
        return ModelReply(text="a cat")


async def look(given: str, root: Path | None = None) -> tuple[str, ModelRequest]:
    eye: Any = Eye()
    ctx = ToolRunContext(config=Config(file_root=root), model=eye)
    answer = await ImageUnderstandingTool().arun(ctx, task="What is it?", image_url=given)
    (request,) = eye.requests
    return answer, request


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://example.org/a.png?x=1", "https://example.org/a.png?x=1"),
        (" https://example.org/a.png ", "https://example.org/a.png"),
        (data_url(PNG), data_url(PNG)),
        (data_url(PNG, "text/html"), data_url(PNG)),
        ("a.png", data_url(PNG)),
        ("sub/b.jpg", data_url(WEBP, "image/webp")),
    ],
)
async def test_the_picture_goes_to_the_model_with_the_task(
    tmp_path: Path, given: str, sent: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "sub" / "b.jpg").write_bytes(WEBP)
    answer, request = await look(given, tmp_path)
    assert answer == "a cat"
    system, user = request.messages
    assert (system.role, user.role) == ("system", "user")
    assert user.content == "Task: What is it?"
    assert user.images == (sent,)
    assert request.record_key == ("image_understanding_tool", "1", "What is it?")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("http://example.org/a.png", "starts with https: or data:"),
        ("file:///etc/passwd", "starts with https: or data:"),
        ("javascript:alert(1)", "starts with https: or data:"),
        ("ftp://example.org/a.png", "starts with https: or data:"),
        ("https://", "it is no address"),
        ("https://[", "it is no address"),
        ("https://example.org/\x1ba", "it is no address"),
        ("https://example.org/" + "a" * 5_000, "it is no address"),
        ("https://user:pass@example.org/a.png", "an address with a password"),
        ("data:image/png,abc", "holds base64"),
        ("data:image/png;base64,a b", "isn't base64"),
        (data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "it is no PNG"),
        (data_url(b"<html>"), "it is no PNG"),
        ("../a.png", "'..' may not stand"),
        ("/etc/passwd", "outside the folder"),
        ("text.png", "it is no PNG"),
        ("none.png", "there is no such file"),
    ],
)
async def test_anything_else_is_refused_before_the_model_is_asked(
    tmp_path: Path, given: str, words: str
) -> None:
    (tmp_path / "text.png").write_text("words")
    with pytest.raises(ToolHardError, match=re.escape(words)):
        await look(given, tmp_path)


@pytest.mark.parametrize("given", ["a.png", data_url(PNG + bytes(100))])
async def test_a_picture_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(image, "MAX_IMAGE_BYTES", 50)
    (tmp_path / "a.png").write_bytes(PNG + bytes(100))
    with pytest.raises(ToolHardError, match="50"):
        await look(given, tmp_path)


async def test_without_a_model_it_is_a_hard_error() -> None:
    ctx = ToolRunContext(config=Config())
    with pytest.raises(ToolHardError, match="without a language model"):
        await ImageUnderstandingTool().arun(ctx, task="t", image_url="https://example.org/a.png")
