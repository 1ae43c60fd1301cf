"""`file_writer_tool`: write a text file in the folder that tools may use."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from portia_nb.errors import ToolHardError
from portia_nb.tools.base import Tool
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.folder import GuardedFolder

MAX_FILE_BYTES = 50_000_000


class FileWriterArguments(BaseModel):
    """Which file, and what it shall hold."""

    # A number from an earlier step is written as its text.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    filename: str = Field(description="Name of the file, relative to the folder for files.")
    content: str = Field(description="The text that the file shall hold.")


class FileWriterTool(Tool[str]):
    """Write text to a file."""

    id: str = "file_writer_tool"
    name: str = "File Writer Tool"
    description: str = "Writes text to a file, in place of what the file held before."
    args_schema: type[BaseModel] = FileWriterArguments
    output_schema: tuple[str, str] = ("str", "A sentence that names the file.")
    side_effect: bool | None = True

    def run(self, ctx: ToolRunContext, filename: str, content: str) -> str:
        """Write `content` to `filename` below ``Config.file_root``, at once or not at all.

        Raises:
            ToolHardError: the name is refused, the content is larger than 50 MB or no valid text,
                or the system refuses to write.
        """
        try:
            data = content.encode()
        except UnicodeEncodeError as error:
            raise ToolHardError(
                f"{self.id}: the content can't be written as UTF-8: character {error.start} is "
                "half of a surrogate pair",
                tool_id=self.id,
            ) from None
        if len(data) > MAX_FILE_BYTES:
            raise ToolHardError(
                f"{self.id}: the content has {len(data):,} bytes, {MAX_FILE_BYTES:,} are allowed",
                tool_id=self.id,
            )
        GuardedFolder.of(ctx.config.file_root, self.id).write(filename, data)
        return f"Content written to {filename}"
