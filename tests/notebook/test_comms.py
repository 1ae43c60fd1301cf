"""The detour for comm messages, over a kernel that shows what the detour reaches for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from portia_nb.notebook import comms
from portia_nb.notebook.comms import Detour


class Stream:
    def __init__(self, callback: Callable[..., Any]) -> None:
        self._recv_callback = callback

    def on_recv(self, callback: Callable[..., Any], copy: bool) -> None:
        assert copy is False
        self._recv_callback = callback


class Session:
    def feed_identities(self, frames: list[bytes], copy: bool) -> tuple[list[bytes], list[bytes]]:
        return [], frames

    def unpack(self, header: bytes) -> Any:
        return json.loads(header)


class OldKernel:
    """As much of ipykernel 6 as the detour looks at."""

    def __init__(self) -> None:
        self.queued: list[Any] = []
        self.handled: list[Any] = []
        self.parents: list[Any] = []
        self.session = Session()
        self.shell_stream = Stream(self.queued.append)
        self.saved_sigint_handler = "the cell's"
        self._parent_ident = {"shell": b"cell"}
        self.fails = False

    def get_parent(self, channel: str) -> str:
        return "cell's message"

    def set_parent(self, ident: bytes, parent: Any, channel: str) -> None:
        self.parents.append((ident, parent))

    async def dispatch_shell(self, message: Any) -> None:
        self.saved_sigint_handler = "the comm's"
        self.handled.append(message)
        if self.fails:
            raise ValueError("a handler failed")

    def receive(self, message: Any) -> None:
        self.shell_stream._recv_callback(message)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> OldKernel:
    monkeypatch.setattr(comms, "_lets_comms_through", lambda: False)
    return OldKernel()


def message(kind: str) -> list[bytes]:
    return [b"signature", json.dumps({"msg_type": kind}).encode(), b"{}", b"{}", b"{}"]


async def test_only_comms_overtake_and_the_cell_keeps_its_outputs(kernel: OldKernel):
    click, request = message("comm_msg"), message("execute_request")
    theirs = kernel.shell_stream._recv_callback
    with Detour(kernel).open():
        kernel.receive(request)
        kernel.receive(click)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert kernel.handled == [click]
        assert kernel.queued == [request]
        assert kernel.parents == [(b"cell", "cell's message")]
        assert kernel.saved_sigint_handler == "the cell's"
    assert kernel.shell_stream._recv_callback == theirs
    kernel.receive(click)
    assert kernel.queued == [request, click]


async def test_overlapping_uses_end_with_the_last(kernel: OldKernel):
    detour, theirs = Detour(kernel), kernel.shell_stream._recv_callback
    first, second = detour.open(), detour.open()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert kernel.shell_stream._recv_callback != theirs
    second.__exit__(None, None, None)
    assert kernel.shell_stream._recv_callback == theirs


@pytest.mark.parametrize("frames", [[], [b"x"], [b"s", b"no json"], [b"s", b"[]"], [b"s", b"{}"]])
async def test_what_can_not_be_read_takes_the_kernels_own_way(
    kernel: OldKernel, frames: list[bytes]
):
    with Detour(kernel).open():
        kernel.receive(frames)
    assert kernel.queued == [frames]


async def test_a_failing_handler_leaves_cell_and_queue_in_order(
    kernel: OldKernel, caplog: pytest.LogCaptureFixture
):
    kernel.fails = True
    with Detour(kernel).open():
        kernel.receive(message("comm_msg"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert kernel.parents == [(b"cell", "cell's message")]
    assert "could not be handled" in caplog.text


def test_who_brings_a_click_is_told(kernel: OldKernel, monkeypatch: pytest.MonkeyPatch):
    assert Detour(None).delivery() == "none"
    assert Detour(kernel).delivery() == "detour"
    del kernel.shell_stream._recv_callback
    assert Detour(kernel).delivery() == "none"
    with Detour(kernel).open():
        pass
    monkeypatch.setattr(comms, "_lets_comms_through", lambda: True)
    assert Detour(kernel).delivery() == "kernel"
