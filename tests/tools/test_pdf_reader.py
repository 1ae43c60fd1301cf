"""`pdf_reader_tool` reads text, and says why where it can't."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from portia_nb.config import Config
from portia_nb.errors import ToolHardError
from portia_nb.tools.builtin import pdf_reader
from portia_nb.tools.builtin.pdf_reader import PDFReaderTool
from portia_nb.tools.context import ToolRunContext


def pdf(*pages: str, password: str | None = None, owner_only: bool = False) -> bytes:
    writer = pypdf.PdfWriter()
    name = NameObject
    font = DictionaryObject(
        {
            name("/Type"): name("/Font"),
            name("/Subtype"): name("/Type1"),
            name("/BaseFont"): name("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(300, 300)
        fonts = DictionaryObject({name("/F1"): font})
        page[name("/Resources")] = DictionaryObject({name("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode("latin-1"))
        page[name("/Contents")] = writer._add_object(stream)
    if password is not None:
        writer.encrypt("" if owner_only else password, password, algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def read(root: Path, name: str = "a.pdf") -> str:
    ctx = ToolRunContext(config=Config(file_root=root))
    return PDFReaderTool().run(ctx, name)


def test_the_text_of_every_page_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("First page", "Second {{ 7*7 }}"))
    assert read(tmp_path) == "First page\n\nSecond {{ 7*7 }}"


def test_a_file_that_only_restricts_copying_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("Open", password="owner", owner_only=True))
    assert read(tmp_path) == "Open"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pdf("Secret", password="canary"), "it is encrypted"),
        (pdf(), "it holds no text"),
        (pdf(""), "it holds no text"),
        (b"", "it can't be read as a PDF"),
        (b"plain text", "it can't be read as a PDF"),
        (b"%PDF-1.7\n" + b"\0" * 1_000, "it can't be read as a PDF"),
        (pdf("Cut off")[:200], "it can't be read as a PDF"),
    ],
    ids=["encrypted", "no pages", "no text", "empty", "text", "zeros", "cut off"],
)
def test_what_cant_be_read_is_a_hard_error_that_names_the_file(
    tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    with pytest.raises(ToolHardError, match=words) as caught:
        read(tmp_path)
    assert "the file 'a.pdf'" in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "most", "words"),
    [
        ("MAX_FILE_BYTES", 100, "100 are allowed"),
        ("MAX_PAGES", 1, "it has 2 pages, 1 are allowed"),
        ("MAX_CHARS", 5, "more than 5 characters"),
        ("TIME_LIMIT_S", -1.0, "at page 1 of 2"),
    ],
)
def test_too_large_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: float, words: str
) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("One", "Two"))
    monkeypatch.setattr(pdf_reader, limit, most)
    with pytest.raises(ToolHardError, match=words):
        read(tmp_path)


def test_a_page_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    import zlib

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(500)) + packer.flush()
    plain = pdf("x")
    body = plain.replace(b"BT /F1 12 Tf 20 200 Td (x) Tj ET", packed)
    head = b"/Filter /FlateDecode /Length %d" % len(packed)
    (tmp_path / "a.pdf").write_bytes(body.replace(b"/Length 32", head))
    with pytest.raises(ToolHardError, match="it can't be read as a PDF"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["../a.pdf", "/etc/passwd", ".a.pdf", "none.pdf"])
def test_only_files_in_the_folder_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / ".a.pdf").write_bytes(pdf("hidden"))
    with pytest.raises(ToolHardError, match="can't be used"):
        read(tmp_path, name)


def test_without_pypdf_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(ToolHardError, match=r'pip install "portia-nb\[pdf\]"'):
        read(tmp_path)
