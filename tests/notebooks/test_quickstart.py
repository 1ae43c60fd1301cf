"""The quickstart runs with nobody there, no key and no network, and is kept as it ran."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter

from portia_nb.notebook.static_record import PLAN_MIME, RUN_MIME
from scripts.run_notebooks import NOTEBOOKS, ROOT, executed
from tests.notebooks.conftest import NO_NETWORK, Ran
from tests.notebooks.shown import paths_of_this_machine, shape

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

NOTEBOOK = NOTEBOOKS / "00_quickstart.ipynb"
LIMIT_S = 60
MAX_BYTES = 300_000
OUR_MIMES = {"text/html", "text/plain"}


class Done(Ran):
    """The quickstart after it ran."""

    def outputs(self, name: str) -> list[Any]:
        return outputs_of(self.notebook, name)


def outputs_of(notebook: Any, name: str) -> list[Any]:
    """Return the outputs of the cell with the id `quickstart-<name>`."""
    (cell,) = [c for c in notebook.cells if c.id == f"quickstart-{name}"]
    return cell.outputs


def bundle(notebook: Any, name: str, mime_type: str) -> Any:
    """Return the one bundle of a cell that has `mime_type`."""
    (found,) = [o.data for o in outputs_of(notebook, name) if mime_type in o.get("data", {})]
    return found


@pytest.fixture(scope="module")
def done(ran: Ran) -> Done:
    """The quickstart, executed once for all tests here."""
    return Done(**vars(ran))


def test_it_runs_in_under_a_minute_and_asks_nothing_of_the_network(done: Done):
    assert done.seconds < LIMIT_S
    assert not done.asked_for.exists(), done.asked_for.read_text()


def test_the_network_guard_does_guard(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    code = (
        "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), 1)\n"
        "except OSError as error:\n    print(error)"
    )
    cells = [nbformat.v4.new_code_cell(code)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "trial.ipynb")
    run = executed(tmp_path / "trial.ipynb", tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert "no network here: 192.0.2.1" in run.cells[0].outputs[0].text


def test_the_plan_shows_itself_before_anything_has_run(done: Done):
    shown = bundle(done.notebook, "05", PLAN_MIME)
    names = [step["path"] for step in shown[PLAN_MIME]["steps"]]
    assert names == ["amazon", "google", "since", "growth", "chart", "winner"]
    assert not any("state" in step for step in shown[PLAN_MIME]["steps"])


def test_the_question_took_its_default_and_the_run_ended(done: Done):
    (output,) = done.outputs("07")
    assert set(output.data) == {*OUR_MIMES, RUN_MIME}
    record = output.data[RUN_MIME]
    assert record["state"] == "COMPLETE"
    (since,) = [step for step in record["steps"] if step["path"] == "since"]
    assert since["output"] == {"text": "2004-08"}
    assert "6 of 6 steps" in output.data["text/plain"]
    assert '<img src="data:image/svg+xml,' in output.data["text/html"]


def test_the_outputs_are_python_objects(done: Done):
    said, table = done.outputs("09")
    assert said.text.startswith("Google grew faster: +447 %, against +238 % for Amazon")
    assert "<table" in table.data["text/html"] and "2010-03-01" in table.data["text/plain"]
    (chart,) = done.outputs("10")
    assert base64.b64decode(chart.data["image/png"]).startswith(b"\x89PNG\r\n")


def test_the_same_from_a_sentence_says_that_it_is_scripted(done: Done):
    shown = bundle(done.notebook, "14", RUN_MIME)
    assert shown[RUN_MIME]["scripted"] is True
    assert "scripted model" in shown["text/html"] and "scripted model" in shown["text/plain"]
    (answer,) = done.outputs("15")
    assert answer.data["text/plain"].startswith("'Google grew faster: +447 %")


def test_both_runs_are_listed(done: Done):
    (listed,) = done.outputs("17")
    assert listed.data["text/plain"].count("prun-") == 2
    assert listed.data["text/plain"].count(" done ") == 2


def test_a_notebook_that_a_program_ran_keeps_none_of_the_widgets_code(tmp_path: Path):
    """By nbclient's own defaults, which write the state of every widget into the notebook."""
    import nbclient

    plan = "from portia_nb import PlanBuilderV2\nplan = PlanBuilderV2('x')"
    cells = ["%load_ext portia_nb", f"{plan}.function_step(function=dict).build()"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c) for c in [*cells, "%portia run plan"]]
    )
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
    client = nbclient.NotebookClient(
        notebook, timeout=40, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    done = client.execute()
    assert RUN_MIME in done.cells[-1].outputs[0].data
    assert len(json.dumps(done.metadata)) < 6_000


# -- as it is in the repository ------------------------------------------------------------------


def test_what_is_kept_shows_the_same_as_what_was_run(done: Done, kept: Any):
    for cell, now in zip(kept.cells, done.notebook.cells, strict=True):
        assert cell.source == now.source
        assert shape(cell) == shape(now), f"{cell.id}: run python scripts/run_notebooks.py"
    for name in ("07", "14"):
        record = bundle(kept, name, RUN_MIME)[RUN_MIME]
        assert record["state"] == "COMPLETE"
        assert {step["state"] for step in record["steps"]} == {"done"}


def test_what_is_kept_tells_nothing_of_the_machine_that_ran_it():
    text = NOTEBOOK.read_text("utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert paths_of_this_machine(text) == []
    notebook = json.loads(text)
    assert "widgets" not in notebook["metadata"]
    assert not any(cell["metadata"] for cell in notebook["cells"])
    assert "widget-view" not in text


def test_what_is_kept_is_shown_by_nbconvert(kept: Any):
    html, _ = HTMLExporter().from_notebook_node(kept)
    markdown, _ = MarkdownExporter().from_notebook_node(kept)
    for text in (html, markdown):
        assert len(re.findall(r'<img [^>]*src="data:image/svg\+xml,', text)) == 5
        assert "Google grew faster: +447" in text
