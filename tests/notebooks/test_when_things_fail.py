"""The tutorial on failures runs without key or network, and each of its claims on calls is true."""

import ast
import json
import re
from typing import Any

import pytest
from nbconvert import HTMLExporter

from portia_nb.notebook.static_record import RUN_MIME
from scripts.run_notebooks import NOTEBOOKS
from tests.notebooks.conftest import Ran
from tests.notebooks.shown import paths_of_this_machine, shape

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

NOTEBOOK = NOTEBOOKS / "04_when_things_fail.ipynb"
MAX_BYTES = 300_000


class Done(Ran):
    """The tutorial after it ran; cells are found by how they begin."""

    def outputs(self, *begins: str) -> list[Any]:
        """Return the outputs of the cell that holds the last of `begins`, found one after another.

        A cell that says the same as an earlier one is found after another that stands between.
        """
        cells = iter(c for c in self.notebook.cells if c.cell_type == "code")
        found = [next(c for c in cells if begin in c.source) for begin in begins]
        return found[-1].outputs

    def text(self, *begins: str) -> str:
        """Return all that the cell shows as text."""
        return "\n".join(
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in self.outputs(*begins)
        )

    def calls(self, *begins: str) -> dict[str, int]:
        """Return the counts that a cell shows with `dict(calls)`."""
        (shown,) = [o.data["text/plain"] for o in self.outputs(*begins) if "data" in o]
        return ast.literal_eval(shown)

    def record(self, *begins: str) -> Any:
        """Return the run that the cell shows."""
        (found,) = [
            o.data[RUN_MIME] for o in self.outputs(*begins) if RUN_MIME in o.get("data", {})
        ]
        return found


@pytest.fixture(scope="module")
def done(ran: Ran) -> Done:
    """The tutorial, executed once for all tests here."""
    return Done(**vars(ran))


def test_it_asks_nothing_of_the_network(done: Done):
    assert not done.asked_for.exists(), done.asked_for.read_text()


FAILED = ("%portia run plan -o run",)
RETRIED = ("%portia retry",)
STOPPED = ("%portia cancel",)
KILLED = ("other.kill()",)
FORKED = ("%portia fork run score",)


def test_the_failure_keeps_what_was_done_and_why_shows_where(done: Done):
    (error,) = [o for o in done.outputs(*FAILED) if o.output_type == "error"]
    assert error.ename == "PlanRunFailed"
    assert "step 'wind' failed: ConnectionError" in error.evalue
    once = {"weather": 1, "temp_max": 1, "precipitation": 1, "wind": 1}
    assert done.calls(*FAILED, "dict(calls)") == once
    why = done.text("%portia why")
    assert re.search(r"Cell, line \d+, in wind_station", why)
    assert "portia_nb" not in why


def test_the_retry_calls_the_failed_step_again_and_nothing_else(done: Done):
    assert done.record(*RETRIED)["state"] == "COMPLETE"
    calls = done.calls(*RETRIED, "dict(calls)")
    assert calls.pop("wind") == 2
    assert len(calls) == 7
    assert set(calls.values()) == {1}


def test_a_stopped_run_goes_on_with_the_step_that_was_under_way(done: Done):
    assert "has stopped" in done.text(*STOPPED)
    assert done.record(*STOPPED, "%portia resume -o read")["state"] == "COMPLETE"
    calls = done.calls(*STOPPED, "%portia resume", "dict(calls)")
    assert calls.pop("station 4") == 2
    assert len(calls) == 7
    assert set(calls.values()) == {1}


def test_a_killed_run_is_finished_and_what_was_done_is_not_done_twice(done: Done):
    assert "SIGKILL" in done.text(*KILLED)
    before = done.record(*KILLED, "%portia show waiting")
    assert [step.get("state") for step in before["steps"]][:3] == ["done"] * 3
    assert done.record(*KILLED, "%portia resume waiting")["state"] == "COMPLETE"
    state, visits = done.text(*KILLED, "visited.state").splitlines()[:2]
    assert state == "COMPLETE 6"
    found = ast.literal_eval(visits)
    assert found.count("Magnolia") == 2
    assert len(found) == 7
    assert len(set(found)) == 6


def test_the_fork_runs_what_depends_on_the_edit(done: Done):
    once = {"score": 1, "best": 1, "worst": 1, "report": 1}
    assert done.calls(*FORKED, "dict(calls)") == once
    assert done.record(*FORKED)["next"].startswith("Forked from prun-")


def test_the_comparison_names_what_the_edit_changed(done: Done):
    text = done.text("%portia diff run rainy")
    assert "score  ~ edited  args.rain_counts" in text
    assert re.search(r"report +≠ differs", text)
    assert re.search(r"best +\= equal", text)
    (shown,) = done.outputs("%portia diff run rainy")
    assert "<script" not in shown.data["text/html"]
    table = done.text("found.to_frame()")
    assert re.search(r"wind +equal +fork", table)


def test_the_replay_calls_no_tool_and_a_call_that_was_not_recorded_is_refused(done: Done):
    assert "calls of the station: 0" in done.text("--replay", "calls of the station")
    (error,) = [o for o in done.outputs("km/h", "km/h") if o.output_type == "error"]
    assert "RecordDrift" in error.evalue
    assert '+ "unit": "km/h"' in error.evalue


def test_a_cached_step_is_called_once_for_the_same_arguments(done: Done):
    said = [line for line in done.text("cache=True").splitlines() if "calls so far" in line]
    assert [line.rpartition(" ")[2] for line in said] == ["1", "1", "2"]


# -- as it is in the repository ------------------------------------------------------------------


def test_what_is_kept_shows_the_same_as_what_was_run(done: Done, kept: Any):
    for cell, now in zip(kept.cells, done.notebook.cells, strict=True):
        assert cell.source == now.source
        assert shape(cell) == shape(now), f"{cell.id}: run python scripts/run_notebooks.py"


def test_what_is_kept_tells_nothing_of_the_machine_that_ran_it():
    text = NOTEBOOK.read_text("utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert paths_of_this_machine(text) == []
    notebook = json.loads(text)
    assert "widgets" not in notebook["metadata"]
    assert "ipykernel_" not in text
    tags = [cell["metadata"] for cell in notebook["cells"] if cell["metadata"]]
    assert tags == [{"tags": ["raises-exception"]}] * 2


def test_what_is_kept_is_shown_by_nbconvert(kept: Any):
    html, _ = HTMLExporter().from_notebook_node(kept)
    assert len(re.findall(r'<img [^>]*src="data:image/svg\+xml,', html)) >= 9
    assert "~ edited" in html
