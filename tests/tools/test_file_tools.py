"""What the file tools make of a file's content."""

from __future__ import annotations

from pathlib import Path

import pytest

from portia_nb.config import Config
from portia_nb.errors import ToolHardError
from portia_nb.tools.builtin import file_reader, file_writer
from portia_nb.tools.builtin.file_reader import FileReaderTool
from portia_nb.tools.builtin.file_writer import FileWriterTool
from portia_nb.tools.context import ToolRunContext


def context(root: Path) -> ToolRunContext:
    return ToolRunContext(config=Config(file_root=root))


def read(root: Path, name: str) -> str:
    return FileReaderTool().run(context(root), name)


def write(root: Path, name: str, content: str) -> str:
    return FileWriterTool().run(context(root), name, content)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"plain", "plain"),
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("Größe".encode(), "Größe"),
        ("wide".encode("utf-16"), "wide"),
        (b"a\r\nb", "a\r\nb"),
        (b"{{7*7}} {0.__class__}", "{{7*7}} {0.__class__}"),
    ],
)
def test_text_is_read_as_it_is(tmp_path: Path, data: bytes, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    assert read(tmp_path, "a.txt") == text


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"\xff\xfe\xfa", "no text in UTF-8"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "no text in UTF-8"),
        ("a.bin", b"a\0b", "NUL"),
        ("a.xlsx", b"not a zip", "no workbook"),
        ("a.parquet", b"PAR1 not", "can't be used"),
    ],
)
def test_a_file_that_is_no_text_and_no_table_is_a_hard_error(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ToolHardError, match=words):
        read(tmp_path, name)


@pytest.mark.parametrize("name", ["notes.txt:stream", "C:notes.txt", "a\\b.txt", "nul\0.txt"])
def test_names_that_mean_something_else_on_other_systems_are_not_written(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ToolHardError, match="no backslash, colon or control character"):
        write(tmp_path, name, "new")
    assert not list(tmp_path.iterdir())


def test_a_workbook_is_read_as_csv_and_one_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas

    pandas.DataFrame({"x": [1, 2], "y": ["a", "b,c"]}).to_excel(tmp_path / "a.xlsx", index=False)
    assert read(tmp_path, "a.xlsx") == 'x,y\n1,a\n2,"b,c"\n'
    monkeypatch.setattr(file_reader, "MAX_UNPACKED_BYTES", 100)
    with pytest.raises(ToolHardError, match="it unpacks to"):
        read(tmp_path, "a.xlsx")


def test_a_file_or_content_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_reader, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(file_writer, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.txt").write_text("x" * 11)
    with pytest.raises(ToolHardError, match="it has 11 bytes, 10 are allowed"):
        read(tmp_path, "a.txt")
    with pytest.raises(ToolHardError, match="11 bytes, 10 are allowed"):
        write(tmp_path, "b.txt", "x" * 11)
    assert not (tmp_path / "b.txt").exists()


def test_content_with_half_a_surrogate_pair_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(ToolHardError, match="surrogate"):
        write(tmp_path, "a.txt", "ok \ud800")
    assert not list(tmp_path.iterdir())


def test_the_writer_declares_its_side_effect_and_the_reader_has_none() -> None:
    assert FileWriterTool().side_effect is True
    assert FileReaderTool().side_effect is False


def test_a_number_from_an_earlier_step_is_written_as_text(tmp_path: Path) -> None:
    tool = FileWriterTool()
    tool.run(context(tmp_path), **tool.parse_arguments({"filename": "n.txt", "content": 57.8}))
    assert (tmp_path / "n.txt").read_text() == "57.8"
