"""``%portia diff`` in a real kernel (N15)."""

from tests.kernel.conftest import Kernel


def test_two_runs_are_compared_shown_and_bound(kernel: Kernel):
    kernel.run("%portia run going -o old").raise_for_error()
    kernel.run("new = %portia fork old awaited --set args.before='other'").raise_for_error()
    done = kernel.run("found = %portia diff old new").raise_for_error()
    (shown,) = done.displays
    assert set(shown) == {"text/html", "text/plain"}
    assert "awaited  ≠ differs" in shown["text/plain"]
    assert "~ edited" in shown["text/html"]
    assert "<script" not in shown["text/html"]
    assert kernel.evaluate("found.differing") == ["awaited"]
    # One run alone is compared with what it was forked from, and the latest is the one meant.
    kernel.run("%portia diff -o same").raise_for_error()
    assert kernel.evaluate("same == found") is True
    # As a cell's value it shows itself, with or without the extension.
    (itself,) = kernel.run("found").raise_for_error().displays
    assert itself["text/html"] == shown["text/html"]
    assert itself["text/plain"] == shown["text/plain"]


def test_help_completion_and_errors_know_diff(kernel: Kernel):
    assert "%portia diff [RUN] [OTHER]" in kernel.run("%portia diff --help").text
    kernel.run("%portia run going -o finished").raise_for_error()
    kernel.run(
        "from portia_nb.notebook.completion import complete\n"
        "face = get_ipython().magics_manager.registry['PortiaMagics'].face\n"
        "of = lambda text: sorted(complete(face, text)[1])"
    ).raise_for_error()
    assert "finished" in kernel.evaluate("of('%portia diff ')")
    assert "finished" in kernel.evaluate("of('%portia diff finished ')")
    for line, says in (
        ("diff finished", "was not forked from another"),
        ("diff finished nobody", "'nobody' is no run; %portia runs lists them"),
        ("diff anybody nobody", "'anybody' is no run"),
        ("diff a b c", "one RUN, not 2"),
        ("dif finished", "%portia has no 'dif': did you mean 'diff'?"),
    ):
        done = kernel.run(f"%portia {line}")
        assert done.status == "error"
        assert says in done.card
