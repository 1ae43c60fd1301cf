"""A real kernel in its own process, driven through jupyter_client."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.environment import public_environment
from tests.kernel.story import SETTING

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
TEST_TIMEOUT_S = 60


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder and give them time: a kernel takes a second to start."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.kernel)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


@dataclass
class Result:
    """What one cell answered."""

    status: str = ""
    ename: str = ""
    evalue: str = ""
    card: str = ""
    """The error as shown, colours removed."""
    out: str = ""
    err: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    """MIME bundles in order; an update replaces the bundle of its display id."""
    comms: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    shown: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(str(bundle.get("text/plain", "")) for bundle in self.displays)

    def raise_for_error(self) -> "Result":
        assert self.status == "ok", f"{self.ename}: {self.evalue}\n{self.card}\n{self.err}"
        return self


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Kernel:
    """A running kernel and one client of it."""

    def __init__(self, folder: Path, *, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._early: dict[str, list[dict[str, Any]]] = {}
        self.manager = KernelManager(kernel_name="python3")
        # The interpreter that runs the tests, whatever kernel specs this machine has.
        self.manager.kernel_spec.argv[0] = os.environ.get("PORTIA_TEST_KERNEL", sys.executable)
        self.manager.start_kernel(
            cwd=str(folder),
            env={**public_environment(), "PYTHONPATH": str(ROOT), **(environment or {})},
        )
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    @property
    def pid(self) -> int:
        return self.manager.provisioner.process.pid

    def send(self, code: str, *, allow_stdin: bool = False) -> str:
        return self.client.execute(code, allow_stdin=allow_stdin, store_history=True)

    def run(
        self,
        code: str,
        *,
        answers: list[str] | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
        timeout_s: float = 20,
    ) -> Result:
        """Run a cell to its end; `answers` (None: stdin isn't allowed) are typed when asked."""
        sent = self.send(code, allow_stdin=answers is not None)
        return self.finish(sent, answers=answers, on_message=on_message, timeout_s=timeout_s)

    def finish(
        self,
        sent: str,
        *,
        answers: list[str] | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
        timeout_s: float = 20,
    ) -> Result:
        result, started = Result(), time.monotonic()
        left = list(answers or [])
        idle = replied = False
        for message in self._early.pop(sent, []):
            if message["channel"] == "shell":
                result.status, replied = message["content"]["status"], True
            else:
                idle = idle or self._note(message, result)
        while not (idle and replied):
            if time.monotonic() - started > timeout_s:
                raise TimeoutError(f"the cell is still running; so far: {result}")
            if answers is not None and self.client.stdin_channel.msg_ready():
                question = self.client.get_stdin_msg(timeout=1)
                result.out += f"[{question['content']['prompt']}]\n"
                self.client.input(left.pop(0))
            while self.client.shell_channel.msg_ready():
                reply = self.client.get_shell_msg(timeout=1)
                if self._is_for(sent, reply, "shell"):
                    result.status, replied = reply["content"]["status"], True
            if not self.client.iopub_channel.socket.poll(50):
                continue
            message = self.client.get_iopub_msg(timeout=1)
            if on_message:
                on_message(message)
            if self._is_for(sent, message, "iopub"):
                idle = idle or self._note(message, result)
        result.seconds = time.monotonic() - started
        return result

    def _is_for(self, sent: str, message: dict[str, Any], channel: str) -> bool:
        """Tell whether a message answers the cell `sent`; others are kept for their own cell."""
        parent = message["parent_header"].get("msg_id")
        if parent != sent and parent is not None:
            self._early.setdefault(parent, []).append({**message, "channel": channel})
        return parent == sent

    def _note(self, message: dict[str, Any], result: Result) -> bool:
        content = message["content"]
        match message["header"]["msg_type"]:
            case "stream" if content["name"] == "stdout":
                result.out += content["text"]
            case "stream":
                result.err += content["text"]
            case "error":
                result.ename, result.evalue = content["ename"], content["evalue"]
                result.card = without_colours("\n".join(content["traceback"]))
            case "display_data" | "execute_result":
                shown = content.get("transient", {}).get("display_id")
                if shown:
                    result.shown[shown] = len(result.displays)
                result.displays.append(content["data"])
            case "update_display_data":
                place = result.shown.get(content["transient"]["display_id"])
                if place is not None:
                    result.displays[place] = content["data"]
            case "comm_open" | "comm_msg" | "comm_close":
                result.comms.append({"type": message["header"]["msg_type"], **content})
            case "status":
                return content["execution_state"] == "idle"
        return False

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the kernel, by way of JSON."""
        done = self.run(f"import json as _json; print(_json.dumps({expression}))").raise_for_error()
        return json.loads(done.out)

    def send_comm(self, comm_id: str, data: dict[str, Any]) -> None:
        """Send what a widget in a page would send."""
        session = self.client.session
        message = session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        self.client.shell_channel.send(message)

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def kill_9(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.manager.provisioner.process.wait()
        self.client.stop_channels()

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Return a function that starts a kernel in a project folder; all are ended with the test."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
    started: list[Kernel] = []

    def start(**options: Any) -> Kernel:
        started.append(Kernel(tmp_path, **options))
        return started[-1]

    yield start
    for kernel in started:
        kernel.close()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Return one kernel for all tests of a module, with the extension loaded."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
    shared = Kernel(folder)
    shared.run("%load_ext portia_nb").raise_for_error()
    shared.run(SETTING).raise_for_error()
    shared.run("%config PortiaMagics.form_time_s = 0.3").raise_for_error()
    yield shared
    shared.close()
