"""Which cells are awaited, and which are left to IPython."""

import ast
import sys
from typing import Any

import pytest

from portia_nb.notebook.transform import await_magics, is_shown_by_cell

FACE = "get_ipython().magics_manager.registry['PortiaMagics']"


def rewritten(cell: str) -> str:
    return "".join(await_magics(cell.splitlines(keepends=True)))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%%portia\nWho won?\n", f"await {FACE}.await_cell('', 'Who won?\\n')\n"),
        ("%%portia --plan -o p\na\n\nb", f"await {FACE}.await_cell('--plan -o p', 'a\\n\\nb')\n"),
        ("%portia runs\n", f"await {FACE}.await_line('runs', target=None)\n"),
        ("%portia", f"await {FACE}.await_line('', target=None)\n"),
        ("r = %portia wait x\n", f"r = await {FACE}.await_line('wait x', target='r')\n"),
        ("a.b[0] = %portia wait\n", f"a.b[0] = await {FACE}.await_line('wait', target='')\n"),
        (
            "x = 1\n%portia runs\ny = 2\n",
            f"x = 1\nawait {FACE}.await_line('runs', target=None)\ny = 2\n",
        ),
        (
            "%portia show \\\n  prun-1\nx",
            f"await {FACE}.await_line('show    prun-1', target=None)\n\nx",
        ),
    ],
)
def test_a_portia_magic_at_the_top_level_is_awaited(cell: str, expected: str):
    assert rewritten(cell) == expected
    compile(rewritten(cell), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize(
    "cell",
    [
        "%%portia?\n",
        "%%portia --plan?\n",
        "%portia?\n",
        "%%portiac x\n",
        "%portial x\n",
        "x = '''\n%portia runs\n'''\n",
        "x = 100 %portia\n",
        "x = (1\n%portia\n)\n",
        "for i in y:\n    %portia runs\n",
        "def f():\n    x = %portia runs\n",
        "# %portia runs\n",
        "print('%portia')\n",
        "%time %portia runs\n",
        "x == %portia\n",
        "'unfinished %portia\n",
        "",
    ],
)
def test_everything_else_is_left_alone(cell: str):
    assert rewritten(cell) == cell


def test_a_body_is_passed_on_as_data_whatever_it_holds():
    body = "it's \"quoted\" \\n {{ name }} ''' \x00 ☃\n"
    [call] = ast.parse(rewritten(f"%%portia\n{body}")).body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Await)
    assert isinstance(call.value.value, ast.Call)
    assert ast.literal_eval(call.value.value.args[1]) == body


@pytest.mark.parametrize(
    ("line", "is_shown"), [("magic()", True), ("found = magic()", False), ("[magic()]", False)]
)
def test_what_a_blocked_magic_returns_is_known_to_be_shown_by_its_cell(line: str, is_shown: bool):
    seen: list[bool] = []

    def magic() -> None:
        seen.append(is_shown_by_cell(sys._getframe(), names))

    names: dict[str, Any] = {"magic": magic}
    exec(compile(f"{line}\n", "a cell", "single"), names)
    exec(compile(f"{line}\n", "not the last line of a cell", "exec"), names)
    assert seen == [is_shown, False]
    assert not is_shown_by_cell(sys._getframe(), {})
