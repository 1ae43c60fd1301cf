"""Which lines of a traceback plain cells show of our errors (N7); real cells: tests/kernel."""

from __future__ import annotations

import json
import linecache
from types import SimpleNamespace
from typing import Any

import pytest

from portia_nb.errors import InvalidOption, ModelNotFound, PlanRunNotFoundError, ToolNotFoundError
from portia_nb.notebook.cell_errors import CellErrors, own_frames, shown_lines
from portia_nb.notebook.face import Face
from tests.kernel.conftest import without_colours

CELL = "/tmp/ipykernel_1/77.py"
SHELL = SimpleNamespace(
    compile=SimpleNamespace(
        format_code_name=lambda file: ("Cell", "In[7]") if file == CELL else None
    )
)


def raised(source: str, **names: Any) -> BaseException:
    """Return what a cell of this source raises, as IPython has it."""
    linecache.cache[CELL] = (len(source), None, source.splitlines(keepends=True), CELL)
    try:
        exec(compile(source, CELL, "exec"), names)
    except Exception as error:
        return error
    raise AssertionError("the cell raised nothing")


def shown(error: BaseException) -> str:
    # The first entry is this file's, as it is IPython's in a notebook: another test drops it.
    assert error.__traceback__ is not None
    return without_colours("\n".join(shown_lines(error, error.__traceback__.tb_next, SHELL)))


def find(name: str) -> None:
    from portia_nb.tools.registry import ToolRegistry

    ToolRegistry([]).get_tool(name)


def test_the_card_comes_first_then_the_whole_statement_and_nothing_of_ours():
    error = raised(
        "tools = ToolRegistry([])\ntools.get_tool(\n    'nosuch',\n)\n",
        ToolRegistry=__import__("portia_nb.tools.registry", fromlist=["x"]).ToolRegistry,
    )
    assert shown(error).splitlines() == [
        "ToolNotFoundError: no tool 'nosuch': the tools here: none",
        "  more   %portia why or %tb shows the whole traceback",
        "",
        "Cell In[7], line 2",
        "----> 2 tools.get_tool(",
        "      3     'nosuch',",
        "      4 )",
    ]


def test_what_other_packages_did_between_the_users_lines_is_left_out():
    error = raised("import json\njson.dumps({1j}, default=lambda _: find('x'))", find=find)
    files = [each.tb_frame.f_code.co_filename for each in own_frames(error.__traceback__)]
    assert [file == CELL for file in files] == [False, True, True, False]
    assert files[0] == files[-1] == __file__
    text = shown(error)
    assert "Cell In[7], line 2, in <lambda>" in text
    assert f'File "{__file__}", line ' in text
    assert json.__file__ not in text
    assert "registry.py" not in text


def test_a_cause_is_one_line_with_its_own_place():
    error = raised(
        "def read():\n    raise OSError('no\\ndisk')\n"
        "try:\n    read()\nexcept OSError as error:\n"
        "    raise ToolNotFoundError('gone') from error\n",
        ToolNotFoundError=ToolNotFoundError,
    )
    assert "  from   OSError: no disk (Cell In[7], line 2, in read)\n" in shown(error)


def test_what_the_user_was_handling_is_named_and_what_we_were_is_not():
    error = raised("try:\n    {}['a']\nexcept KeyError:\n    find('x')\n", find=find)
    assert "  while handling KeyError: 'a' (Cell In[7], line 2)\n" in shown(error)
    ours = ToolNotFoundError("gone")
    ours.__context__ = KeyError("inside")
    assert "inside" not in without_colours("\n".join(shown_lines(ours, None, SHELL)))


def test_notes_are_kept_and_nothing_in_an_error_steers_the_screen():
    error = ToolNotFoundError("gone\x1b[2J")
    error.add_note("seen \x1b[2J twice")
    text = without_colours("\n".join(shown_lines(error, None, SHELL)))
    assert "  note   seen ␛[2J twice" in text
    assert "\x1b" not in text


def test_a_long_way_down_is_cut_in_its_middle():
    source = "def down(n):\n    return down(n - 1) if n else find('x')\ndown(30)\n"
    text = shown(raised(source, find=find))
    assert "more between these)" in text
    assert text.count("Cell In[7]") + text.count("File ") == 6


def test_the_way_on_is_said_in_words_of_python():
    text = without_colours("\n".join(shown_lines(ModelNotFound("no"), None, SHELL)))
    assert "Config(default_model=" in text
    assert "--model" not in text


@pytest.mark.parametrize("error", [InvalidOption("no such --x"), PlanRunNotFoundError("no run x")])
def test_why_after_a_line_typed_wrong_is_its_message_and_the_error_before_it(error: Exception):
    face = Face(SimpleNamespace(compile=None), settings=SimpleNamespace())  # pyright: ignore[reportArgumentType]
    face.carded(error)
    assert face.why() == f"{error}\nThat line ran nothing: there is no traceback."
    real = raised("1 / 0")
    face.carded(real)
    assert "ZeroDivisionError" in face.why()
    face.carded(error)
    assert face.why().startswith(f"{error}\n")
    assert "Before it:\nTraceback" in face.why()
    assert "ZeroDivisionError" in face.why()


class Shell:
    """What `CellErrors` needs of IPython's shell."""

    def __init__(self) -> None:
        self.custom_exceptions: tuple[Any, ...] = ()
        self.CustomTB: Any = "IPython's own"

    def set_custom_exc(self, exceptions: tuple[Any, ...], handler: Any) -> None:
        self.custom_exceptions, self.CustomTB = exceptions, handler


def errors_of(shell: Shell) -> CellErrors:
    return CellErrors(SimpleNamespace(shell=shell))  # pyright: ignore[reportArgumentType]


def test_a_handler_that_takes_our_errors_already_keeps_them():
    shell = Shell()
    shell.set_custom_exc((Exception,), "theirs")
    errors = errors_of(shell)
    errors.install()
    assert (shell.custom_exceptions, shell.CustomTB) == ((Exception,), "theirs")
    errors.restore()
    assert (shell.custom_exceptions, shell.CustomTB) == ((Exception,), "theirs")


def test_a_handler_that_was_set_later_stays_when_ours_goes():
    shell = Shell()
    errors = errors_of(shell)
    errors.install()
    shell.set_custom_exc((ValueError,), "theirs")
    errors.restore()
    assert (shell.custom_exceptions, shell.CustomTB) == ((ValueError,), "theirs")
