"""``%portia fork`` and ``%portia retry`` in a real kernel (N10, N11)."""

import pytest

from tests.kernel.conftest import Kernel
from tests.kernel.story import calls

RUN = "application/vnd.portia.run+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


def noted_since(kernel: Kernel, before: list[str]) -> list[str]:
    return [each.split()[0] for each in calls(kernel.folder)[len(before) :]]


def test_a_fork_runs_one_step_again_and_is_bound_and_shown(kernel: Kernel):
    kernel.run("%portia run going -o old").raise_for_error()
    before = calls(kernel.folder)
    done = kernel.run("new = %portia fork old awaited --set args.before=('new' + ' word')")
    done.raise_for_error()
    assert noted_since(kernel, before) == ["awaited"]
    assert kernel.evaluate("new.outputs['awaited'].value") == "new word awaited"
    assert kernel.evaluate("[new.forked_from == old.id, new.id != old.id]") == [True, True]
    assert "1 output is reused; runs again: awaited." in done.text
    (record,) = [shown for shown in done.displays if RUN in shown]
    assert WIDGET not in record
    quick, awaited = record[RUN]["steps"]
    assert (quick["reason"], awaited.get("reason")) == ("reused", None)
    assert record[RUN]["next"].startswith("Forked from prun-")
    assert "reused" in record["text/html"]
    assert "reused" in record["text/plain"]
    listed = kernel.run("%portia runs --forked-from old").raise_for_error().text
    assert f"  {kernel.evaluate('str(old.id)[:13]')}  " in listed


def test_an_output_by_hand_and_inputs_and_plans_can_be_given(kernel: Kernel):
    kernel.run("%portia run going -o old").raise_for_error()
    before = calls(kernel.folder)
    kernel.run("%portia fork old --set quick.output='mine' -o new").raise_for_error()
    assert noted_since(kernel, before) == ["awaited"]
    assert kernel.evaluate("new.final_output.value") == "mine awaited"
    kernel.run("more = plan_of(quick, awaited, slow)\nPath('fast').touch()").raise_for_error()
    kernel.run("%portia fork old --plan more -o new").raise_for_error()
    assert noted_since(kernel, before) == ["awaited", "slow"]
    assert kernel.evaluate("new.final_output.value") == "quick awaited slow"


def test_a_fork_in_a_cell_that_can_not_await_works_the_same(kernel: Kernel):
    kernel.run("%portia run going -o old").raise_for_error()
    kernel.run("if True:\n    new = %portia fork old awaited").raise_for_error()
    assert kernel.evaluate("new.state") == "COMPLETE"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("fork", "%portia fork needs a RUN: %portia fork RUN [STEP] [options]"),
        ("fork old awated", "no step 'awated' in this plan: did you mean 'awaited'?"),
        ("fork old awaited --set argz=1", "no field 'argz' to change: did you mean 'args'?"),
        ("fork old awaited --set args.before=nobody", "NameError: name 'nobody'"),
        ("fork old --set task='x'", "--set task: of which step?"),
        ("fork old --st task='x'", "%portia fork has no option '--st': did you mean '--set'?"),
        ("fork old", "complete and nothing differs"),
        ("fork old --in city=1", "the plan takes no input 'city': it takes none"),
        ("frok old", "%portia has no 'frok': did you mean 'fork'?"),
        ("retry old", "has not failed (state: done)"),
    ],
)
def test_a_wrong_fork_says_what_would_be_right_and_runs_nothing(
    kernel: Kernel, line: str, says: str
):
    kernel.run("%portia run going -o old").raise_for_error()
    before = calls(kernel.folder)
    done = kernel.run(f"%portia {line}")
    assert done.status == "error"
    assert says in done.card
    assert calls(kernel.folder) == before


def test_help_and_completion_know_forks(kernel: Kernel):
    text = kernel.run("%portia fork --help").raise_for_error().text
    assert "%portia fork RUN [STEP] [options]" in text
    assert "--set FIELD=EXPR" in text
    kernel.run("%portia run going -o finished").raise_for_error()
    found = kernel.run(
        "from portia_nb.notebook.completion import complete\n"
        "face = get_ipython().magics_manager.registry['PortiaMagics'].face\n"
        "of = lambda text: sorted(complete(face, text)[1])"
    )
    found.raise_for_error()
    assert "fork" in kernel.evaluate("of('%portia fo')")
    assert "finished" in kernel.evaluate("of('%portia fork fin')")
    assert kernel.evaluate("of('%portia fork finished ')") == ["awaited", "quick"]
    assert "--set" in kernel.evaluate("of('%portia fork finished awaited --')")


def test_what_a_fork_would_do_again_is_named_and_approved_first(kernel: Kernel):
    kernel.run("%portia run sending -o old --yes").raise_for_error()
    before = calls(kernel.folder)
    done = kernel.run("%portia fork old send")
    assert done.ename == "WaitingForAnswer"
    assert "would be again: send" in done.card
    assert calls(kernel.folder) == before
    # What is reused is not at stake.
    kernel.run("%portia fork old quick -o new").raise_for_error()
    assert noted_since(kernel, before) == ["quick"]
    done = kernel.run("%portia fork old send -o new", answers=["yes", "yes"])
    done.raise_for_error()
    assert "this was done already, and would be again: send" in done.out
    assert noted_since(kernel, before) == ["quick", "send"]


def test_a_failed_run_is_retried_and_with_changes_forked(kernel: Kernel):
    assert kernel.run("kept = %portia run failing").ename == "PlanRunFailed"
    assert kernel.run("%portia retry kept -o again").ename == "PlanRunFailed"
    assert kernel.evaluate("again.id == kept.id") is True
    kernel.run("def mended(before):\n    return before + ' mended'").raise_for_error()
    kernel.run("%portia retry kept --set function=mended -o new").raise_for_error()
    assert kernel.evaluate("new.final_output.value") == "quick mended"
    assert kernel.evaluate("[new.forked_from == kept.id, kept.state]") == [True, "FAILED"]
