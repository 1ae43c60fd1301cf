"""The tutorial on control flow: each kind of step, run with nobody there, no key and no network."""

import ast
import json
from typing import Any

import pytest

from portia_nb.llm.records import Record
from portia_nb.llm.scripted import shipped_records
from portia_nb.notebook.static_record import PLAN_MIME
from scripts.record_tutorials import MAGIC, record_control_flow
from scripts.run_notebooks import NOTEBOOKS
from tests.notebooks.conftest import Ran
from tests.notebooks.shown import (
    all_runs,
    cell_with,
    paths_of_this_machine,
    runs_of,
    shape,
    states,
    texts,
)

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NOTEBOOK = NOTEBOOKS / "06_control_flow.ipynb"
LIMIT_S = 60
MAX_BYTES = 300_000
TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Done(Ran):
    """The notebook after it ran."""

    def run(self, name: str) -> dict[str, Any]:
        """Return the record of the run that the variable `name` was bound to."""
        return runs_of(self.notebook, f"{name} = %portia run ")[0]

    def said(self, source: str) -> str:
        """Return the text that the one cell with `source` shows last."""
        return texts(self.notebook, source)[-1]


def rounds(run: dict[str, Any]) -> dict[str, str | None]:
    """Return states; for bodies that run side by side those of each round alone."""
    return {p: s for p, s in states(run).items() if not p.startswith("each_day/")}


@pytest.fixture(scope="module")
def done(ran: Ran) -> Done:
    """The notebook, executed once for all tests here."""
    return Done(**vars(ran))


def test_it_runs_in_under_a_minute_and_asks_nothing_of_the_network(done: Done):
    assert done.seconds < LIMIT_S
    assert not done.asked_for.exists(), done.asked_for.read_text()
    assert len(all_runs(done.notebook)) == 10
    assert {run["state"] for run in all_runs(done.notebook)} == {"COMPLETE"}


def test_it_uses_every_kind_of_step(kept: Any):
    called: set[str] = set()
    blocks: set[str] = set()
    arguments: set[str] = set()
    for cell in kept.cells:
        if cell.cell_type != "code":
            continue
        lines = [line for line in cell.source.splitlines() if not MAGIC.match(line)]
        code = compile("\n".join(lines), cell.id, "exec", ast.PyCF_ONLY_AST | TOP_LEVEL_AWAIT)
        for node in ast.walk(code):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called.add(node.func.attr)
                arguments |= {f"{node.func.attr}({k.arg}=)" for k in node.keywords}
            if isinstance(node, ast.With):
                blocks |= {ast.unparse(item.context_expr).split("(")[0] for item in node.items}
    steps = {"llm_step", "invoke_tool_step", "function_step", "single_tool_agent_step"}
    steps |= {"react_agent_step", "user_input", "user_verify", "exit"}
    steps |= {"if_", "else_if_", "else_", "endif", "loop", "add_step", "add_steps", "add_sub_plan"}
    assert steps <= called
    assert {"loop(over=)", "loop(while_=)", "loop(do_while_=)", "loop(parallel=)"} <= arguments
    assert {"user_input(default=)", "user_verify(default=)"} <= arguments
    assert {"add_steps(input_values=)", "exit(error=)"} <= arguments
    assert {"builder.loop", "builder.if_", "builder.else_"} <= blocks


def test_a_run_with_a_model_says_that_it_is_scripted_and_one_without_does_not(done: Done):
    for name in ("run", "agent_run", "walk", "walks", "combined"):
        assert done.run(name)["scripted"] is True, name
    for name in ("asked", "loops", "first"):
        assert "scripted" not in done.run(name), name


def test_what_the_model_says_is_true_of_the_data(done: Done):
    from vega_datasets import data

    weather = data.seattle_weather()
    of_year = weather[weather.date.dt.year == 2015]
    rain = of_year.groupby(of_year.date.dt.month_name()).precipitation.sum()
    sentence = done.said("print(run.final_output.value)")
    said = cell_with(done.notebook, "print(run.final_output.value)").outputs[0].text
    assert f"{rain.idxmax()} was the wettest month with {rain.max():.1f} mm" in said
    assert f"{rain.idxmin()} the driest with {rain.min():.1f} mm" in said
    assert "2015-12-31" in sentence
    hottest = weather.groupby(weather.date.dt.year).temp_max.max()
    said = cell_with(done.notebook, 'print(agent_run.outputs["hottest"]').outputs[0].text
    assert said.startswith("No: ") and hottest[2012] < hottest[2014]
    assert f"{hottest[2012]} °C" in said and f"{hottest[2014]} °C" in said


def test_the_questions_took_their_defaults(done: Done):
    outputs = {step["path"]: step.get("output") for step in done.run("asked")["steps"]}
    assert outputs["month"] == {"text": "July"}
    assert outputs["count"] == {"json": "29"}
    assert "2015-07-19" in done.said("asked.final_output.value")
    (which, *_) = done.run("combined")["steps"]
    assert (which["path"], which["output"]) == ("which_year", {"json": "2013"})
    assert "In 2013, September was the wettest" in json.dumps(done.run("combined")["final"])


def test_branches_are_taken_by_a_function_a_reference_and_a_sentence(done: Done):
    of_walk = states(done.run("walk"))
    assert of_walk["what/wet"] == of_walk["what/cold"] == of_walk["what/bright/grey"] == "skipped"
    assert of_walk["what/bright/sunny"] == "done"
    of_walks = states(done.run("walks"))
    inside = "walk/what"
    assert of_walks[f"each_day[0]/{inside}/wet"] == "done"  # by the function
    assert of_walks[f"each_day[1]/{inside}/cold"] == "done"  # by the reference
    assert of_walks[f"each_day[3]/{inside}/bright/sunny"] == "done"  # by the sentence
    assert of_walks[f"each_day[4]/{inside}/bright/grey"] == "done"
    table = done.said("walks.final_output.value").split()
    assert table.index("boots") < table.index("coat") < table.index("sunglasses")


def test_loops_end_when_their_conditions_say_so_and_an_exit_ends_all(done: Done):
    said = done.said('print("dry spell:"')
    assert "{'days': 5, 'next': '2015-09-13', 'rain': 0.5}" in said
    assert "{'mm': 30, 'days': 7}" in said
    of_first = states(done.run("first"))
    assert of_first["each_year[1]/enough/found"] == "done"
    assert of_first["nothing"] == "skipped"
    assert not any(path.startswith("each_year[2]") for path in of_first)


def test_one_plan_run_twice_at_once_gives_two_right_results(done: Done):
    first, second = runs_of(done.notebook, "runs = await asyncio.gather(")
    assert first["id"] != second["id"]
    finals = {json.dumps(run["final"], sort_keys=True) for run in (first, second)}
    assert len(finals) == 2
    table = done.said("table = pd.DataFrame(")
    assert "2013    2    2               2" in table
    assert "2014    3    1               3" in table


async def test_its_record_is_what_the_steps_ask_today_and_what_the_data_say():
    now = await record_control_flow()
    (shipped,) = [r for r in shipped_records() if "06_control_flow" in r.about]
    assert answers(shipped) == answers(now), "run python scripts/record_tutorials.py control_flow"


def answers(record: Record) -> list[dict[str, Any]]:
    told = [reply.model_dump(mode="json", exclude={"step"}) for reply in record.replies]
    return sorted(told, key=lambda reply: (reply["key"], reply["prompt_sha256"]))


# -- as it is in the repository ------------------------------------------------------------------


def in_order(notebook: Any) -> list[Any]:
    return sorted(all_runs(notebook), key=lambda run: json.dumps([len(run["steps"]), run["final"]]))


def test_what_is_kept_shows_the_same_as_what_was_run(done: Done, kept: Any):
    for cell, now in zip(kept.cells, done.notebook.cells, strict=True):
        assert cell.source == now.source
        assert shape(cell) == shape(now), f"{cell.id}: run python scripts/run_notebooks.py 06"
    # Of two runs that go at once, either may be shown first.
    for before, after in zip(in_order(kept), in_order(done.notebook), strict=True):
        assert before["state"] == "COMPLETE"
        assert rounds(before) == rounds(after)
        assert before["final"] == after["final"]


def test_its_plans_show_themselves_before_they_run(kept: Any):
    for source in ("year_plan = (", "walk_plan = ("):
        (output,) = cell_with(kept, source).outputs
        assert not any("state" in step for step in output.data[PLAN_MIME]["steps"])


def test_what_is_kept_tells_nothing_of_the_machine_that_ran_it():
    text = NOTEBOOK.read_text("utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert paths_of_this_machine(text) == []
    notebook = json.loads(text)
    assert "widgets" not in notebook["metadata"]
    assert not any(cell["metadata"] for cell in notebook["cells"])
    assert "widget-view" not in text
