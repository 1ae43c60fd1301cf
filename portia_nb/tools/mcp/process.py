"""A server program: started without a shell, spoken to in lines, ended with all that it started.

The `mcp` package has a transport of its own for this. Ours adds what a hostile or broken server
makes necessary: a longest message, the last words on its standard error for our messages, and an
end that takes its children too, also where the program itself left in good order.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from .configs import StdioMcpClientConfig

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""Longest message of a server; one that says more at once is lost."""
GRACE_S = 1.0
_LAST_WORDS_BYTES = 2_000
_LAST_WORDS_S = 0.2
_SHOWN_BYTES = 100
_POLL_S = 0.02
_HAS_GROUPS = os.name == "posix"
_INHERITED = frozenset(
    {
        *("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"),
        *("APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATHEXT", "PROGRAMDATA"),
        *("PROGRAMFILES", "PROCESSOR_ARCHITECTURE", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP"),
        *("USERNAME", "USERPROFILE", "WINDIR"),
    }
)


class ServerProcess:
    """What is known of a server's program from outside of its loop."""

    def __init__(self) -> None:
        self.pid: int | None = None
        """Of the program while it lives; also the number of its process group."""
        self.unreadable = b""
        """The begin of the last line that was no message, where there was one."""
        self._last_words = b""

    @property
    def last_words(self) -> str:
        """The end of what it wrote to its standard error, in one line."""
        return _one_line(self._last_words)[-200:]

    @property
    def remarks(self) -> str:
        """What may explain its behaviour, to end a message with; "" where nothing does."""
        words, odd = self.last_words, _one_line(self.unreadable)
        return (f"; it wrote what is no message: {odd!r}" if odd else "") + (
            f"; its last words: {words}" if words else ""
        )

    def hear(self, data: bytes) -> None:
        """Keep the end of its standard error."""
        self._last_words = (self._last_words + data)[-_LAST_WORDS_BYTES:]

    def signal(self, number: int) -> None:
        """Send a signal to the program and all that it started."""
        if self.pid is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if _HAS_GROUPS:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the program and all that it started at once; safe from any thread."""
        self.signal(signal.SIGKILL if _HAS_GROUPS else signal.SIGTERM)


def _one_line(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def scrubbed_environment(given: dict[str, str] | None) -> dict[str, str]:
    """Return what a server sees of the environment: what every program needs, and `given`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name.upper() in _INHERITED or name.startswith("LC_")) and not value.startswith("()")
    }
    return {**kept, **(given or {})}


@asynccontextmanager
async def server_process(
    config: StdioMcpClientConfig, known: ServerProcess, on_end: Callable[[], None]
) -> AsyncGenerator[tuple[Any, Any]]:
    """Start the server's program and yield the streams that a session reads from and writes to.

    Args:
        config: the program.
        known: told the program's id and its last words.
        on_end: called once when it says no more.

    Raises:
        OSError: it can't be started.
    """
    import anyio

    environment = scrubbed_environment(config.env)
    program = shutil.which(config.command, path=environment.get("PATH"))
    if program is None:
        raise FileNotFoundError(f"there is no program {config.command!r:.200} on the PATH")
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    process = await asyncio.create_subprocess_exec(
        program,
        *config.args,
        **pipes,  # pyright: ignore[reportArgumentType]
        env=environment,
        cwd=config.cwd,
        limit=MAX_MESSAGE_BYTES,
        start_new_session=_HAS_GROUPS,
    )
    known.pid = process.pid
    to_session, incoming = anyio.create_memory_object_stream[Any](0)
    outgoing, from_session = anyio.create_memory_object_stream[Any](0)
    speech = _Speech(process, config, known)
    listening = asyncio.create_task(speech.listen())
    tasks = [
        listening,
        asyncio.create_task(speech.write(from_session)),
        asyncio.create_task(speech.read(to_session, on_end, listening)),
    ]
    try:
        yield incoming, outgoing
    finally:
        await _end(process, known)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (to_session, incoming, outgoing, from_session):
            stream.close()


class _Speech:
    """The three pipes of a program."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        config: StdioMcpClientConfig,
        known: ServerProcess,
    ) -> None:
        self._process = process
        self._known = known
        self._encoding = config.encoding
        self._errors = config.encoding_error_handler
        self._parse = _message_parser()

    async def read(
        self, to_session: Any, on_end: Callable[[], None], listening: asyncio.Task[None]
    ) -> None:
        """Pass on each line that is a message, until the program says no more."""
        from anyio import BrokenResourceError, ClosedResourceError

        assert self._process.stdout is not None
        # ValueError: a line longer than the limit. What follows can't be understood any more.
        try:
            with suppress(ValueError, ConnectionError, BrokenResourceError, ClosedResourceError):
                while line := await self._process.stdout.readline():
                    message = self._message(line)
                    if message is not None:
                        await to_session.send(message)
            # Its last words belong into the error that the end of this stream becomes.
            await asyncio.wait({listening}, timeout=_LAST_WORDS_S)
        finally:
            to_session.close()
            on_end()

    async def write(self, from_session: Any) -> None:
        """Write each message of the session as a line."""
        assert self._process.stdin is not None
        # A program that is gone is noticed by its silence.
        with suppress(ConnectionError, RuntimeError):
            async for sent in from_session:
                text = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                self._process.stdin.write(text.encode(self._encoding, self._errors) + b"\n")
                await self._process.stdin.drain()

    async def listen(self) -> None:
        """Keep its standard error from filling up."""
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(65_536):
            self._known.hear(data)

    def _message(self, line: bytes) -> Any:
        """Return a line as a message; None: it is none, e.g. a print that went astray."""
        from mcp.shared.message import SessionMessage

        try:
            return SessionMessage(self._parse(line.decode(self._encoding, self._errors)))
        except ValueError:
            self._known.unreadable = line[:_SHOWN_BYTES]
            return None


def _message_parser() -> Callable[[str], Any]:
    from mcp import types

    known: Any = types
    adapter = getattr(known, "jsonrpc_message_adapter", None)
    if adapter is None:  # mcp 1.x
        return known.JSONRPCMessage.model_validate_json
    return lambda text: adapter.validate_json(text, by_name=False)


async def _end(process: asyncio.subprocess.Process, known: ServerProcess) -> None:
    """Close the program's input, then ask it, then make it: at most three times `GRACE_S`."""
    if process.stdin is not None:
        process.stdin.close()
    if not await _has_ended(process):
        known.signal(signal.SIGTERM)
        if not await _has_ended(process):
            known.kill()
            await _has_ended(process)
    # Also where it left by itself: what it started may live on in its group.
    known.kill()
    known.pid = None
    # A child that left the group may hold the pipes open for ever; nothing public closes our ends.
    transport: Any = getattr(process, "_transport", None)
    if transport is not None:
        with suppress(PermissionError):
            transport.close()
    if sys.version_info < (3, 12):
        await asyncio.sleep(0)  # the transport is closed by a callback


async def _has_ended(process: asyncio.subprocess.Process) -> bool:
    # Not process.wait(): it also waits for pipes that a child of the program may hold open.
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE_S
    while process.returncode is None and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)
    return process.returncode is not None
