import json
import re
from html.parser import HTMLParser
from typing import Any

import nbconvert
import nbformat
import pytest

from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ErrorRecord,
    RunCompleted,
    RunFailed,
    RunWaiting,
    StepDone,
    StepFailed,
    StepStarted,
)
from portia_nb.model.plan import Plan
from portia_nb.notebook.static_record import PLAN_MIME, RUN_MIME, plan_bundle, run_bundle
from tests.notebook.stories import chain, told, two_searches

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/beacon.png)",
    "\n\n![x](https://evil.example/beacon.png)\n\n<script>alert(1)</script>\n",
    "\n\n# heading\n\n[ref]: https://evil.example\n",
    "</pre></div><iframe src=https://evil.example>",
    "$\\href{javascript:alert(1)}{x}$ and $$x$$ \\(y\\) \\[z\\]",
    "{{ 7*7 }} ${7*7} %%portia",
    "<!-- --><!DOCTYPE x [<!ENTITY e 'x'>]>&e;",
    "]]><script>alert(1)</script>",
    "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07",
    "/etc/hostname",
    "https://evil.example/x.png",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


class Tags(HTMLParser):
    """Collects the elements, attributes and text of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


ALLOWED = {
    *("div", "p", "b", "i", "br", "ol", "li", "pre", "img", "details", "summary", "span"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def finished() -> dict[str, Any]:
    events = [
        StepStarted("amazon"),
        StepDone("amazon", 1, [{"year": 2024, "growth": "44 %"}]),
        StepStarted("google"),
        StepDone("google", 1, {"growth": 0.355}),
        StepStarted("faster"),
        StepDone("faster", 1, "Amazon grew faster.", "Amazon."),
        RunCompleted("faster"),
    ]
    return run_bundle(told(two_searches(), events))


def test_a_finished_run_says_the_same_in_html_and_in_plain_text():
    bundle = finished()
    assert list(bundle) == ["text/html", "text/plain", RUN_MIME]
    html = Tags(bundle["text/html"]).text
    for said in ("✓ done", "Which stock price", "3 of 3 steps", "3.5 s", "Amazon grew faster.",
                 "search_tool", "0.355", "44 %", "Search for Google."):  # fmt: skip
        assert said in html and said in bundle["text/plain"]


def test_the_plain_text_of_a_run_reads_well():
    assert (
        finished()["text/plain"]
        == """\
✓ done: Which stock price grew faster, Amazon or Google? (3 of 3 steps, 3.5 s)
Result:
  Amazon.
  Amazon grew faster.
 1 ✓ done  amazon  [search_tool]  0.5 s
     Search for Amazon.
     → year  growth
       2024  44 %
 2 ✓ done  google  [search_tool]  0.5 s
     Search for Google.
     → {
         "growth": 0.355
       }
 3 ✓ done  faster  [model]  0.5 s
     Compare both.
     → Amazon.
       Amazon grew faster.
Run a step again, in a new run: %portia fork prun-18d9aa91-0066-413f-af32-b979bce89821 STEP"""
    )


def test_a_failed_run_says_what_failed_and_what_goes_on():
    error = ErrorRecord("ToolHardError", "no network", "google")
    run = told(
        two_searches(), [StepStarted("google"), StepFailed("google", 1, error), RunFailed(error)]
    )
    bundle = run_bundle(run)
    for text in (Tags(bundle["text/html"]).text, bundle["text/plain"]):
        assert "ToolHardError in step google" in text and "no network" in text
        assert f"%portia resume {run.id}" in text


def test_an_image_is_in_the_html_for_front_ends_without_the_extension_and_named_in_the_text():
    image = b"\x89PNG\r\n\x1a\n" + bytes(90)
    bundle = run_bundle(told(two_searches(), [StepDone("amazon", 1, image)]))
    [shown] = [a for tag, a in Tags(bundle["text/html"]).elements if "PNG" in str(a.get("alt"))]
    assert str(shown["src"]).startswith("data:image/png;base64,iVBORw0KGgo")
    assert "[PNG image, 0.1 kB]" in bundle["text/plain"]


def test_a_step_that_was_tried_again_tells_why_it_failed_before_in_every_form():
    errors = [ErrorRecord("TimeoutError", f"after {n} s", "google") for n in (5, 9)]
    events = [StepFailed("google", n, error, 1.0) for n, error in enumerate(errors, 1)]
    bundle = run_bundle(told(two_searches(), [*events, StepDone("google", 3, "fine")]))
    for text in (Tags(bundle["text/html"]).text, bundle["text/plain"]):
        assert "failed before: TimeoutError: after 5 s" in text and "after 9 s" in text


def test_a_run_that_waits_shows_its_question():
    question = InputClarification(user_guidance="Which year?")
    bundle = run_bundle(
        told(two_searches(), [ClarificationRaised("google", question), RunWaiting()])
    )
    assert "needs you Which year?" in Tags(bundle["text/html"]).text
    assert "? needs you: Which year?" in bundle["text/plain"]


def test_a_plan_is_shown_with_its_picture_and_steps():
    bundle = plan_bundle(two_searches())
    elements = Tags(bundle["text/html"]).elements
    (image,) = [attributes for tag, attributes in elements if tag == "img"]
    assert str(image["src"]).startswith("data:image/svg+xml,") and "amazon" in str(image["alt"])
    assert sum(tag == "li" for tag, _ in elements) == 3
    assert bundle[PLAN_MIME]["kind"] == "plan"
    json.dumps(bundle, allow_nan=False)


def hostile(payload: str) -> dict[str, Any]:
    plan = Plan.model_validate(
        {
            "plan_context": {"query": payload},
            "steps": [
                {"task": payload, "name": "a" + payload, "tool_id": payload, "condition": payload},
                {"task": payload, "name": "b" + payload, "tool_id": "t"},
            ],
        }
    )
    first, second = (step.name for step in plan.steps)
    error = ErrorRecord(payload, payload, payload, payload)
    events = [
        StepDone(first, 1, [{payload: payload, "second": payload}], payload),
        StepDone(second, 1, payload),
        ClarificationRaised(second, InputClarification(user_guidance=payload)),
        StepFailed(second, 1, error),
        RunFailed(error),
    ]
    return run_bundle(told(plan, events))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_an_element_or_an_address(payload: str):
    html = hostile(payload)["text/html"]
    for tag, attributes in Tags(html).elements:
        assert tag in ALLOWED
        assert set(attributes) <= {"class", "src", "alt", "style", "value", "scope"}
        assert attributes.get("style") in (None, "white-space:pre-wrap", "max-width:100%")
        assert str(attributes.get("src", "data:image/svg+xml,")).startswith("data:image/svg+xml,")
    assert "\n" not in html


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_gets_out_of_nbconvert(payload: str):
    output = nbformat.v4.new_output("display_data", data=hostile(payload))
    cell = nbformat.v4.new_code_cell("%%portia\nquery", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    markdown, _ = nbconvert.MarkdownExporter().from_notebook_node(notebook)
    (line,) = [line for line in markdown.splitlines() if "portia-record" in line]
    # All of it on the line that begins the HTML block: nothing of it is read as Markdown.
    assert line.startswith("<div") and line.endswith("</div>")
    after = markdown.split(line)[1]
    assert not after.strip()


def test_nothing_is_typeset_as_mathematics():
    html = hostile("costs $5 and $6 \\(x\\)")["text/html"]
    outside = re.sub(r"<pre.*?</pre>", "", html)
    outside = re.sub(r"<img[^>]*>", "", outside)
    for piece in re.split(r"<[^>]*>", outside):
        assert piece.count("$") + piece.count("\\") <= 1


OUTPUTS = {
    "text": "<b>x & y</b> " * 300,
    "json": {"cities": [{"name": f"c{i}", "size": i} for i in range(90)]},
    "image": b"\x89PNG\r\n\x1a\n" + bytes(5_000),
}


@pytest.mark.parametrize("value", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("done", [0, 250, 500])
def test_a_bundle_of_500_steps_is_under_200_kb(done: int, value: Any):
    plan = chain(500, task="Search for the latest growth data of one company and note it.")
    events = [StepDone(step.name, 1, value) for step in plan.steps[:done]]
    bundle = run_bundle(told(plan, events))
    assert len(json.dumps(bundle, ensure_ascii=False).encode()) < 200_000
    assert "step_499" in bundle["text/html"] and "step_499" in bundle["text/plain"]


def test_a_large_finished_run_is_folded_in_list_and_text():
    plan = chain(200)
    bundle = run_bundle(told(plan, [StepDone(step.name, 1) for step in plan.steps]))
    assert "steps 1 to 192 done: step_0 … step_191" in bundle["text/plain"]
    assert "steps 1 to 192 done: step_0 … step_191" in bundle["text/html"]
    assert "\n193 ✓ done  step_192" in bundle["text/plain"]


def test_a_name_that_is_a_file_is_shown_literally():
    bundle = hostile("/etc/hostname")
    assert "/etc/hostname" in bundle["text/plain"]
