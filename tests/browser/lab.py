"""JupyterLab and Notebook 7 on loopback, and a notebook in a real browser, for tests to drive.

What is waited for here was learned from flakes: a `Run All` that is sent before the kernel's
websocket stands is lost without a word, and the status icon may say Idle while a cell runs.
"""

import contextlib
import json
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nbformat
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    async_playwright,
    expect,
)

from scripts.chromium import REMEDY, find_chromium
from tests.environment import public_environment

App = Literal["lab", "notebook"]

START_S = 60
READY_S = 60
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # Chromium's own sandbox refuses root, which containers run as
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}

# Where the kernel of the notebook in front is, by JupyterLab's own word.
CONTEXT = "window.jupyterapp?.shell.currentWidget?.sessionContext"
KERNEL_IS_READY = f"""() => {{
  const context = {CONTEXT};
  const kernel = context?.session?.kernel;
  return Boolean(
    kernel && context.isReady && kernel.connectionStatus === 'connected' && kernel.status === 'idle'
  );
}}"""
KERNEL_ANSWERS = f"""async () => {{
  const kernel = {CONTEXT}.session.kernel;
  const late = () => new Promise((_, refuse) => setTimeout(refuse, 5000, new Error('no answer')));
  // The wait for one reply has no end of its own, should that reply be lost.
  for (let more = 6; more >= 0; more--) {{
    try {{
      return void await Promise.race([kernel.requestKernelInfo(), late()]);
    }} catch (error) {{
      if (!more) throw error;
    }}
  }}
}}"""


@dataclass(frozen=True)
class Server:
    """A running Jupyter server and the folder that it serves."""

    app: App
    url: str
    token: str
    root: Path

    def address(self, notebook: Path) -> str:
        """Return the page of `notebook`, a path below `root`."""
        place = notebook.relative_to(self.root).as_posix()
        if self.app == "notebook":
            return f"{self.url}notebooks/{place}?token={self.token}"
        # A workspace of its own, so that no other test's tabs are restored.
        space = f"auto-{secrets.token_hex(4)}"
        return f"{self.url}doc/workspaces/{space}/tree/{place}?token={self.token}&reset"

    def request(self, path: str, method: str = "GET") -> object:
        """Call the server's REST API; return the JSON it answers, None if it answers nothing."""
        request = urllib.request.Request(
            f"{self.url}api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            body = response.read()
        return json.loads(body) if body else None

    def stop_kernels(self) -> None:
        """End every session of the server, and its kernel with it."""
        for session in self.request("sessions"):  # type: ignore[attr-defined]
            with contextlib.suppress(urllib.error.HTTPError):
                self.request(f"sessions/{session['id']}", method="DELETE")


def wait_for_address(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """Return the address that the server has written down, once it answers there."""
    deadline = time.monotonic() + START_S
    note = runtime / f"jpserver-{process.pid}.json"
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(note.read_text("utf-8"))
            query = f"{told['url']}api?token={told['token']}"
            with urllib.request.urlopen(query, timeout=2):
                return told["url"]
        time.sleep(0.05)
    raise RuntimeError(f"Jupyter didn't start in {START_S} s; its log ends:\n{tail(log)}")


def tail(log: Path) -> str:
    """Return the end of a log file."""
    return log.read_text("utf-8", errors="replace")[-4000:]


@contextlib.contextmanager
def serve(app: App, folder: Path, kernels: Path | None = None) -> Iterator[Server]:
    """Start a server that knows nothing of this machine's settings, keys and kernels.

    Its kernel is the Python that runs the tests, beside those that `kernels`, a folder for
    JUPYTER_PATH, names. All that it keeps is in `folder`; notebooks belong below its `root`.
    """
    root, config, runtime = folder / "root", folder / "config", folder / "runtime"
    for each in (root, config, runtime):
        each.mkdir(parents=True)
    for plugin, values in SETTINGS.items():
        package, name = plugin.split(":")
        place = config / "settings" / package / f"{name}.jupyterlab-settings"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(values))
    environment = {
        **public_environment(),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(config / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        **({} if kernels is None else {"JUPYTER_PATH": str(kernels)}),
    }
    token = secrets.token_hex(16)
    exposer = "LabApp" if app == "lab" else "JupyterNotebookApp"
    command = [
        sys.executable, "-m", "jupyterlab" if app == "lab" else "notebook",
        "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}",
        f"--{exposer}.expose_app_in_browser=True", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        url = wait_for_address(process, runtime, log)
        server = Server(app, url, token, root)
        yield server
        server.stop_kernels()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a headless Chromium.

    Raises:
        RuntimeError: there is none on this machine; the message says how to install one.
    """
    program = find_chromium()
    if program is None:
        raise RuntimeError(f"no Chromium for the browser tests: {REMEDY}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=CHROMIUM_OPTIONS, headless=True
        )
        yield browser
        await browser.close()


def write_notebook(path: Path, cells: Sequence[str] | Path, kernel: str = "python3") -> Path:
    """Write a notebook to `path`, which is returned.

    Args:
        path: where; folders that are missing are made.
        cells: the sources of code cells for `kernel`, or a notebook to copy.
        kernel: the name of a kernel that the server knows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(cells, Path):
        path.write_bytes(cells.read_bytes())
        return path
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel}
    nbformat.write(notebook, path)
    return path


@dataclass
class NotebookPage:
    """A notebook in the browser. Cells count from 0, as in the file."""

    page: Page
    server: Server
    path: Path
    """The notebook's file; its folder is the kernel's working folder."""
    errors: list[str] = field(default_factory=list)
    """Uncaught and logged errors of our own code; the front ends have theirs."""
    outside_requests: list[str] = field(default_factory=list)
    """Addresses, other than the server's, that the page asked for."""

    def watch(self) -> None:
        """Begin to note errors and requests."""
        self.page.on("pageerror", self._note_error)
        self.page.on("console", self._note_logged)
        self.page.on("request", self._note_request)

    def _note_error(self, error: Error) -> None:
        stack = error.stack or error.message
        # The extension is served from a folder of its name, the widget's module from a blob.
        if "portia-nb" in stack or "blob:" in stack:
            self.errors.append(stack)

    def _note_logged(self, message: ConsoleMessage) -> None:
        place = f"{message.location.get('url', '')} {message.text}"
        if message.type == "error" and ("portia-nb" in place or "blob:" in place):
            self.errors.append(place)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.outside_requests.append(request.url)

    async def wait_until_ready(self) -> None:
        """Wait until the kernel has said, to this page, that it is there."""
        await self.page.wait_for_function(KERNEL_IS_READY, timeout=READY_S * 1000)
        await self.page.evaluate(KERNEL_ANSWERS)

    async def command(self, name: str, **args: object) -> None:
        """Start one of JupyterLab's commands; doesn't wait for its end."""
        await self.page.evaluate(
            "([name, args]) => { void window.jupyterapp.commands.execute(name, args); }",
            [name, args],
        )

    async def run_all(self) -> None:
        """Choose `Run All Cells`; returns while they run."""
        await self.command("notebook:run-all-cells")

    async def run_cell(self, index: int) -> None:
        """Run one cell; returns while it runs."""
        # In one go: between two, a focus that moves would choose another cell.
        await self.page.evaluate(
            "i => { const { commands, shell } = window.jupyterapp;"
            " shell.currentWidget.content.activeCellIndex = i;"
            " void commands.execute('notebook:run-cell'); }",
            index,
        )

    async def interrupt(self) -> None:
        """Choose ■, Interrupt Kernel."""
        await self.command("notebook:interrupt-kernel")

    async def save(self) -> None:
        """Save the notebook to its file, and wait until it is there."""
        await self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    async def set_theme(self, name: Literal["light", "dark"]) -> None:
        """Change the page's theme, and wait until it is drawn."""
        theme = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[name]
        await self.command("apputils:change-theme", theme=theme)
        shown = "true" if name == "light" else "false"
        # Attached, not visible: the body itself has no height there.
        await self.page.wait_for_selector(f'body[data-jp-theme-light="{shown}"]', state="attached")
        # JupyterLab covers the page with its splash while it changes.
        await self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def cell(self, index: int) -> Locator:
        """Return the cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """Return all that the cell has put out."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def prompt(self, index: int) -> Locator:
        """Return the cell's prompt: `[ ]:`, `[*]:` while it waits or runs, then `[3]:`."""
        return self.cell(index).locator(".jp-InputPrompt")

    async def wait_until_running(self, index: int) -> None:
        """Wait until the cell runs, or waits for its turn."""
        await expect(self.prompt(index)).to_have_text("[*]:")

    async def wait_until_done(self, index: int, timeout_s: float = 30) -> None:
        """Wait until the cell has ended, well or badly."""
        await expect(self.prompt(index)).to_have_text(
            re.compile(r"\[\d+\]:"), timeout=timeout_s * 1000
        )

    async def text(self, index: int) -> str:
        """Return the text that the cell has put out, as a reader sees it, once there is some.

        A cell's number may stand before its output is drawn: the two come over channels of their
        own, and JupyterLab draws text when it has time.
        """
        outputs = self.output(index).locator(".jp-OutputArea-output")
        await expect(outputs.filter(has_text=re.compile(r"\S")).first).to_be_attached()
        return "\n".join(await outputs.all_inner_texts())

    async def expect_text(self, index: int, text: str) -> None:
        """Wait until the text that the cell has put out is `text`, but for space around it."""
        whole = re.compile(rf"^\s*{re.escape(text)}\s*$")
        await expect(self.output(index).locator(".jp-OutputArea-output")).to_have_text([whole])


@contextlib.asynccontextmanager
async def open_page(
    browser: Browser, server: Server, path: Path, *, wait: bool = True
) -> AsyncIterator[NotebookPage]:
    """Open the notebook at `path`, a file below `server.root`, in a fresh browser context.

    With `wait`, the kernel is ready when this returns. At the end the page is closed and every
    kernel of the server ended.
    """
    context = await browser.new_context(viewport={"width": 1280, "height": 1000})
    page = await context.new_page()
    page.set_default_timeout(20_000)
    opened = NotebookPage(page, server, path)
    opened.watch()
    try:
        await page.goto(server.address(path))
        await page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=READY_S * 1000)
        if wait:
            await opened.wait_until_ready()
        yield opened
    finally:
        await context.close()
        server.stop_kernels()
