"""Registries find, filter, replace and add tools."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from portia_nb.config import Config
from portia_nb.errors import (
    DuplicateToolError,
    InvalidConfigError,
    InvalidToolDescriptionError,
    ToolHardError,
    ToolNotFoundError,
)
from portia_nb.tools.base import Tool
from portia_nb.tools.builtin.calculator import CalculatorTool
from portia_nb.tools.builtin.llm import LLMTool
from portia_nb.tools.builtin.search import SearchTool
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.decorator import tool
from portia_nb.tools.examples import example_tool_registry, open_source_tool_registry
from portia_nb.tools.registry import (
    DefaultToolRegistry,
    InMemoryToolRegistry,
    PortiaToolRegistry,
    ToolRegistry,
)


@tool
def shout(text: str) -> str:
    """Make text loud."""
    return text.upper()


@tool
def whisper(text: str) -> str:
    """Make text quiet."""
    return text.lower()


@tool(id="shout")
def shout_again(text: str) -> str:
    """Make text louder."""
    return text.upper() + "!"


def ids(registry: ToolRegistry) -> list[str]:
    return [each.id for each in registry]


def test_a_registry_takes_classes_instances_and_decorated_functions_in_order() -> None:
    registry = ToolRegistry([whisper, CalculatorTool(), SearchTool])
    assert ids(registry) == ["whisper", "calculator_tool", "search_tool"]
    assert len(registry) == 3
    assert "whisper" in registry
    assert registry.get_tool("whisper") in registry
    assert "shout" not in registry
    assert all(isinstance(each, Tool) for each in registry.get_tools())
    assert repr(registry) == "ToolRegistry(whisper, calculator_tool, search_tool)"


def test_a_registry_takes_a_dict_whose_keys_are_the_ids() -> None:
    assert ids(ToolRegistry({"shout": shout})) == ["shout"]
    with pytest.raises(InvalidToolDescriptionError, match="the key 'loud'"):
        ToolRegistry({"loud": shout})


def test_an_empty_registry_is_one() -> None:
    assert len(ToolRegistry()) == 0
    with pytest.raises(ToolNotFoundError, match="the tools here: none"):
        ToolRegistry().get_tool("x")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("shuot", "no tool 'shuot': did you mean 'shout'?"),
        ("entirely different", "the tools here: shout, whisper"),
    ],
)
def test_an_unknown_id_is_an_error_with_a_suggestion(asked: str, words: str) -> None:
    with pytest.raises(ToolNotFoundError) as caught:
        ToolRegistry([shout, whisper]).get_tool(asked)
    assert words in str(caught.value)
    assert caught.value.facts["tool_id"] == asked


def test_the_reference_names_of_functions_and_the_llm_tool_are_found() -> None:
    registry = ToolRegistry([shout])
    assert registry.get_tool("local_function_shout").id == "shout"
    assert isinstance(registry.get_tool("llm_tool"), LLMTool)
    assert "llm_tool" not in registry
    with pytest.raises(ToolNotFoundError):
        registry.get_tool("local_function_whisper")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ToolRegistry([shout, shout_again]),
        lambda: ToolRegistry([shout]).with_tool(shout_again),
        lambda: InMemoryToolRegistry.from_local_tools([shout, shout_again]),
    ],
)
def test_two_tools_of_one_id_in_one_registry_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(DuplicateToolError, match="'shout'"):
        make()


def test_one_instance_given_twice_is_one_tool() -> None:
    instance = shout()
    assert ids(ToolRegistry([instance, instance])) == ["shout"]


def test_with_tool_and_replace_tool_change_the_registry_and_return_it() -> None:
    registry = ToolRegistry([shout, whisper])
    assert registry.with_tool(CalculatorTool()) is registry
    assert registry.with_tool(shout_again, overwrite=True) is registry
    assert registry.get_tool("shout").description == "Make text louder."
    assert registry.replace_tool(shout).replace_tool(SearchTool()) is registry
    assert ids(registry) == ["shout", "whisper", "calculator_tool", "search_tool"]


def test_filtering_makes_a_new_registry() -> None:
    registry = ToolRegistry([shout, whisper])
    kept = registry.filter_tools(lambda each: each.id.startswith("w"))
    assert (ids(kept), len(registry)) == (["whisper"], 2)


@pytest.mark.parametrize(
    ("tool_ids", "matched"),
    [
        (None, ["shout", "whisper"]),
        ([], []),
        (["whisper"], ["whisper"]),
        (["nothing", "whisper", "shout"], ["shout", "whisper"]),
    ],
)
def test_matching_chooses_by_id(tool_ids: list[str] | None, matched: list[str]) -> None:
    found = ToolRegistry([shout, whisper]).match_tools("any query", tool_ids)
    assert [each.id for each in found] == matched


def test_a_description_is_extended_or_replaced_in_one_registry_only() -> None:
    shared = shout()
    first, second = ToolRegistry([shared]), ToolRegistry([shared])
    assert first.with_tool_description("shout", "Only for names.") is first
    assert first.get_tool("shout").description == "Make text loud. Only for names."
    assert second.get_tool("shout").description == "Make text loud."
    first.with_tool_description("shout", "New.", overwrite=True)
    assert first.get_tool("shout").description == "New."
    assert first.get_tool("shout").parse_arguments({"text": "a"}) == {"text": "a"}
    with pytest.raises(InvalidToolDescriptionError, match="16,384"):
        first.with_tool_description("shout", "x" * 17_000)
    with pytest.raises(ToolNotFoundError):
        first.with_tool_description("nothing", "x")


def test_registries_and_lists_add_up_and_the_later_twin_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left, right = ToolRegistry([shout, whisper]), ToolRegistry([shout_again])
    with caplog.at_level(logging.WARNING, logger="portia_nb"):
        joined = left + right
    assert ids(joined) == ["shout", "whisper"]
    assert joined.get_tool("shout").description == "Make text louder."
    assert left.get_tool("shout").description == "Make text loud."
    assert "'shout' is in both registries" in caplog.text
    caplog.clear()
    registry, others = ToolRegistry([shout]), [whisper]
    assert ids(registry + others) == ["shout", "whisper"]
    assert ids(others + registry) == ["whisper", "shout"]
    assert ids(left + left) == ["shout", "whisper"]
    assert caplog.text == ""


def test_the_example_registry_holds_the_tools_of_the_reference_page_in_its_order() -> None:
    assert ids(example_tool_registry) == ["calculator_tool", "weather_tool", "search_tool"]


def test_the_open_source_registry_holds_every_built_in_tool() -> None:
    assert ids(open_source_tool_registry) == [
        "calculator_tool",
        "weather_tool",
        "search_tool",
        "llm_tool",
        "file_reader_tool",
        "file_writer_tool",
        "extract_tool",
        "crawl_tool",
        "map_tool",
        "pdf_reader_tool",
        "image_understanding_tool",
        "list_tables",
        "get_table_schemas",
        "run_sql",
        "check_sql",
    ]


def test_only_the_file_writer_declares_a_side_effect() -> None:
    effects = {each.id: each.side_effect for each in open_source_tool_registry}
    assert effects.pop("file_writer_tool") is True
    assert set(effects.values()) == {False}


def test_our_own_async_tools_run_on_our_own_loop() -> None:
    assert {each.loop for each in open_source_tool_registry if each.is_async} == {"background"}


def test_the_default_registry_lists_what_can_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("TAVILY_API_KEY", "OPENWEATHERMAP_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    without = ids(DefaultToolRegistry(Config()))
    assert without == ["calculator_tool", "llm_tool", "file_reader_tool", "file_writer_tool"]
    with_key = ids(DefaultToolRegistry(Config(tavily_api_key="k")))
    assert {"search_tool", "extract_tool"} <= set(with_key)
    assert "weather_tool" not in with_key
    monkeypatch.setenv("OPENWEATHERMAP_API_KEY", "k")
    assert "weather_tool" in DefaultToolRegistry()


def test_a_missing_key_is_a_hard_error_when_the_tool_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    search = example_tool_registry.get_tool("search_tool")
    with pytest.raises(ToolHardError, match="TAVILY_API_KEY"):
        search.ready(ToolRunContext(config=Config()))
    assert search.ready(ToolRunContext(config=Config(tavily_api_key="k"))).ready


@pytest.mark.parametrize("given", [(), (Config(),)])
def test_the_cloud_registry_says_what_to_use_instead(given: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidConfigError, match=r"closed.*open_source_tool_registry"):
        PortiaToolRegistry(*given)


def test_importing_the_registries_loads_no_vendor() -> None:
    heavy = "openai httpx httpx2 tavily pandas numpy IPython"
    code = (
        "import sys, portia_nb.tools.examples; "
        f"print([name for name in {heavy!r}.split() if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# -- the row "ToolRegistry" of API.md, name by name -----------------------------------------------


def test_toolregistry_has_the_methods_of_the_reference() -> None:
    registry = ToolRegistry([shout])
    assert registry.get_tool("shout").id == "shout"
    assert [tool.id for tool in registry.get_tools()] == ["shout"]
    assert registry.with_tool(whisper) is registry
    assert registry.replace_tool(shout_again) is registry
    assert ids(registry.filter_tools(lambda tool: tool.id == "whisper")) == ["whisper"]
    assert [t.id for t in registry.match_tools("anything", tool_ids=["whisper"])] == ["whisper"]
    assert registry.with_tool_description("whisper", "Softly.") is registry
    assert registry.get_tool("whisper").description.endswith("Softly.")
    more = [CalculatorTool]
    assert ids(registry + more) == ["shout", "whisper", "calculator_tool"]
    assert ids(more + registry)[0] == "calculator_tool"
    assert len(registry) == 2
    assert "whisper" in registry
    assert registry.get_tool("shout") in registry
    assert [tool.id for tool in registry] == ["shout", "whisper"]


def test_the_browser_tool_is_left_out_and_the_error_says_what_to_use() -> None:
    with pytest.raises(ToolNotFoundError, match=r"no tool 'browser_tool': .*McpToolRegistry"):
        ToolRegistry().get_tool("browser_tool")
    own = tool(lambda_named("browser_tool"))
    assert ToolRegistry([own]).get_tool("browser_tool").id == "browser_tool"


def lambda_named(name: str) -> Callable[[str], str]:
    """Return a function under another name."""

    def act(page: str) -> str:
        """Act on a page."""
        return page

    act.__name__ = name
    return act
