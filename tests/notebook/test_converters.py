"""N20: what lies in a saved notebook, through the real converters: it needs no script or kernel."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import nbconvert
import nbformat
import pytest

from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.model.events import ErrorRecord, RunCompleted, StepDone, StepFailed, StepStarted
from portia_nb.notebook.static_record import plan_bundle, run_bundle
from tests.notebook.stories import told_at, two_searches

BUSY = ErrorRecord("ToolSoftError", "busy", "google")
RUN = told_at(
    two_searches(),
    [
        (0.0, StepStarted("amazon")),
        (0.0, StepStarted("google")),
        (1.0, StepFailed("google", 1, BUSY, 2.0)),
        (2.0, StepDone("amazon", 1, [{"year": 2024, "growth": "44 %"}])),
        (3.0, StepStarted("google", 2)),
        (4.0, StepDone("google", 2, "35 % & <more>")),
        (4.0, StepStarted("faster")),
        (6.0, StepDone("faster", 1, "Amazon grew faster.")),
        (6.0, RunCompleted("faster")),
    ],
)
SAID = ["Which stock price grew faster", "Amazon grew faster.", "waited 2.0 s before the next try"]


class Pictures(HTMLParser):
    """Collects the `img` elements and the names of all elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag == "img":
            self.found.append(dict(attrs))


@pytest.fixture(scope="module")
def shown() -> list[dict[str, Any]]:
    """Return the bundles of everything that shows itself, as IPython would store them."""
    portia = Portia(Config(store="memory"), tools=[])
    plan = PlanBuilderV2("Two").function_step(function=lambda: 2, step_name="two").build()
    fork = portia.fork(portia.run_plan(plan), "two")
    objects = [portia.compare(fork), portia.timeline(fork), portia.runs()]
    bundles = [plan_bundle(two_searches()), run_bundle(RUN)]
    return bundles + [{"text/html": o._repr_html_(), "text/plain": repr(o)} for o in objects]


@pytest.fixture(scope="module")
def notebook(shown: list[dict[str, Any]]) -> nbformat.NotebookNode:
    """Return a notebook that was run and saved with them."""
    outputs = [nbformat.v4.new_output("display_data", data=bundle) for bundle in shown]
    cells = [nbformat.v4.new_code_cell("%portia show", outputs=[output]) for output in outputs]
    return nbformat.v4.new_notebook(cells=cells)


def test_html_has_every_picture_in_itself_and_every_word(notebook: nbformat.NotebookNode):
    html, _ = nbconvert.HTMLExporter(template_name="basic").from_notebook_node(notebook)
    for said in SAID:
        assert said in html
    assert "Loading widget" not in html and "widget-view" not in html
    pictures = Pictures(html).found
    # Of the plan; of the run, and its timeline; the timeline that was asked for.
    assert len(pictures) == 4
    for picture in pictures:
        kind, _, data = str(picture["src"]).partition(",")
        assert kind == "data:image/svg+xml"
        assert ElementTree.fromstring(unquote(data)).tag.endswith("svg")
        assert len(str(picture["alt"])) > 20


def test_our_own_html_has_nothing_that_a_page_of_strangers_would_strip(
    shown: list[dict[str, Any]],
):
    for bundle in shown:
        names = Pictures(bundle["text/html"]).names
        assert not names & {"script", "style", "svg", "iframe", "link", "button", "input", "form"}
        assert "\n" not in bundle["text/html"]


def test_markdown_keeps_each_record_on_a_line_of_html(notebook: nbformat.NotebookNode):
    text, resources = nbconvert.MarkdownExporter().from_notebook_node(notebook)
    assert sum(line.startswith("<div") for line in text.splitlines()) == 5
    for said in SAID:
        assert said in text
    assert resources["outputs"] == {}


def test_latex_has_the_plain_text(notebook: nbformat.NotebookNode):
    source, _ = nbconvert.LatexExporter().from_notebook_node(notebook)
    for said in ("Amazon grew faster.", "Result:", "Timeline: 1 step"):
        assert said in source


def test_a_script_is_python_that_calls_the_same(notebook: nbformat.NotebookNode):
    source, _ = nbconvert.PythonExporter().from_notebook_node(notebook)
    compile(source, "notebook.py", "exec")
    calls = re.findall(r"get_ipython\(\)\.run_line_magic\('portia', 'show'\)", source)
    assert len(calls) == 5


def test_plain_text_says_the_same_as_html_says(shown: list[dict[str, Any]]):
    for said in SAID:
        assert said in shown[1]["text/plain"]
    assert "The two runs are the same" in shown[2]["text/plain"]
    assert "Timeline: 1 step" in shown[3]["text/plain"]
