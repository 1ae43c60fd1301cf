"""The tutorial on tables: run with nobody there, no key and no network (N27, N17)."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.run_notebooks import NOTEBOOKS
from tests.notebooks.shown import said

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NOTEBOOK = NOTEBOOKS / "07_over_a_dataframe.ipynb"
MAX_BYTES = 300_000


def test_five_rows_are_tried_and_not_run_again(done: Any):
    assert "5 done" in said(done, "tried = ")
    again = said(done, "thirst = portia.map(plan, cars")
    assert "5 rows were done before and not run again" in again


def test_a_mended_row_runs_and_the_others_keep_what_they_had(done: Any):
    text = said(done, "mended = ")
    assert "done before: 18" in text
    assert "done: 19  failed: 5" in text
    assert "nobody measured" in said(done, 'table.loc[table.state == "failed"')


def test_the_budget_stops_it_and_a_larger_one_goes_on(done: Any):
    stopped = said(done, "notes = writer.map")
    assert "8 done" in stopped and "allows no further call" in stopped
    assert "19 notes for $0.0118" in said(done, "notes = notes.retry")


def test_the_saved_notebook_shows_what_it_did_and_is_small():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < MAX_BYTES
    assert "<script" not in text
    for words in ("19 of 19 rows", "8 done, 1 stopped", "litres_per_ton"):
        assert words in text
