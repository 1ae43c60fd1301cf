"""The tutorial on plans before they run: without key or network, and each of its claims is true."""

import json
import re
from typing import Any

import pytest
from nbconvert import HTMLExporter

from portia_nb.notebook.static_record import PLAN_MIME, RUN_MIME
from scripts.run_notebooks import NOTEBOOKS
from tests.notebooks.shown import paths_of_this_machine

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

NOTEBOOK = NOTEBOOKS / "01_plan_edit_approve.ipynb"
MAX_BYTES = 300_000


def outputs(notebook: Any, begins: str) -> list[Any]:
    """Return the outputs of the first code cell that holds `begins`."""
    cells = (c for c in notebook.cells if c.cell_type == "code")
    return next(c for c in cells if begins in c.source).outputs


def text(notebook: Any, begins: str) -> str:
    return "\n".join(
        o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs(notebook, begins)
    )


def test_the_plan_says_what_a_run_will_need_and_nothing_runs(done: Any):
    (shown,) = [o.data for o in outputs(done, "%%portia --plan") if PLAN_MIME in o.get("data", {})]
    needs = shown[PLAN_MIME]["next"]
    assert needs.startswith("May need no model call. Tools: month_weather, one_sentence, post_to")
    assert "Changes something outside: posted." in needs


def test_the_change_in_words_is_told_by_what_differs(done: Any):
    assert "args.units: us → metric" in text(done, "%portia change")


def test_edits_by_hand_follow_and_bad_ones_are_refused_in_plain_words(done: Any):
    found = text(done, "editor.difference()")
    assert "~ step 'report' renamed to 'sentence'" in found
    assert "args.text: The July report is ready. → July is written up." in found
    refused = text(done, "attempts = {").splitlines()
    assert "there is a step called 'july' already" in refused[0]
    assert "put 'july' first" in refused[1]
    assert "did you mean 'month_weather'?" in refused[2]


def test_the_form_leaves_a_record_without_anything_to_press(done: Any):
    (shown,) = [o for o in outputs(done, "%portia edit plan") if "data" in o]
    assert set(shown.data) == {"text/html", "text/plain"}
    assert "<button" not in shown.data["text/html"]
    assert "What changed" in shown.data["text/html"]


def test_undo_takes_the_latest_change_back(done: Any):
    assert "which is switched off" in text(done, "off_notes")
    assert "step 'july' switched on" in text(done, "%portia undo")


def test_the_approved_plan_runs_without_a_question_and_the_run_says_who_approved(done: Any):
    assert "Ada approved" in text(done, "approval = ")
    assert "['posted']" in text(done, "approval = ")
    (run,) = [o.data for o in outputs(done, "%portia run plan") if RUN_MIME in o.get("data", {})]
    assert run[RUN_MIME]["state"] == "COMPLETE"
    assert run[RUN_MIME]["approved"].startswith("approved by Ada on ")
    assert "['July is written up.']" in text(done, "board, run.outputs")
    said = text(done, "changed = ").splitlines()
    assert [line.rpartition(" ")[2] for line in said] == ["1", "0"]


def test_what_is_kept_shows_the_same_as_what_was_run_and_nothing_of_the_machine(
    done: Any, kept: Any
):
    for cell, now in zip(kept.cells, done.cells, strict=True):
        # What is printed may come in one piece or in several.
        before = {(o.output_type, *sorted(o.get("data", ()))) for o in cell.get("outputs", [])}
        after = {(o.output_type, *sorted(o.get("data", ()))) for o in now.get("outputs", [])}
        assert before == after, f"{cell.id}: run python scripts/run_notebooks.py"
    saved = NOTEBOOK.read_text("utf-8")
    assert len(saved.encode()) < MAX_BYTES
    assert paths_of_this_machine(saved) == []
    assert "widgets" not in json.loads(saved)["metadata"]
    html, _ = HTMLExporter().from_notebook_node(kept)
    assert len(re.findall(r'<img [^>]*src="data:image/svg\+xml,', html)) >= 4
