"""Each row of the notebook face, N1 to N35, has tests that exist and that name it (`rows.toml`)."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROWS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "rows.toml").read_text(encoding="utf-8")
)["row"]
PARTS_LATER = {"N6", "N16", "N19"}
"""Rows of which a part is left for later; the rest of each is held by tests like any other."""


@functools.cache
def found_in(file: str) -> frozenset[str]:
    """Return the names of the tests in a file, without importing it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(f.name for f in functions if f.name.startswith("test_"))


def test_every_row_is_there_once_and_in_order():
    assert [row["row"] for row in ROWS] == [f"N{number}" for number in range(1, 36)]
    assert {row["row"] for row in ROWS if "later" in row} == PARTS_LATER


@pytest.mark.parametrize("row", ROWS, ids=[row["row"] for row in ROWS])
def test_the_row_has_tests_that_exist_and_name_it(row: dict[str, Any]):
    assert row["what"]
    assert row["tests"]
    named = re.compile(rf"(?<![A-Za-z0-9]){row['row']}(?![0-9])")
    for test in row["tests"]:
        file, _, name = test.partition("::")
        assert name in found_in(file), test
        assert named.search((ROOT / file).read_text(encoding="utf-8")), f"{file}: {row['row']}"
