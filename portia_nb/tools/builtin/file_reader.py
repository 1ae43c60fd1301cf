"""`file_reader_tool`: read a file of the folder that tools may use."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, Field

from portia_nb.errors import ToolHardError
from portia_nb.tools.base import Tool
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.folder import GuardedFolder

MAX_FILE_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 500_000_000
"""Most bytes that a workbook, which is a zip file, may hold unpacked."""
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class FileReaderArguments(BaseModel):
    """Which file."""

    filename: str = Field(description="Name of the file, relative to the folder for files.")


class FileReaderTool(Tool[str]):
    """Read a file as text."""

    id: str = "file_reader_tool"
    name: str = "File Reader Tool"
    description: str = (
        "Reads a file and returns what it holds as text: txt, md, csv, json and other text as it "
        "is, xlsx and parquet as csv."
    )
    args_schema: type[BaseModel] = FileReaderArguments
    output_schema: tuple[str, str] = ("str", "What the file holds, as text.")
    side_effect: bool | None = False

    def run(self, ctx: ToolRunContext, filename: str) -> str:
        """Read the file `filename` below ``Config.file_root``.

        Raises:
            ToolHardError: the name is refused, there is no such file, it is larger than 50 MB, or
                it is not text and no table.
        """
        data = GuardedFolder.of(ctx.config.file_root, self.id).read(filename, MAX_FILE_BYTES)
        match PurePosixPath(filename).suffix.lower():
            case ".xlsx":
                self._check_unpacked(data, filename)
                return self._read_table("read_excel", data, filename, "pandas openpyxl")
            case ".parquet":
                return self._read_table("read_parquet", data, filename, "pandas pyarrow")
            case _:
                return self._read_text(data, filename)

    def _read_text(self, data: bytes, filename: str) -> str:
        encoding = _BYTE_ORDER_MARKS.get(data[:2], "utf-8-sig")
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            raise self._refuse(
                filename, f"it is no text in UTF-8 (byte {error.start} of {len(data)} does not fit)"
            ) from None
        if "\0" in text:
            raise self._refuse(filename, "it holds NUL characters, so it is no text")
        return text

    def _read_table(self, reader: str, data: bytes, filename: str, packages: str) -> str:
        try:
            import pandas

            table: Any = getattr(pandas, reader)(io.BytesIO(data))
        except ImportError as error:
            raise self._refuse(filename, f"it needs packages: pip install {packages}") from error
        except Exception as error:
            # These readers raise dozens of unrelated classes on files that are not what they claim.
            raise self._refuse(filename, f"it can't be read as a table ({error})") from error
        return table.to_csv(index=False)

    def _check_unpacked(self, data: bytes, filename: str) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise self._refuse(filename, f"it is no workbook ({error})") from error
        if size > MAX_UNPACKED_BYTES:
            raise self._refuse(
                filename, f"it unpacks to {size:,} bytes, {MAX_UNPACKED_BYTES:,} are allowed"
            )

    def _refuse(self, filename: str, why: str) -> ToolHardError:
        return ToolHardError(
            f"{self.id}: the file {filename[:120]!r} can't be used: {why:.300}", tool_id=self.id
        )
