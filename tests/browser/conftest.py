"""Fixtures for tests in a real browser.

All of them run on one event loop, the session's, since the browser lives there; so do the tests
in this folder, which this file sees to. They get 120 s each unless they say otherwise.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

import labextension
from tests.browser.lab import App, NotebookPage, Server, chromium, open_page, serve, write_notebook

OpenNotebook = Callable[..., Awaitable[NotebookPage]]

HERE = Path(__file__).parent
TEST_TIMEOUT_S = 120


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and put them last: what fails fast comes first."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.browser)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
        if isinstance(item, pytest_asyncio.plugin.PytestAsyncioFunction):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    items[:] = [item for item in items if item not in ours] + ours


@pytest.fixture(scope="session")
def built_labextension() -> None:
    """Build the labextension, if its sources changed."""
    labextension.build()


@pytest.fixture(scope="session")
def lab_server(
    built_labextension: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A JupyterLab server."""
    with serve("lab", tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def notebook_server(
    built_labextension: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A Notebook 7 server."""
    with serve("notebook", tmp_path_factory.mktemp("notebook")) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def open_notebook(
    browser: Browser, request: pytest.FixtureRequest
) -> AsyncIterator[OpenNotebook]:
    """Open notebooks: `nb = await open_notebook(cells, app="lab", wait=True)`.

    `cells` is a list of sources, or the path of a notebook, which is copied. Each test has a
    folder of its own, in which kernels start and runs are kept. Pages are closed at the end.
    """
    folder = re.sub(r"\W+", "-", request.node.name)[:60]
    async with AsyncExitStack() as stack:

        async def open_one(
            cells: Sequence[str] | Path, app: App = "lab", *, wait: bool = True
        ) -> NotebookPage:
            server: Server = request.getfixturevalue(f"{app}_server")
            path = write_notebook(server.root / folder / "notebook.ipynb", cells)
            return await stack.enter_async_context(open_page(browser, server, path, wait=wait))

        yield open_one


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """Return the folder for this test's pictures, `test-results/<test>`; git ignores it."""
    name = re.sub(r"\W+", "-", request.node.name)
    folder = request.config.rootpath / "test-results" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
