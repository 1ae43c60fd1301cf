"""`pdf_reader_tool`: read the text of a PDF in the folder that tools may use."""

from __future__ import annotations

import io
import time
from typing import Any

from pydantic import BaseModel, Field

from portia_nb.errors import ToolHardError
from portia_nb.tools.base import Tool
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.folder import GuardedFolder

MAX_FILE_BYTES = 50_000_000
MAX_PAGES = 2_000
MAX_CHARS = 5_000_000
TIME_LIMIT_S = 60.0
"""Seconds after which no further page is begun; one page can't be interrupted."""


class PDFReaderArguments(BaseModel):
    """Which file."""

    file_path: str = Field(description="Name of the PDF, relative to the folder for files.")


class PDFReaderTool(Tool[str]):
    """Read a PDF as text."""

    id: str = "pdf_reader_tool"
    name: str = "PDF Reader Tool"
    description: str = "Reads a PDF file and returns its text, page by page."
    args_schema: type[BaseModel] = PDFReaderArguments
    output_schema: tuple[str, str] = ("str", "The text of its pages, with a blank line between.")
    side_effect: bool | None = False

    def run(self, ctx: ToolRunContext, file_path: str) -> str:
        """Return the text of `file_path`, a file below ``Config.file_root``.

        Needs the package `pypdf`, the extra ``pdf``.

        Raises:
            ToolHardError: the name is refused, there is no such file, it is larger than 50 MB or
                2,000 pages, encrypted, no PDF, or holds no text; or `pypdf` isn't installed.
        """
        data = GuardedFolder.of(ctx.config.file_root, self.id).read(file_path, MAX_FILE_BYTES)
        try:
            import pypdf
        except ImportError as error:
            raise self._refuse(
                file_path, 'it needs a package: pip install "portia-nb[pdf]"'
            ) from error
        try:
            text = self._text(pypdf.PdfReader(io.BytesIO(data)), file_path)
        except ToolHardError:
            raise
        except Exception as error:
            # A damaged file ends in any class: KeyError, RecursionError, struct.error …
            raise self._refuse(file_path, f"it can't be read as a PDF ({error})") from error
        if not text.strip():
            raise self._refuse(
                file_path, "it holds no text: it may be scanned, and its pages pictures"
            )
        return text

    def _text(self, reader: Any, file_path: str) -> str:
        # The empty password opens files that only restrict printing and copying.
        if reader.is_encrypted and not reader.decrypt(""):
            raise self._refuse(file_path, "it is encrypted: save a copy without a password")
        count = len(reader.pages)
        if count > MAX_PAGES:
            raise self._refuse(file_path, f"it has {count:,} pages, {MAX_PAGES:,} are allowed")
        deadline = time.monotonic() + TIME_LIMIT_S
        pages: list[str] = []
        left = MAX_CHARS
        for number, page in enumerate(reader.pages, start=1):
            if time.monotonic() > deadline:
                raise self._refuse(
                    file_path, f"reading took over {TIME_LIMIT_S:g} s, at page {number} of {count}"
                )
            found = _clean(page.extract_text())
            left -= len(found)
            if left < 0:
                raise self._refuse(file_path, f"its text has more than {MAX_CHARS:,} characters")
            pages.append(found)
        return "\n\n".join(pages)

    def _refuse(self, file_path: str, why: str) -> ToolHardError:
        return ToolHardError(
            f"{self.id}: the file {file_path[:120]!r} can't be used: {why}", tool_id=self.id
        )


def _clean(text: str) -> str:
    # Broken fonts give NUL and half surrogate pairs, which no store takes.
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
