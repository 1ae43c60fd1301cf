"""Our errors in plain cells: a card first, the user's own lines, the rest on demand (N7)."""

import pytest

from tests.kernel.conftest import Kernel

MORE = "  more   %portia why or %tb shows the whole traceback"


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("portia.run('x', tools=['nosuch'])", "ToolNotFoundError"),
        ("await portia.arun('x', tools=['nosuch'])", "ToolNotFoundError"),
        ("portia.map(wanting, [{'town': 'Rome'}])", "InputsMissing"),
        ("await portia.amap(wanting, [{'town': 'Rome'}])", "InputsMissing"),
    ],
)
def test_a_wrong_call_shows_its_card_and_its_own_line(kernel: Kernel, cell: str, name: str):
    kernel.run(
        "wanting = PlanBuilderV2().input(name='city').function_step("
        "function=slow, args={'before': Input('city')}, step_name='s').build()"
    ).raise_for_error()
    done = kernel.run(f"before = 1\n{cell}")
    assert done.status == "error"
    assert done.ename == name
    assert done.card.startswith(f"{name}: {done.evalue}\n")
    lines = done.card.partition(f"{MORE}\n\n")[2]
    assert lines.endswith(f", line 2\n----> 2 {cell}")
    assert lines.startswith("Cell In[")
    assert len(done.card.splitlines()) <= 6
    assert (done.out, done.err) == ("", "")


def test_the_whole_traceback_is_there_on_demand_and_by_the_mode_that_asks_for_it(kernel: Kernel):
    cell = "portia.get_run('prun-x')"
    assert "runner.py" not in kernel.run(cell).card
    assert "runner.py" in kernel.run("%tb").card
    assert kernel.evaluate("__import__('sys').last_value.__class__.__name__") == (
        "PlanRunNotFoundError"
    )
    assert "runner.py" in kernel.run("%portia why").raise_for_error().text
    kernel.run("%xmode Plain").raise_for_error()
    assert "runner.py" in kernel.run(cell).card
    kernel.run("%xmode Context").raise_for_error()
    assert "runner.py" not in kernel.run(cell).card


def test_errors_that_are_not_ours_are_shown_as_ever_and_ours_stop_run_all(kernel: Kernel):
    done = kernel.run("1 / 0")
    assert done.ename == "ZeroDivisionError"
    assert "Traceback (most recent call last)" in done.card
    first, second = kernel.send("portia.get_run('prun-x')"), kernel.send("after = 1")
    assert kernel.finish(first).status == "error"
    assert kernel.finish(second).status == "aborted"


def test_an_error_that_came_from_a_group_reaches_the_front_end_as_a_card(kernel: Kernel):
    done = kernel.run(
        "from portia_nb import errors\n"
        "try:\n    raise ExceptionGroup('both', [ValueError('a')])\n"
        "except ExceptionGroup as group:\n    raise errors.ToolHardError('mine') from group\n"
    )
    assert (done.ename, done.evalue, done.err) == ("ToolHardError", "mine", "")
    assert "  from   ExceptionGroup: both (1 sub-exception) (Cell In[" in done.card
    assert "ValueError: a" in kernel.run("%portia why").raise_for_error().text


def test_why_after_a_line_typed_wrong_shows_none_of_our_magics(start_kernel):
    kernel: Kernel = start_kernel()
    # Loaded in the same cell, the magic blocks it; what it returns isn't shown once more.
    shown = kernel.run("%load_ext portia_nb\n%portia tools").raise_for_error()
    assert shown.text.count("calculator_tool ") == 1
    assert len(shown.displays) == 1
    assert kernel.run("%portia dotcor").ename == "InvalidOption"
    why = kernel.run("%portia why").raise_for_error().text
    assert "did you mean 'doctor'?" in why
    assert "Traceback" not in why
    assert len(why.splitlines()) == 2


def test_a_handler_of_others_is_asked_for_its_own_and_is_there_again_at_the_end(start_kernel):
    kernel: Kernel = start_kernel()
    kernel.run(
        "def theirs(shell, etype, value, tb, tb_offset=None):\n"
        "    print('theirs:', value)\n"
        "get_ipython().set_custom_exc((ZeroDivisionError,), theirs)\n"
    ).raise_for_error()
    kernel.run("from portia_nb import Config\n%load_ext portia_nb").raise_for_error()
    assert kernel.run("1 / 0").out == "theirs: division by zero\n"
    assert MORE in kernel.run("Config(stroe='memory')").card
    kernel.run("%unload_ext portia_nb").raise_for_error()
    assert kernel.run("1 / 0").out == "theirs: division by zero\n"
    gone = kernel.run("Config(stroe='memory')")
    assert gone.ename == "InvalidConfigError"
    assert MORE not in gone.card
    assert "config.py" in gone.card
