"""The tutorial for code of the reference SDK: old programs, run with no key and no network."""

import re
from itertools import pairwise
from typing import Any

import pytest

from portia_nb.llm.scripted import shipped_records
from scripts.record_tutorials import record_from_portia
from scripts.run_notebooks import NOTEBOOKS
from tests.notebooks.conftest import Ran
from tests.notebooks.shown import (
    all_runs,
    cell_with,
    paths_of_this_machine,
    runs_of,
    states,
    texts,
)
from tests.notebooks.test_control_flow import answers

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NOTEBOOK = NOTEBOOKS / "10_from_portia.ipynb"
LIMIT_S = 60
MAX_BYTES = 300_000


class Done(Ran):
    """The notebook after it ran."""

    def said(self, source: str) -> str:
        """Return all that the one cell that begins a line with `source` printed or returned."""
        return "".join(texts(self.notebook, source))


@pytest.fixture(scope="module")
def done(ran: Ran) -> Done:
    """The notebook, executed once for all tests here."""
    return Done(**vars(ran))


def test_it_runs_in_under_a_minute_and_asks_nothing_of_the_network(done: Done):
    assert done.seconds < LIMIT_S
    assert not done.asked_for.exists(), done.asked_for.read_text()


def test_its_programs_import_from_portia_alone_but_for_what_is_new(kept: Any):
    sources = [c.source for c in kept.cells if c.cell_type == "code"]
    ours = [s for s in sources if re.search(r"^(from|import) portia_nb", s, re.MULTILINE)]
    assert len(ours) == 2 and "as_portia()" in ours[0] and "portia_nb.Portia()" in "".join(sources)
    old = re.findall(r"^from (portia[.\w]*) import", "\n".join(sources), re.MULTILINE)
    assert {"portia", "portia.builder.plan_builder_v2", "portia.execution_hooks"} <= set(old)


def test_a_planned_run_calls_the_tools_and_says_that_it_is_scripted(done: Done):
    from vega_datasets import data

    weather = data.seattle_weather()
    july = weather[weather.date.dt.month == 7]
    highs = july.groupby(july.date.dt.year).temp_max.mean().round(1)
    said = done.said("print(plan_run.state,").split()
    assert said[0] == "COMPLETE"
    assert [float(each) for each in said[1:]] == [
        pytest.approx(highs[2015] - highs[2012]),
        highs[2015],
    ]
    (run,) = runs_of(done.notebook, "plan_run = portia.run(query)")
    assert run["scripted"] is True
    assert done.said("run_v2.outputs.final_output.value") == (
        f"Warmest(year={highs.idxmax()}, high={highs.max()})"
    )
    assert "January 2012 was colder" in done.said("print(old_run.outputs")


def test_the_clarification_loop_answers_and_goes_on(done: Done):
    source = "answered = portia.run_plan(question_plan)"
    before, after = runs_of(done.notebook, source)
    assert (before["state"], after["state"]) == ("NEED_CLARIFICATION", "COMPLETE")
    assert before["id"] == after["id"]
    assert set(states(after).values()) == {"done"}
    assert done.said("print(answered.state,").startswith("COMPLETE {'year': 2014")


def test_hooks_see_each_call_and_each_step(done: Done):
    outputs = cell_with(done.notebook, "watched_run = ").outputs
    lines = "".join(o.get("text", "") for o in outputs).splitlines()
    assert [line.split()[0] for line in lines] == [
        word for name in ("july_2015", "july_2012", "difference") for word in ("calls", f"${name}")
    ]


def test_plans_and_runs_go_to_the_old_layout_and_come_back(done: Done):
    said = done.said('print("written:"')
    assert "written: Exchanged(plans=1, runs=1" in said
    assert "read: Exchanged(plans=1, runs=1" in said
    assert said.endswith("{'year': 2014, 'high': 10.1}\n")


def test_a_failed_run_goes_on_and_runs_no_finished_step_again(done: Done):
    said = done.said("print(failed.state,").splitlines()
    assert said == [
        "FAILED: ConnectionError: the network went away",
        "COMPLETE a costly result, used",
        "expensive ran 1 time",
    ]


def test_old_names_run_one_step_at_a_time_and_new_ones_side_by_side(done: Done):
    old, new = runs_of(done.notebook, "seconds = {}")
    for run, runs_apart in ((old, True), (new, False)):
        times = [(s["start"], s["end"]) for s in run["steps"][:3]]
        pairs = pairwise(times)
        assert all(end <= start for (_, end), (start, _) in pairs) is runs_apart
    assert len(done.said("for name, taken in seconds").splitlines()) == 2


def test_values_come_back_from_json_as_numbers(done: Done):
    said = done.said("import json")
    assert '"high": 28.1' in said and said.endswith("}\n29.1\n")


async def test_its_record_is_what_the_planner_and_the_steps_ask_today():
    now = await record_from_portia()
    (shipped,) = [r for r in shipped_records() if "10_from_portia" in r.about]
    assert answers(shipped) == answers(now), "run python scripts/record_tutorials.py from_portia"


# -- as it is in the repository ------------------------------------------------------------------


def test_what_is_kept_shows_the_same_as_what_was_run(done: Done, kept: Any):
    for cell, now in zip(kept.cells, done.notebook.cells, strict=True):
        assert cell.source == now.source
        before, after = (
            {mime for o in each.get("outputs", []) for mime in o.get("data", {"text": 0})}
            for each in (cell, now)
        )
        assert before == after, f"{cell.id}: run python scripts/run_notebooks.py 10"
    for before, after in zip(all_runs(kept), all_runs(done.notebook), strict=True):
        assert before["state"] == after["state"]
        assert states(before) == states(after)
        assert before.get("final") == after.get("final")


def test_what_is_kept_tells_nothing_of_the_machine_that_ran_it(kept: Any):
    text = NOTEBOOK.read_text("utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert paths_of_this_machine(text) == []
    assert "widgets" not in kept.metadata and "widget-view" not in text
    assert not any(cell.metadata for cell in kept.cells)


def test_its_links_lead_somewhere(kept: Any):
    text = "\n".join(c.source for c in kept.cells if c.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links and all((NOTEBOOK.parent / link).resolve().is_file() for link in links)
