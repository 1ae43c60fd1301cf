"""The registries that come with portia_nb."""

from __future__ import annotations

from typing import Any

from .base import Tool
from .builtin.calculator import CalculatorTool
from .builtin.file_reader import FileReaderTool
from .builtin.file_writer import FileWriterTool
from .builtin.image import ImageUnderstandingTool
from .builtin.llm import LLMTool
from .builtin.pdf_reader import PDFReaderTool
from .builtin.search import SearchTool
from .builtin.sites import CrawlTool, ExtractTool, MapTool
from .builtin.sql import CheckSQLTool, GetTableSchemasTool, ListTablesTool, RunSQLTool
from .builtin.weather import WeatherTool
from .registry import ToolRegistry


def example_tools() -> list[Tool[Any]]:
    """Return new instances of the tools that the reference page plans with, in its order."""
    return [CalculatorTool(), WeatherTool(), SearchTool()]


def default_tools() -> list[Tool[Any]]:
    """Return new instances of the tools that a `Portia` offers where it is given none.

    Not all: each tool that is offered makes every planning prompt longer.
    """
    sites = [ExtractTool(), CrawlTool(), MapTool()]
    return [*example_tools(), LLMTool(), FileReaderTool(), FileWriterTool(), *sites]


def open_source_tools() -> list[Tool[Any]]:
    """Return new instances of every built-in tool."""
    documents = [PDFReaderTool(), ImageUnderstandingTool()]
    sql = [ListTablesTool(), GetTableSchemasTool(), RunSQLTool(), CheckSQLTool()]
    return [*default_tools(), *documents, *sql]


example_tool_registry = ToolRegistry(example_tools())
"""`calculator_tool`, `weather_tool`, `search_tool`; `llm_tool` is found without being listed.

None needs its key to be listed."""

open_source_tool_registry = ToolRegistry(open_source_tools())
"""Every built-in tool; none needs its key to be listed."""
