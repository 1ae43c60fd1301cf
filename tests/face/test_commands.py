# Rows of the notebook face: N4.
"""N1 and N2: each command is a documented Python call too, and all says what one table says."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from portia_nb import Portia
from portia_nb.errors import InvalidOption
from portia_nb.notebook.commands.call import function_of
from portia_nb.notebook.commands.declared import CELL, LINES, command_named, twin_of
from portia_nb.notebook.commands.help_text import help_on
from portia_nb.notebook.commands.parsing import parse_cell, parse_line

ROOT = Path(__file__).parents[2]
ASYNC_NAMES = {"wait": "await_run"}
"""Where an ``a`` in front would make a keyword of Python."""
ROW = [
    *("plan", "run", "show", "resume", "retry", "fork", "cancel", "wait", "runs", "diff"),
    *("tools", "why", "doctor", "config"),
]


@pytest.mark.parametrize("name", ROW)
def test_each_command_of_row_n1_is_there(name: str):
    assert command_named(name) is LINES[name]


@pytest.mark.parametrize("command", [CELL, *LINES.values()], ids=lambda each: each.name)
def test_each_command_has_a_documented_python_call_or_says_what_does_it_instead(command):
    name = twin_of(command)
    if name is None:
        assert command.no_twin
        return
    found = inspect.getattr_static(Portia, name)
    assert inspect.getdoc(found)
    if not isinstance(found, property):
        twin = getattr(Portia, ASYNC_NAMES.get(name, f"a{name}"))
        assert inspect.iscoroutinefunction(twin)
        assert inspect.getdoc(twin)


@pytest.mark.parametrize("name", LINES)
def test_each_command_has_a_function_that_says_what_it_does(name: str):
    assert inspect.iscoroutinefunction(function_of(LINES[name]))
    assert function_of(LINES[name]).__doc__


def test_the_page_of_commands_says_what_the_table_says():
    command = [sys.executable, "scripts/commands_page.py", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("command", [CELL, *LINES.values()], ids=lambda each: each.name)
def test_help_names_every_option_of_a_command(command):
    text = help_on(command)
    for option in command.options:
        assert all(flag in text for flag in option.flags)
        assert option.help in text


def test_another_name_of_a_command_is_the_same_command():
    assert parse_line("stop prun-1").command is parse_line("cancel prun-1").command


@pytest.mark.parametrize("line", ["found << run plan", "run plan -o found"])
def test_a_result_gets_its_name_by_an_option_or_in_front(line: str):
    given = parse_line(line)
    assert (given.command.name, given.word, given.one("output")) == ("run", "plan", "found")


def test_a_cell_gives_its_result_the_name_in_front():
    given = parse_cell("found << --plan")
    assert given.one("output") == "found"
    assert given.is_on("plan")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a << run plan -o b", "%portia run: what is a <<? -o names another"),
        ("a << tools", "%portia tools: what is a <<? it has no result to keep"),
        ("1a << run plan", "-o 1a: a variable's name is needed"),
        ("pln Weather", "%portia has no 'pln': did you mean 'plan'?"),
        ("cancle", "%portia has no 'cancle': did you mean 'cancel'?"),
        ("run plan --answr x=1", "%portia run has no option '--answr': did you mean '--answer'?"),
    ],
)
def test_what_is_wrong_with_a_line_is_an_error_that_names_what_was_meant(line: str, says: str):
    with pytest.raises(InvalidOption) as raised:
        parse_line(line)
    assert str(raised.value) == says


def test_a_goal_on_one_line_may_be_several_words():
    given = parse_line("plan What is the weather in {{ city }}? --tools weather_tool")
    assert given.word == "What is the weather in {{ city }}?"
    assert given.one("tools") == "weather_tool"
