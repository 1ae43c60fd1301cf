"""`docs/migrating.md` agrees with the code: what it promises is there, what is there is on it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import portia_nb
from portia_nb import (
    Config,
    InvalidConfigError,
    PlanBuilder,
    PlanBuilderV2,
    Portia,
    PortiaBaseError,
)
from portia_nb.alias.left_out import LEFT_OUT, why_left_out
from portia_nb.alias.names import MODULES
from portia_nb.cli.commands import COMMANDS
from portia_nb.session import log
from portia_nb.session.stored import Storage

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
STATUSES = {"same", "better", "left out"}


def names_in(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def rows(section: str) -> Iterator[tuple[list[str], str, str]]:
    """Yield the names, the status and the note of each row of a section's tables."""
    for line in SECTIONS[section].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            yield names_in(cells[0]), cells[1], cells[2] if len(cells) > 2 else ""


def new_here(section: str) -> list[str]:
    """Return the names of the paragraph that says what is new here."""
    paragraphs = SECTIONS[section].split("\n\n")
    return [name for p in paragraphs if p.startswith("New here:") for name in names_in(p)]


def promised(section: str) -> list[str]:
    return [name for names, status, _ in rows(section) if status != "left out" for name in names]


# -- what the page promises ----------------------------------------------------------------------


def has(owner: Any, name: str) -> bool:
    fields = getattr(owner, "model_fields", {})
    return name in fields or hasattr(owner, name) or name in getattr(owner, "__annotations__", {})


def is_public(name: str) -> bool:
    return name in portia_nb.__all__ and hasattr(portia_nb, name)


def is_of(owner: Any) -> Callable[[str], bool]:
    return lambda name: has(owner, name)


def is_dotted(name: str) -> bool:
    owner, _, attribute = name.partition(".")
    return is_public(owner) and has(getattr(portia_nb, owner), attribute)


def is_tool_or_dotted(name: str) -> bool:
    if "." in name:
        return is_dotted(name)
    return name in portia_nb.open_source_tool_registry


def is_error(name: str) -> bool:
    return is_public(name) and issubclass(getattr(portia_nb, name), PortiaBaseError)


def is_command(name: str) -> bool:
    program, _, command = name.partition(" ")
    return program == "portia-nb" and command in COMMANDS


def is_logged(name: str) -> bool:
    return name in inspect.getsource(log)


CHECKS: dict[str, Callable[[str], bool]] = {
    "Names at the top": is_public,
    "`Portia`": is_of(Portia),
    "`PlanBuilderV2`": is_of(PlanBuilderV2),
    "`PlanBuilder`": is_of(PlanBuilder),
    "A plan, a run, a question": is_dotted,
    "Hooks and handlers": is_dotted,
    "Tools and registries": is_tool_or_dotted,
    "Config": is_of(Config),
    "Storage": is_of(Storage),
    "Errors": is_error,
    "Command line": is_command,
    "The log": is_logged,
}


def test_every_table_is_checked_and_every_row_has_a_status():
    tables = {section for section in SECTIONS if any(rows(section))}
    assert tables == {*CHECKS, "Left out"}
    for section in CHECKS:
        for names, status, note in rows(section):
            assert names, section
            assert status in STATUSES, (section, names)
            assert note or status == "same", f"{names}: {status}, but how or why isn't said"


@pytest.mark.parametrize("section", CHECKS)
def test_what_the_page_calls_same_or_better_is_there(section: str):
    missing = [name for name in promised(section) if not CHECKS[section](name)]
    assert missing == []


@pytest.mark.parametrize("section", sorted(set(CHECKS) - {"Names at the top", "The log"}))
def test_what_the_page_calls_new_is_there(section: str):
    missing = [name for name in new_here(section) if not CHECKS[section](name)]
    assert [name for name in missing if not is_explained(name)] == []


def is_explained(name: str) -> bool:
    """Tell whether a name in such a paragraph is no name of ours but an explanation's."""
    return name.startswith(("%", "plan-", "prun-", "portia.", "InMemory", "DiskFile"))


@pytest.mark.parametrize("owner", [Portia, Storage])
def test_each_method_has_its_async_twin_with_the_same_arguments(owner: type):
    section = "`Portia`" if owner is Portia else "Storage"
    checked = 0
    for name in promised(section):
        method = getattr(owner, name)
        if not inspect.isfunction(method):
            continue
        twin = getattr(owner, f"a{name}")
        assert inspect.iscoroutinefunction(twin), name
        assert (
            inspect.signature(twin).parameters.keys() == inspect.signature(method).parameters.keys()
        )
        checked += 1
    assert checked >= 8


# -- what is there is on the page ----------------------------------------------------------------


def public_methods(owner: type) -> set[str]:
    """Return the names that people can use of `owner`, without those that pydantic gives."""
    given = set(dir(BaseModel)) if issubclass(owner, BaseModel) else set()
    return {name for name in dir(owner) if not name.startswith("_")} - given


def test_every_public_name_is_on_the_page():
    said = set(names_in(PAGE))
    assert set(portia_nb.__all__) - said == set()


@pytest.mark.parametrize(
    ("owner", "section"),
    [
        (Portia, "`Portia`"),
        (PlanBuilderV2, "`PlanBuilderV2`"),
        (PlanBuilder, "`PlanBuilder`"),
        (Storage, "Storage"),
    ],
)
def test_every_method_is_on_the_page(owner: type, section: str):
    said = {*promised(section), *new_here(section)}
    twins = {f"a{name}" for name in said}
    assert public_methods(owner) - said - twins == set()


def test_every_setting_is_on_the_page():
    said = {*promised("Config"), *new_here("Config")}
    assert set(Config.model_fields) - said == set()


def test_every_command_is_on_the_page():
    said = {*promised("Command line"), *new_here("Command line")}
    assert {f"portia-nb {command}" for command in COMMANDS} == said


def test_every_tool_that_comes_along_is_on_the_page():
    said = set(promised("Tools and registries"))
    assert {tool.id for tool in portia_nb.open_source_tool_registry} - said == set()


def test_every_old_module_path_is_on_the_page():
    listed = names_in(SECTIONS["Old module paths"])
    assert sorted(name for name in listed if "(" not in name) == sorted(
        f"portia.{path}" for path in MODULES
    )


# -- what is left out ----------------------------------------------------------------------------


def test_the_page_and_the_errors_give_the_same_reasons():
    said = {name: why for names, why, _ in rows("Left out") for name in names}
    assert said == {name: why_left_out(name) for name in said}
    assert set(LEFT_OUT) - set(said) == set()


def test_a_name_that_is_left_out_is_not_there_after_all():
    said = [name for names, _, _ in rows("Left out") for name in names]
    assert [name for name in said if name in portia_nb.__all__ or name in MODULES] == []


REFUSALS: dict[str, Callable[[], Any]] = {
    "PortiaToolRegistry": lambda: portia_nb.PortiaToolRegistry(),
    **{
        name: lambda name=name: Config(**{name: "x"})
        for name in (
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_default_region",
            "aws_credentials_profile_name",
        )
    },
}
IGNORED = {"portia_api_key", "portia_api_endpoint", "portia_dashboard_url", "llm_redis_cache_url"}


def test_every_other_row_that_leaves_something_out_is_refused_or_ignored_aloud(
    caplog: pytest.LogCaptureFixture,
):
    listed = {
        name
        for section in CHECKS
        for names, status, _ in rows(section)
        if status == "left out"
        for name in names
    }
    assert listed == {*REFUSALS, *IGNORED}
    for name, make in REFUSALS.items():
        with pytest.raises(InvalidConfigError):
            make()
        assert name in SECTIONS["Config"] + SECTIONS["Names at the top"]
    for name in IGNORED:
        caplog.clear()
        with caplog.at_level("WARNING"):
            importlib.import_module("logging").getLogger("portia_nb").propagate = True
            Config(**{name: "x"})
        assert f"{name} is ignored" in caplog.text


def test_the_cloud_is_refused_as_the_page_says():
    with pytest.raises(InvalidConfigError, match="closed"):
        _ = Portia(Config(storage_class="CLOUD")).store


# -- examples ------------------------------------------------------------------------------------


def test_the_imports_that_the_page_shows_work():
    shown = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    lines = [line for block in shown for line in block.splitlines() if line.startswith("from ")]
    assert len(lines) >= 4
    for line in lines:
        module, _, names = line.removeprefix("from ").partition(" import ")
        for name in names.split(", "):
            if module == "portia_nb":
                assert hasattr(portia_nb, name), line
            else:
                path = module.removeprefix("portia").removeprefix(".")
                assert not path or name in MODULES[path], line
