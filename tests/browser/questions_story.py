"""A notebook of questions, and how a person goes through it, on any kernel in any front end."""

import re
from typing import Any

from playwright.async_api import Locator, expect

from tests.browser.lab import NotebookPage

SLOW_MS = 45_000
SETTING = """
import time
import ipykernel
from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.notebook.rungs import standing
from portia_nb.notebook.doctor import abilities

portia = Portia(Config(default_log_level="ERROR"), tools=[])

def asking(label):
    builder = PlanBuilderV2(label)
    builder.user_input(message="Which city?", options=["Rome", "Oslo"], step_name="city")
    return builder.build()

one, two, three = asking("one"), asking("two"), asking("three")
long = PlanBuilderV2("long").function_step(function=lambda: time.sleep(60)).build()

def say(run):
    print(run.outputs["city"].value, "by", run.outputs.clarifications[-1].answered_by)
"""
DOCTOR = """
report = %portia doctor
print(ipykernel.__version__)
for found in report.findings:
    if found.what in ("questions go to", "elsewhere, to"):
        print(found.what, "=", found.found.partition(":")[0])
"""
CELLS = [
    "%load_ext portia_nb",
    SETTING,
    "%portia run one -o first",
    "say(first)",
    "if True:\n    %portia run two -o second",
    "say(second)",
    DOCTOR,
    "'the end of Run All'",
    "%portia run long",
    "print(6 * 7)",
    "%portia run three -o third",
    "say(third)",
]
FIRST, SECOND, SHOWN, END, LONG, AFTER, THIRD = 2, 4, 6, 7, 8, 9, 10


async def choose(place: Locator) -> None:
    """Answer the form in `place` by keyboard."""
    choice = place.get_by_label("Oslo")
    await choice.focus()
    await choice.press("Space")
    await choice.press("Enter")


async def answer(nb: NotebookPage, index: int) -> None:
    """Answer what cell `index` asks, by the form or by what `input()` has drawn."""
    form = nb.output(index).locator("form")
    typed = nb.cell(index).locator(".jp-Stdin-input")
    await expect(form.or_(typed).first).to_be_visible(timeout=SLOW_MS)
    if await form.count():
        await choose(form)
    else:
        await typed.fill("Oslo")
        await typed.press("Enter")


async def answered_by(nb: NotebookPage, index: int) -> str:
    """Return by which rung the run that cell `index` prints was answered, in doctor's words."""
    await nb.wait_until_done(index, timeout_s=SLOW_MS / 1000)
    said = nb.output(index).locator(".jp-OutputArea-output")
    await expect(said).to_have_text(re.compile(r"^\s*Oslo by (form|input\(\))\s*$"))
    by = (await said.inner_text()).rpartition(" by ")[2].strip()
    return {"form": "the form"}.get(by, by)


async def rungs(nb: NotebookPage, index: int) -> dict[str, str]:
    """Return what the cell with `DOCTOR` has printed, by name; the kernel's version too."""
    await nb.wait_until_done(index, timeout_s=SLOW_MS / 1000)
    said = nb.output(index).locator(".jp-OutputArea-output").filter(has_text="elsewhere, to =")
    await expect(said).to_have_count(1)
    version, *lines = (await said.inner_text()).split("\n")
    return {"version": version, **dict(line.split(" = ") for line in lines if " = " in line)}


async def ask_in_turn(nb: NotebookPage) -> dict[str, Any]:
    """Run all, answer as the cells ask, and return by which rungs the answers came."""
    await run_above(nb, LONG)
    await answer(nb, FIRST)
    awaited = await answered_by(nb, FIRST + 1)
    await answer(nb, SECOND)
    blocked = await answered_by(nb, SECOND + 1)
    named = await rungs(nb, SHOWN)
    return {
        "kernel_version": named["version"],
        "awaited": {"doctor": named["questions go to"], "answered": awaited},
        "blocked": {"doctor": named["elsewhere, to"], "answered": blocked},
        "next": True,
    }


async def run_above(nb: NotebookPage, index: int) -> None:
    """Choose `Run All Above Selected Cell` at a cell; returns while they run."""
    await nb.page.evaluate(
        "i => { const { commands, shell } = window.jupyterapp;"
        " shell.currentWidget.content.activeCellIndex = i;"
        " void commands.execute('notebook:run-all-above'); }",
        index,
    )


async def stop(nb: NotebookPage) -> bool:
    """Run the long plan, stop it with ■, and see that the kernel goes on."""
    await nb.wait_until_done(END)
    await nb.wait_until_ready()
    await nb.run_cell(LONG)
    await expect(nb.output(LONG)).to_contain_text("running", timeout=SLOW_MS)
    await nb.interrupt()
    await nb.wait_until_done(LONG)
    await expect(nb.output(LONG)).to_contain_text("%portia resume prun-")
    await nb.run_cell(AFTER)
    await nb.wait_until_done(AFTER)
    await nb.expect_text(AFTER, "42")
    return True


async def load_anew(nb: NotebookPage) -> None:
    """Save the notebook, and load its page anew; the kernel goes on."""
    await nb.save()
    await nb.page.reload()


async def reload(nb: NotebookPage) -> bool:
    """Load the page anew while a question stands, and tell whether its form can be answered."""
    await nb.run_cell(THIRD)
    form = nb.output(THIRD).locator("form")
    await expect(form).to_be_visible(timeout=SLOW_MS)
    await load_anew(nb)
    try:
        await expect(form).to_be_visible(timeout=SLOW_MS)
    except AssertionError:
        return False
    await choose(form)
    await nb.wait_until_ready()
    await nb.run_cell(THIRD + 1)
    return await answered_by(nb, THIRD + 1) == "the form"


async def play(nb: NotebookPage) -> dict[str, Any]:
    """Go through the whole notebook, and return what was seen."""
    seen = await ask_in_turn(nb)
    return seen | {"stops": await stop(nb), "reload": await reload(nb)}
