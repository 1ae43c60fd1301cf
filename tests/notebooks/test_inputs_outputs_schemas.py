"""The tutorial on inputs and outputs: run with nobody there, no key and no network (N4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from portia_nb.llm.records import Record
from portia_nb.llm.scripted import shipped_records
from scripts.record_tutorials import record_inputs
from scripts.run_notebooks import NOTEBOOKS, ROOT
from tests.notebooks.shown import all_runs, said

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NOTEBOOK = NOTEBOOKS / "02_inputs_outputs_schemas.ipynb"
MAX_BYTES = 300_000


def test_it_runs_to_its_end_and_every_run_is_complete(done: Any):
    states = [run["state"] for run in all_runs(done)]
    assert states == ["COMPLETE"] * 5


def test_inputs_come_from_variables_options_and_defaults(done: Any):
    assert "It was built in Japan." in said(done, 'country = "Japan"')
    assert "volkswagen rabbit custom diesel" in said(done, "%portia run plan --in country")
    # The run without a name is the value of its cell.
    assert "It was built in Europe." in said(done, "_.final_output.value")


def test_outputs_are_python_objects_in_later_cells(done: Any):
    text = said(done, 'print(run.outputs["lightest"].value)')
    assert text.startswith("{'name': 'honda civic 1500 gl', 'pounds': 1850}")
    assert "datsun 210" in text


def test_the_planner_is_told_types_and_columns_and_no_value(done: Any):
    text = said(done, "for each in portia.show(")
    assert "cars - DataFrame of 392 rows with columns Name (" in text
    assert "country - str" in text
    assert "chevrolet" not in text


def test_an_answer_comes_in_the_shape_that_was_asked_for(done: Any):
    assert said(done, "chosen = choice").startswith("Choice with 3 cars, the first of them mazda")
    assert "Car(name='mazda glc', miles_per_gallon=46.6)" in said(done, 'advice.outputs["pick"]')


def test_the_saved_notebook_is_what_it_shows_now_and_small(done: Any, kept: Any):
    assert NOTEBOOK.stat().st_size < MAX_BYTES
    for source in ("chosen = choice", "_.final_output.value", 'print(run.outputs["lightest"]'):
        assert said(kept, source) == said(done, source)


@pytest.mark.filterwarnings("ignore:The 'convert_dates' keyword")
async def test_the_shipped_record_is_what_the_script_writes(tmp_path: Path):
    written = await record_inputs()
    file = tmp_path / "inputs.json"
    written.save(file)
    shipped = ROOT / "portia_nb" / "llm" / "shipped" / "inputs.json"
    fresh, kept = (json.loads(each.read_text("utf-8")) for each in (file, shipped))
    assert [reply["key"] for reply in fresh["replies"]] == [r["key"] for r in kept["replies"]]
    assert [reply["data"] for reply in fresh["replies"]] == [r["data"] for r in kept["replies"]]
    assert any(record.about == written.about for record in shipped_records())
    assert isinstance(written, Record)
