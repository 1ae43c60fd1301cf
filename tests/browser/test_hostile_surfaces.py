"""Hostile text in every place of a run, on every surface that shows it: nothing is executed.

One real run in JupyterLab holds every payload in every place. What it leaves behind (the saved
notebook, its conversions, the picture, the store) is then shown wherever people look at it.
"""

import json
import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mistune
import nbconvert
import nbformat
import pytest
import pytest_asyncio
from nbformat.sign import NotebookNotary
from playwright.async_api import Browser, Dialog, Page, Request, expect

from portia_nb.drawing.dot import plan_to_dot
from portia_nb.drawing.plan_svg import plan_to_svg
from portia_nb.notebook.static_record import PLAN_MIME, RUN_MIME
from portia_nb.notebook.view_picture import packed
from tests.browser.hostile_plan import SIGN, hostile_plan
from tests.browser.lab import Server, open_page, write_notebook
from tests.cli.command import portia_nb
from tests.drawing.hostile import PAYLOADS

ROOT = Path(__file__).parents[2]
NEVER_OURS = """script, iframe, object, embed, base, link, meta, video, math, foreignObject,
    [onload], [onerror], [onfocus], [ontoggle], [onbegin], [action], [srcdoc],
    a[href^='javascript' i], img:not([src^='data:image/svg+xml,'])"""
CELLS = [
    f"""
%load_ext portia_nb
import sys
sys.path.insert(0, {str(ROOT)!r})
from portia_nb import Config, Portia
from portia_nb.notebook.view_picture import packed
from tests.browser.hostile_plan import hostile_plan
portia = Portia(Config(default_log_level="ERROR"), tools=[])
""",
    "plan, failing = hostile_plan(), hostile_plan(fails=True)\nplan",
    "%portia run plan",
    "%portia run failing",
    "%portia why",
    "%portia runs",
    "%portia show",
]
PLAN, ASKING, FAILING, WHY, RUNS, SHOW = range(1, 7)
FORMS = {
    "the extension": [PLAN_MIME, RUN_MIME, "text/html", "text/plain"],
    "no extension": ["text/html", "text/plain"],
    "text": ["text/plain"],
}
# What somebody could write into a notebook that they send around: our own record, altered.
FORGED_PICTURES = [
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    '<svg xmlns="http://www.w3.org/2000/svg"><image href="https://evil.example/x.png"/></svg>',
    '<html xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="alert(1)"/></html>',
]
FORGED_QUESTION = {"id": "q", "kind": "action", "text": SIGN, "url": "javascript:alert(1)"}


@dataclass
class Watch:
    """What a page did that hostile text could have made it do."""

    page: Page
    own: tuple[str, ...]
    """How addresses begin that the page may ask for."""
    problems: list[str] = field(default_factory=list)

    def begin(self) -> "Watch":
        self.page.on("dialog", self._note_dialog)
        self.page.on("request", self._note_request)
        return self

    async def _note_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(("data:image/", "blob:", *self.own)):
            self.problems.append(f"request: {request.url}")

    async def look(self, within: str) -> None:
        """Note elements below `within` that we never draw, after what is there had its chance."""
        await self.page.evaluate("() => new Promise(resolve => setTimeout(resolve, 300))")
        self.problems += await self.page.evaluate(
            """([within, never]) => [...document.querySelectorAll(within)].flatMap(place =>
              [...place.querySelectorAll(never)].map(e => 'element: ' + e.outerHTML.slice(0, 200)))
            """,
            [within, NEVER_OURS],
        )


@dataclass(frozen=True)
class Played:
    """What the hostile runs left behind."""

    notebook: Path
    problems: list[str]
    """What went wrong while they ran."""
    cli_folder: Path


OUTPUTS = ".jp-Cell-outputArea"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(browser: Browser, lab_server: Server) -> AsyncIterator[Played]:
    """Two hostile runs in JupyterLab, one answered and complete, one failed, and saved."""
    path = write_notebook(lab_server.root / "hostile" / "run.ipynb", CELLS)
    (path.parent / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
    async with open_page(browser, lab_server, path) as nb:
        watch = Watch(nb.page, (lab_server.url,)).begin()
        for index in (0, PLAN):
            await nb.run_cell(index)
            await nb.wait_until_done(index)
        await nb.run_cell(ASKING)
        view = nb.output(ASKING).locator(".portia-view")
        choice = view.get_by_label(SIGN, exact=True)
        await expect(choice).to_be_visible(timeout=30_000)
        await expect(view.locator(".portia-guidance")).to_contain_text(SIGN)
        await watch.look(OUTPUTS)
        await choice.press("Space")
        await choice.press("Enter")
        await view.get_by_role("button", name="Yes, go on").click()
        await nb.wait_until_done(ASKING)
        for index in (FAILING, WHY, RUNS, SHOW):
            await nb.run_cell(index)
            await nb.wait_until_done(index)
        # Each row unfolded, as a curious reader would.
        for row in await nb.output(ASKING).locator(".portia-row").all():
            await row.evaluate("row => row.click()")
        await expect(nb.output(ASKING)).to_contain_text(SIGN)
        await expect(nb.output(FAILING)).to_contain_text("ValueError")
        await watch.look(OUTPUTS)
        await nb.save()
        yield Played(path, [*watch.problems, *nb.errors], path.parent)


async def test_nothing_is_executed_while_it_runs_and_in_the_record_of_the_same_page(played: Played):
    assert played.problems == []


def in_forms(path: Path) -> nbformat.NotebookNode:
    """Return the saved notebook with each of our outputs once in every form that it may have."""
    saved = nbformat.read(path, as_version=4)
    cells = []
    for form, mimes in FORMS.items():
        for cell in saved.cells:
            outputs = [
                nbformat.from_dict({**o, "data": {m: o.data[m] for m in mimes if m in o.data}})
                if "data" in o
                else o
                for o in cell.outputs
            ]
            cells.append(nbformat.v4.new_code_cell(f"# {form}", outputs=outputs))
    (record,) = [o.data for o in saved.cells[ASKING].outputs if RUN_MIME in o.get("data", {})]
    for picture in FORGED_PICTURES:
        forged = {**record[RUN_MIME], "picture": packed(picture), "questions": [FORGED_QUESTION]}
        data = {RUN_MIME: forged, "text/plain": SIGN}
        output = nbformat.v4.new_output("display_data", data)
        cells.append(nbformat.v4.new_code_cell("# forged", outputs=[output]))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "gone", "display_name": "Gone"}
    return notebook


@pytest.mark.parametrize("is_trusted", [False, True], ids=["untrusted", "trusted"])
async def test_nothing_is_executed_where_the_saved_notebook_is_opened(
    played: Played, browser: Browser, lab_server: Server, is_trusted: bool
):
    notebook = in_forms(played.notebook)
    path = played.notebook.with_name(f"stored-{is_trusted}.ipynb")
    notebook.metadata["copy"] = path.name  # two notebooks, of which only one is signed
    nbformat.write(notebook, path)
    if is_trusted:
        notary = NotebookNotary(data_dir=str(lab_server.root.parent / "data"))
        notary.sign(nbformat.read(path, as_version=4))
        notary.store.close()
    async with open_page(browser, lab_server, path, wait=False) as nb:
        watch = Watch(nb.page, (lab_server.url,)).begin()
        await nb.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()
        model = "window.jupyterapp.shell.currentWidget.content.model"
        assert await nb.page.evaluate(f"{model}.cells.get(1).trusted") is is_trusted
        for place in range(len(notebook.cells)):
            await nb.cell(place).scroll_into_view_if_needed()
        await expect(
            nb.output(ASKING).locator(".portia-stored .portia-picture svg")
        ).to_be_visible()
        for form in range(len(FORMS)):
            await expect(nb.output(form * len(CELLS) + ASKING)).to_contain_text(SIGN)
        for place in range(len(FORMS) * len(CELLS), len(notebook.cells)):
            await expect(nb.output(place).locator(".portia-stored")).to_contain_text(SIGN)
        await watch.look(OUTPUTS)
        assert watch.problems == []
        assert nb.errors == []


async def look_at(browser: Browser, file: Path, within: str) -> list[str]:
    """Open a file as a person does who double-clicks it, and return what went wrong."""
    page = await browser.new_page()
    try:
        watch = Watch(page, (file.as_uri(),)).begin()
        await page.goto(file.as_uri())
        await expect(page.locator(within).first).to_be_attached()
        await watch.look(within)
    finally:
        await page.close()
    return watch.problems


async def test_nothing_is_executed_in_what_nbconvert_makes_of_it(
    played: Played, browser: Browser, tmp_path: Path
):
    notebook = in_forms(played.notebook)
    # What nbconvert's own page loads from elsewhere is not ours to judge.
    html, _ = nbconvert.HTMLExporter(
        require_js_url="", jquery_url="", mathjax_url="", mermaid_js_url="", widget_renderer_url=""
    ).from_notebook_node(notebook)
    markdown, _ = nbconvert.MarkdownExporter().from_notebook_node(notebook)
    as_html, as_markdown = tmp_path / "nb.html", tmp_path / "nb.md.html"
    as_html.write_text(html, "utf-8", "replace")
    rendered = mistune.create_markdown(escape=False)(markdown)
    as_markdown.write_text(
        f'<!doctype html><meta charset="utf-8"><body>{rendered}', "utf-8", "replace"
    )
    assert await look_at(browser, as_html, ".jp-OutputArea-output") == []
    assert await look_at(browser, as_markdown, "body") == []


async def test_nothing_is_executed_in_the_picture_opened_as_a_file(
    browser: Browser, tmp_path: Path
):
    plan = hostile_plan()
    picture = tmp_path / "plan.svg"
    picture.write_text(plan_to_svg(plan), "utf-8", "replace")
    assert await look_at(browser, picture, "svg") == []
    dot = plan_to_dot(plan)
    assert not re.search(
        r"(?i)\b(URL|href|image|shapefile)\s*=", re.sub(r'"(\\.|[^"\\])*"', "", dot)
    )


def test_the_command_line_prints_no_control_characters(
    played: Played, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(played.cli_folder)
    listed = portia_nb("runs")
    runs = re.findall(r"prun-[0-9a-f-]{36}", listed.stdout)
    assert len(runs) == 2
    for done in (listed, *(portia_nb("show", run) for run in runs)):
        assert done.returncode == 0, done.stderr
        bad = {c for c in done.stdout + done.stderr if is_obeyed(c)}
        assert bad == set(), done.args
    assert SIGN in done.stdout


def is_obeyed(char: str) -> bool:
    """Tell whether a terminal would obey the character instead of showing it."""
    return (char != "\n" and unicodedata.category(char) in ("Cc", "Zl", "Zp")) or char in BIDI


BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def test_the_saved_notebook_holds_our_bundles_and_nothing_else(played: Played):
    notebook: Any = json.loads(played.notebook.read_text("utf-8"))
    assert "widgets" not in notebook["metadata"]
    for index in (PLAN, ASKING, FAILING):
        (bundle,) = [o["data"] for o in notebook["cells"][index]["outputs"] if "data" in o]
        assert set(bundle) - {PLAN_MIME, RUN_MIME} == {"text/html", "text/plain"}
        assert len(json.dumps(bundle, ensure_ascii=False).encode()) < 200_000
        for text in ("".join(bundle["text/html"]), "".join(bundle["text/plain"])):
            assert not any(is_obeyed(char) for char in text.replace("\t", " "))


async def test_the_watch_sees_what_it_is_for(browser: Browser, tmp_path: Path):
    page = tmp_path / "bad.html"
    page.write_text("<body>" + "".join(p for p in PAYLOADS if p.startswith("<img")), "utf-8")
    problems = await look_at(browser, page, "body")
    assert any(p.startswith("dialog: 1") for p in problems)
    assert any(p.startswith("request: https://evil.example") for p in problems)
    assert any(p.startswith("element: <img") for p in problems)
