"""What a run has spent, as a cell and a terminal show it."""

from IPython.lib.pretty import pretty

from portia_nb.model.cost import RunCost, cost_of
from portia_nb.model.language import Usage

SPENT = {
    ("", "openai/gpt-5.4"): Usage(2_000, 100),
    ("find", "own/<b>model</b>"): Usage(1_000, 200, calls=3),
}


def test_a_cost_says_itself_in_one_line_and_shows_a_row_for_each_step():
    cost = cost_of(SPENT)
    assert repr(cost) == "<RunCost: 4 calls, 3,000 + 300 tokens, unknown>"
    assert repr(cost.steps["find"]) == "<StepCost: 3 calls, 1,000 + 200 tokens, unknown>"
    head, planning, find, total = pretty(cost).splitlines()
    assert head.split() == ["step", "calls", "tokens", "in", "tokens", "out", "cost", "models"]
    assert planning.split() == ["(planning)", "1", "2,000", "100", "$0.0065", "openai/gpt-5.4"]
    assert find.split()[:5] == ["find", "3", "1,000", "200", "unknown"]
    assert total.split()[:6] == ["in", "all", "4", "3,000", "300", "unknown"]


def test_the_table_in_a_notebook_holds_names_as_text():
    html = cost_of(SPENT)._repr_html_()
    assert "&lt;b&gt;model" in html
    assert "<b>" not in html
    assert html.count("<tr>") == 4
    assert "\n" not in html


def test_where_no_model_was_asked_it_says_so():
    assert pretty(RunCost()) == "No model was asked."
    assert "No model was asked." in RunCost()._repr_html_()
