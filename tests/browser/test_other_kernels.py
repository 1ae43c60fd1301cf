"""N14, N23, N34: questions on other kernels than ours; `make compat` tries all of them, in full."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from scripts.compat import DATA, SMOKE, problems_of
from tests.browser.lab import Server, open_page, serve, write_notebook
from tests.browser.questions_story import (
    CELLS,
    DOCTOR,
    FIRST,
    SLOW_MS,
    answered_by,
    choose,
    load_anew,
    run_above,
    rungs,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab server that knows the other kernels; `scripts/set_up.py` has made them."""
    with serve("lab", tmp_path_factory.mktemp("kernels"), kernels=DATA) as started:
        yield started


@pytest.mark.parametrize(
    ("kernel", "is_reloaded"), [(SMOKE[0], True), (SMOKE[1], False), ("python3", True)]
)
async def test_the_form_answers_on_each_kernel_as_doctor_says_and_after_the_page_was_loaded_anew(
    browser: Browser, server: Server, kernel: str, is_reloaded: bool
):
    """N14, N23, N34: the rung that doctor names is the one by which the answer came."""
    say, doctor = FIRST + 1, FIRST + 2
    path = server.root / kernel / "notebook.ipynb"
    write_notebook(path, [*CELLS[:doctor], DOCTOR], kernel)
    async with open_page(browser, server, path) as nb:
        await run_above(nb, say)
        form = nb.output(FIRST).locator("form")
        await expect(form).to_be_visible(timeout=SLOW_MS)
        if is_reloaded:
            await load_anew(nb)
            await expect(form).to_be_visible(timeout=SLOW_MS)
        await choose(form)
        await nb.wait_until_ready()
        await nb.run_cell(say)
        answered = await answered_by(nb, say)
        await nb.run_cell(doctor)
        named = await rungs(nb, doctor)
        if kernel in SMOKE:
            assert named["version"].startswith(kernel.removeprefix("ipykernel-") + ".")
        assert answered == "the form"
        seen = {"awaited": {"doctor": named["questions go to"], "answered": answered}}
        assert problems_of(seen) == []
