"""N14, N24: the tutorial on questions, run with nobody there, no key and no network."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.run_notebooks import NOTEBOOKS
from tests.notebooks.shown import all_runs, texts

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NOTEBOOK = NOTEBOOKS / "03_questions.ipynb"
MAX_BYTES = 300_000
KINDS = ("Action", "Value Confirmation", "Custom")


def said(notebook: Any, source: str) -> str:
    """Return the text that the one cell with `source` shows last."""
    return texts(notebook, source)[-1].strip()


def test_nobody_is_there_and_every_question_takes_its_default(done: Any):
    assert said(done, "hello.final_output.value") == "'Ada comes along.'"
    assert "'portions': {'bread': 4, 'cheese': 4}" in said(done, "picnic.final_output.value")
    kinds = said(done, "print(boat.final_output.value)")
    assert all(f"'{kind}', " in kinds for kind in KINDS) and kinds.count("'default'") == 3
    assert said(done, "[guests.outputs[name]").count("lemonade") == 3


def test_a_page_that_is_not_there_is_waited_for_once(done: Any):
    """N24: many questions take hardly longer than one; seven waits would be 21 s."""
    (picnic,) = [run for run in all_runs(done)[:2] if len(run["steps"]) == 8]
    assert picnic["end"] - picnic["steps"][0]["start"] < 10_000


def test_declared_answers_are_taken_and_the_one_too_many_is_named(done: Any):
    assert "'portions': {'soup': 7, 'salad': 7}" in said(done, "declared.final_output.value")
    assert "2026-06-21" in said(done, "declared.final_output.value")
    assert said(done, "answers = {").startswith("No question asked for places")
    assert said(done, "scripted = Portia(") == "'Grace comes along.'"


def test_a_question_waits_and_another_process_answers_it(done: Any):
    assert said(done, "from boats import rent\n\nportia") == "['For how many hours?']"
    morning = said(done, "MORNING = ")
    assert "refused: write a whole number, such as 3" in morning
    assert "3 hours: 45 euros" in morning
    (shown,) = [run for run in all_runs(done)[-1:] if run["title"] == "Rent a boat"]
    assert shown["state"] == "COMPLETE"


def test_doctor_says_why_nobody_was_asked(done: Any):
    """N34."""
    assert "questions go to: the question's default" in said(done, "report = portia.doctor()")


def test_the_saved_notebook_is_the_one_that_runs_and_tells_nothing_of_a_machine(
    done: Any, kept: Any
):
    assert [c.source for c in kept.cells] == [c.source for c in done.cells]
    text = NOTEBOOK.read_text("utf-8")
    assert len(text.encode()) < MAX_BYTES
    assert not re.search(r"/tmp/|/home/|/root/|/work/|/Users/", text)
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"
    for source in ("hello.final_output.value", "declared.final_output.value", "MORNING = "):
        assert said(kept, source) == said(done, source)


def test_the_page_that_it_points_to_is_there():
    links = re.findall(r"\]\((\.\./[^)]+)\)", NOTEBOOK.read_text("utf-8"))
    assert links and all((Path(NOTEBOOKS) / link).exists() for link in links)
