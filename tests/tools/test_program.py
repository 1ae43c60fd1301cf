"""Programs that tools call: what comes back, what is refused, and that none outlives its call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from portia_nb import ToolHardError, arun_program, run_program
from portia_nb.tools.aside import run_aside
from portia_nb.tools.program import ProgramResult

posix = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def wait_for(path: Path) -> str:
    end = time.monotonic() + 10
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.01)
    return path.read_text()


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 5
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end, f"process {pid} lives"
            time.sleep(0.01)


def test_what_a_program_writes_and_how_it_ends_comes_back():
    code = "import sys; print(sys.stdin.read().upper()); sys.stderr.write('aside'); sys.exit(3)"
    result = run_program(python(code), input="grüße", check=False)
    assert result == ProgramResult(3, "GRÜSSE\n", "aside")


def test_large_input_and_output_pass_both_ways_at_once():
    code = "import sys; [sys.stdout.write(line) for line in sys.stdin]"
    text = "0123456789\n" * 200_000
    assert run_program(python(code), input=text).output == text


def test_a_program_that_does_not_read_its_input_is_no_error():
    assert run_program(python("print(1)"), input=b"x" * 1_000_000).output == "1\n"


def test_folder_and_environment_are_those_given(tmp_path: Path):
    code = "import os; print(os.getcwd(), os.environ['A'], 'HOME' in os.environ)"
    result = run_program(python(code), cwd=tmp_path, env={"A": "b"})
    assert result.output.split() == [str(tmp_path), "b", "False"]


REFUSED = {
    "no such": (["no-such-program"], {}, "there is no program 'no-such-program' on the PATH"),
    "none": ([], {}, "the command is empty"),
    "a folder": (["/"], {}, "there is no program '/'"),
    "its exit code": (python("raise SystemExit(4)"), {}, "exit code 4"),
    "its last words": (python("raise ValueError('no data')"), {}, "ValueError: no data"),
    "a signal": (python("import os; os.kill(os.getpid(), 11)"), {}, "signal SIGSEGV"),
    "its time": (python("import time; time.sleep(60)"), {"timeout_s": 0.2}, "longer than 0.2 s"),
    "its size": (python("print('x' * 9999)"), {"max_output_bytes": 1_000}, "than 1,000 bytes"),
    "a bad folder": (python("0"), {"cwd": "/no/such"}, "can't be started"),
    "a zero": (["true", "a\0b"], {}, "can't be started"),
}  # fmt: skip


@pytest.mark.parametrize(("command", "options", "says"), REFUSED.values(), ids=REFUSED)
def test_a_failure_says_which_program_and_why(command, options, says):
    with pytest.raises(ToolHardError) as caught:
        run_program(command, **options)
    assert says in str(caught.value)


@posix
def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path):
    pid = int(run_program(["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"]).output)
    wait_until_gone(pid)


@posix
def test_a_program_that_ignores_the_request_to_end_is_killed(tmp_path: Path):
    mark = tmp_path / "pid"
    code = (
        "import os, pathlib, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    with pytest.raises(ToolHardError, match="was ended"):
        run_program(python(code), timeout_s=1)
    wait_until_gone(int(wait_for(mark)))


@posix
async def test_what_a_program_has_written_is_dropped_once_nobody_waits_for_it(tmp_path: Path):
    mark, errors = tmp_path / "mark", asyncio.Queue[ToolHardError]()
    loop = asyncio.get_running_loop()
    floods = f"echo x > {mark}; while :; do echo word; done"

    def call() -> None:
        try:
            run_program(["sh", "-c", floods], check=False)
        except ToolHardError as error:
            loop.call_soon_threadsafe(errors.put_nowait, error)

    task = asyncio.ensure_future(run_aside(call))
    await asyncio.to_thread(wait_for, mark)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "nobody waits for it any more" in str(await errors.get())


async def test_a_cancelled_call_ends_its_program(tmp_path: Path):
    mark = tmp_path / "pid"
    code = (
        "import os, pathlib, time\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    task = asyncio.create_task(arun_program(python(code)))
    pid = int(await asyncio.to_thread(wait_for, mark))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(wait_until_gone, pid)


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_ends_when_the_process_that_called_it_dies(tmp_path: Path, number: int):
    mark = tmp_path / "pid"
    code = (
        "from portia_nb import run_program\n"
        f"run_program(['sh', '-c', 'echo $$ > {mark}; sleep 60; :'])"
    )
    with subprocess.Popen(python(code)) as caller:
        pid = int(wait_for(mark))
        caller.send_signal(number)
    wait_until_gone(pid)
