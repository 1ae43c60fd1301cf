"""`run_program`: call another program from a tool, such that it never outlives the call.

A call of C code that holds the interpreter's lock, or a thread that hangs, can't be ended from
outside; a program can. So this is also the way for tools that may hang or crash.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from portia_nb.errors import ToolHardError

from .aside import at_giving_up, run_aside

MAX_OUTPUT_BYTES = 10 * 2**20
_SHOWN = 500
_DRAIN_S = 0.5
"""Seconds for what is left in the pipes; a child that left the group may hold them for ever."""
_GROUPS = os.name == "posix"
_WARDEN = Path(__file__).with_name("warden.py")


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended and what it wrote."""

    exit_code: int
    """0: well; negative: the number of the signal that ended it."""
    output: str
    """Its standard output."""
    errors: str
    """Its standard error."""


async def arun_program(
    command: Sequence[str | os.PathLike[str]],
    *,
    input: str | bytes = b"",  # noqa: A002 - the name that subprocess.run has for it
    timeout_s: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
) -> ProgramResult:
    """Await what `run_program` does; cancelled, it ends the program first."""
    return await run_aside(
        run_program,
        command,
        input=input,
        timeout_s=timeout_s,
        cwd=cwd,
        env=env,
        check=check,
        max_output_bytes=max_output_bytes,
    )


def run_program(
    command: Sequence[str | os.PathLike[str]],
    *,
    input: str | bytes = b"",  # noqa: A002 - the name that subprocess.run has for it
    timeout_s: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
) -> ProgramResult:
    r"""Run a program to its end, without a shell, and return how it ended and what it wrote.

    Args:
        command: the program, a path or a name on the ``PATH``, and its arguments.
        input: what it reads from its standard input; a text as UTF-8.
        timeout_s: seconds that it may take; None leaves that to the step's own limit.
        cwd: its working folder; None: that of this process.
        env: its whole environment; None: that of this process.
        check: True raises where the exit code isn't 0.
        max_output_bytes: most bytes that it may write to standard output or to standard error.

    Guarantees:
        The program and whatever it starts in its process group have ended when this returns or
        raises; they also end when the step is stopped or its time is up (asked first, killed a
        second later), and within seconds when this process dies, ``kill -9`` included. On Windows
        the program alone is ended, and nothing is where this process dies.

    Raises:
        ToolHardError: there is no such program, it can't be started, its time was up, it wrote too
            much, or its exit code isn't 0; the end of its standard error is in the message.

    >>> run_program([sys.executable, "-c", "print(6 * 7)"]).output
    '42\n'
    """
    words = [os.fspath(word) for word in command]
    if not words:
        raise ToolHardError("no program to run: the command is empty")
    name = Path(words[0]).name
    given = input.encode() if isinstance(input, str) else bytes(input)
    with ExitStack() as stack:
        program = _Program(words, given, cwd, env, stack)
        stack.callback(at_giving_up(program.give_up))
        problem = program.run_until_end(
            None if timeout_s is None else time.monotonic() + timeout_s, max_output_bytes
        )
        if program.is_given_up:
            raise ToolHardError(f"{name!r} was ended: nobody waits for it any more")
        result = program.result()
    if problem == "time":
        raise _failed(f"{name!r} took longer than {timeout_s:g} s and was ended", result)
    if problem == "size":
        raise _failed(f"{name!r} wrote more than {max_output_bytes:,} bytes and was ended", result)
    if check and result.exit_code != 0:
        raise _failed(f"{name!r} ended with {_in_words(result.exit_code)}", result)
    return result


def _in_words(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-exit_code).name}"
    return f"signal {-exit_code}"


def _failed(message: str, result: ProgramResult) -> ToolHardError:
    words = "".join(c if c.isprintable() else " " for c in result.errors[-_SHOWN:])
    last = " ".join(words.split())
    return ToolHardError(
        f"{message}; its last words: {last}" if last else message, exit_code=result.exit_code
    )


class _Program:
    """One program under way, under its warden where the system has process groups."""

    def __init__(
        self,
        words: list[str],
        given: bytes,
        cwd: str | os.PathLike[str] | None,
        env: Mapping[str, str] | None,
        stack: ExitStack,
    ) -> None:
        path = shutil.which(words[0], path=None if env is None else env.get("PATH"))
        if path is None:
            raise ToolHardError(f"there is no program {words[0]!r:.200} on the PATH")
        self.is_given_up = False
        """True: nobody waits for it, so what it writes is read and dropped."""
        self._lock = threading.Lock()
        self._left = memoryview(given)
        self._written: dict[str, bytearray] = {"output": bytearray(), "errors": bytearray()}
        self._reading, self._life = os.pipe() if _GROUPS else (-1, -1)
        stack.callback(self.end)
        warden = [sys.executable, "-I", "-S", str(_WARDEN), str(self._reading)] if _GROUPS else []
        try:
            self._process = subprocess.Popen(
                [*warden, path if not _GROUPS else str(Path(path).absolute()), *words[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=None if env is None else dict(env),
                pass_fds=(self._reading,) if _GROUPS else (),
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            raise ToolHardError(
                f"the program {words[0]!r:.200} can't be started: {error}"
            ) from error
        finally:
            if _GROUPS:
                os.close(self._reading)
        stack.callback(self._close)

    def give_up(self) -> None:
        """Let the program end, for whose output nobody waits; from any thread."""
        # To decode what it has written would hold the interpreter's lock, for much of it for long.
        self.is_given_up = True
        self.end()

    def end(self) -> None:
        """Let the program end; from any thread, and again is nothing."""
        with self._lock:
            life, self._life = self._life, -1
        if life >= 0:
            os.close(life)
        elif not _GROUPS:
            self._process.terminate()

    def _close(self) -> None:
        """Wait until it has ended, and let go of its pipes."""
        self.end()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def result(self) -> ProgramResult:
        """Return how it ended; waits until it has."""
        self.end() if self._process.poll() is None else None
        output, errors = (bytes(w).decode("utf-8", "replace") for w in self._written.values())
        return ProgramResult(self._process.wait(), output, errors)

    def run_until_end(self, until: float | None, max_bytes: int) -> str:
        """Feed and read it; return why it must be ended early: ``time``, ``size``, else ``""``."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        with selectors.DefaultSelector() as pipes:
            pipes.register(process.stdout, selectors.EVENT_READ, "output")
            pipes.register(process.stderr, selectors.EVENT_READ, "errors")
            os.set_blocking(process.stdin.fileno(), False)
            pipes.register(process.stdin, selectors.EVENT_WRITE, "input")
            ended_at: float | None = None
            while pipes.get_map():
                now = time.monotonic()
                if until is not None and now >= until:
                    return "time"
                if ended_at is None and process.poll() is not None:
                    ended_at = now
                if ended_at is not None and now >= ended_at + _DRAIN_S:
                    return ""
                for key, _ in pipes.select(_pause_s(until, now)):
                    if key.data == "input":
                        self._feed(pipes)
                    elif self._read(key, pipes) > max_bytes:
                        return "size"
        return self._wait(until)

    def _wait(self, until: float | None) -> str:
        """Wait for a program that has closed its pipes; return as `run_until_end`."""
        try:
            self._process.wait(None if until is None else max(until - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            return "time"
        return ""

    def _feed(self, pipes: selectors.BaseSelector) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            self._left = self._left[os.write(pipe.fileno(), self._left[:65_536]) :]
        except BlockingIOError:
            return
        except OSError:
            self._left = self._left[:0]  # it doesn't read
        if not self._left:
            pipes.unregister(pipe)
            with suppress(OSError):
                pipe.close()

    def _read(self, key: selectors.SelectorKey, pipes: selectors.BaseSelector) -> int:
        data = os.read(key.fd, 65_536)
        written = self._written[key.data]
        if self.is_given_up:
            written.clear()
        else:
            written += data
        if not data:
            pipes.unregister(key.fileobj)
        return len(written)


def _pause_s(until: float | None, now: float) -> float:
    """Return how long to sleep: not past the limit, and now and then a look at the program."""
    return 0.1 if until is None else min(0.1, max(until - now, 0))
