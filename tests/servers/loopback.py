"""Serve HTTP/1.1 on 127.0.0.1 from a background thread, and break it on purpose where asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

MAX_HEADER_BYTES = 64 * 1024
STOP_TIMEOUT_S = 5.0
TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class HttpRequest:
    """One request as it came in: header names are lower case, the body is whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at_s: float = field(default_factory=time.monotonic)
    """When it was read, in seconds of the monotonic clock."""


class Connection:
    """What a server may do with one open connection: answer well, badly, or not at all."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_open = True

    async def send(
        self,
        status: int,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        declared_length: int | None = None,
    ) -> None:
        """Send a whole answer; a `declared_length` above the body's leaves it cut off."""
        length = len(body) if declared_length is None else declared_length
        lines = {"content-type": content_type, "content-length": str(length), **(headers or {})}
        await self._write(_head(status, lines) + body)
        if length != len(body):
            self.close()

    async def send_json(
        self, status: int, value: Any, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send `value` as JSON."""
        await self.send(status, json.dumps(value, allow_nan=False).encode(), headers=headers)

    async def start_stream(self) -> None:
        """Begin a chunked answer of server-sent events."""
        lines = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        await self._write(_head(200, lines))

    async def send_chunk(self, data: bytes) -> None:
        """Send one chunk of a stream."""
        await self._write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end_stream(self) -> None:
        """End a stream as the protocol wants it; the connection can be used again."""
        await self._write(b"0\r\n\r\n")

    async def wait_for_client_to_leave(self, timeout_s: float) -> bool:
        """Say nothing for `timeout_s` seconds; true if the client hung up within them."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._reader.read(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def close(self) -> None:
        """Close without a further word."""
        self.is_open = False
        self._writer.close()

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        self.is_open = False
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


class LoopbackServer:
    """Base of the test servers: a context manager that serves from `__enter__` to `__exit__`.

    Subclasses write `answer`. What a request got wrong is collected in `violations`; leaving
    the block while some are left raises `AssertionError`, so that the test fails by itself.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.disconnects = 0
        self.most_at_once = 0
        self.port = 0
        self._at_once = 0
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    async def answer(self, request: HttpRequest, connection: Connection) -> None:
        """Answer one request."""
        raise NotImplementedError

    def take_violations(self) -> list[str]:
        """Return the violations so far and forget them (a test that expects some calls this)."""
        taken, self.violations = self.violations, []
        return taken

    @property
    def root_url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(STOP_TIMEOUT_S):
            raise RuntimeError(f"{type(self).__name__} didn't start in {STOP_TIMEOUT_S} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if kind is None and self.violations:
            listed = "\n".join(f"- {violation}" for violation in self.violations)
            raise AssertionError(f"{type(self).__name__} was sent malformed requests:\n{listed}")

    def stop(self) -> None:
        """Close every connection and end the thread; later connects are refused."""
        if self._thread.is_alive() and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                raise RuntimeError(f"{type(self).__name__} didn't stop in {STOP_TIMEOUT_S} s")

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=MAX_HEADER_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        try:
            start = await reader.read(1)
            if start == TLS_HANDSHAKE:
                await connection.send(400, b"plain HTTP is spoken here", content_type="text/plain")
                return
            while (request := await _read_request(reader, start)) is not None:
                start = b""
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    await self.answer(request, connection)
                finally:
                    self._at_once -= 1
                if not connection.is_open or request.headers.get("connection") == "close":
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.disconnects += 1
        except ValueError as error:
            self.violations.append(str(error))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader, start: bytes) -> HttpRequest | None:
    """Read one request that begins with `start`; None where the client hung up between requests."""
    try:
        head = start + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, version = first.split(" ")
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        raise ValueError(f"request line {first!r}: only HTTP/1.0 and 1.1 are spoken here")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    if "chunked" in headers.get("transfer-encoding", ""):
        body = await _read_chunked(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return HttpRequest(method, path, headers, body)


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
