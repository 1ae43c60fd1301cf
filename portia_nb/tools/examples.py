"""The registries that come with portia_nb."""

from __future__ import annotations

from typing import Any

from .base import Tool
from .builtin.calculator import CalculatorTool
from .builtin.file_reader import FileReaderTool
from .builtin.file_writer import FileWriterTool
from .builtin.llm import LLMTool
from .builtin.search import SearchTool
from .builtin.sites import CrawlTool, ExtractTool, MapTool
from .builtin.weather import WeatherTool
from .registry import ToolRegistry


def example_tools() -> list[Tool[Any]]:
    """Return new instances of the tools that the reference page plans with, in its order."""
    return [CalculatorTool(), WeatherTool(), SearchTool()]


def open_source_tools() -> list[Tool[Any]]:
    """Return new instances of every built-in tool."""
    sites = [ExtractTool(), CrawlTool(), MapTool()]
    return [*example_tools(), LLMTool(), FileReaderTool(), FileWriterTool(), *sites]


example_tool_registry = ToolRegistry(example_tools())
"""`calculator_tool`, `weather_tool`, `search_tool`; `llm_tool` is found without being listed.

None needs its key to be listed."""

open_source_tool_registry = ToolRegistry(open_source_tools())
"""Every built-in tool; none needs its key to be listed."""
