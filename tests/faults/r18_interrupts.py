"""R18: a real kernel is interrupted at random moments of a run, once or twice, or restarted."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.environment import public_environment
from tests.kernel.conftest import ROOT, Kernel, Result

from .row import Facts, Row, Trial

STEPS = 12
NO_CALL_S, PROMPT_S = 0.3, 2.0
MESSAGE_S = 0.5
"""What the message's way to the kernel and back may take on a busy machine."""

SETTING = f"""
import asyncio, os, threading, time
from portia_nb import Config, Portia, PlanBuilderV2, StepOutput, tool
from portia_nb.running.background import background

def note(text):
    line = os.open("calls.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(line, (text + " " + repr(time.time()) + "\\n").encode())
    os.close(line)

def plan_of(case):
    def work(place, before):
        note(f"{{case}} s{{place}}")
        time.sleep(0.04)
        return before + 1

    async def work_async(place, before):
        note(f"{{case}} s{{place}}")
        await asyncio.sleep(0.04)
        return before + 1

    @tool
    async def part(place: int, before: int) -> int:
        "Do a part."
        return await work_async(place, before)

    builder = PlanBuilderV2(f"case {{case}}")
    for place in range({STEPS}):
        args = {{"place": place, "before": StepOutput(f"s{{place - 1}}") if place else 0}}
        if place % 3 == 0:
            builder.invoke_tool_step(tool=part(), args=args, step_name=f"s{{place}}")
        else:
            function = work if place % 3 == 1 else work_async
            builder.function_step(function=function, args=args, step_name=f"s{{place}}")
    return builder.build()

def tasks_left():
    async def count():
        return len(asyncio.all_tasks()) - 1
    for _ in range(200):
        left = background.submit(count()).result(5)
        if not left:
            break
        time.sleep(0.01)
    return left

portia = Portia(Config(store=".portia", live_view=False), tools=[])
"""

CELLS = (
    "%portia run plan",
    "portia.run_plan(plan)",
    "await portia.arun_plan(plan)",
    "if True:\n    %portia run plan",
)

HEADLESS = [
    "%load_ext portia_nb",
    "from portia_nb import Config, Portia, PlanBuilderV2\n"
    "portia = Portia(Config(store='.portia'), tools=[])\n"
    "asks = PlanBuilderV2('asks').user_input(message='Which city?').build()",
    "%portia run asks",
    "raise SystemError('this cell must not run')",
]


@contextmanager
def kernel_in(folder: Path) -> Iterator[Kernel]:
    """Yield a kernel with the extension loaded."""
    kernel = Kernel(folder)
    try:
        prepare(kernel)
        yield kernel
    finally:
        kernel.close()


def prepare(kernel: Kernel) -> None:
    """Load the extension and define what the cells use."""
    kernel.run("%load_ext portia_nb").raise_for_error()
    kernel.run(SETTING).raise_for_error()


def calls(folder: Path, case: int) -> list[tuple[str, float]]:
    """Return the steps of this case that were called, and when."""
    path = folder / "calls.txt"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(name, float(at)) for number, name, at in lines if number == str(case)]


def interrupt(
    kernel: Kernel, case: int, rng: random.Random, *, twice: bool
) -> tuple[Result, float]:
    """Run a cell, interrupt it at a random moment, and return its result and the time it took."""
    kernel.run(f"plan = plan_of({case})").raise_for_error()
    sent = kernel.send(rng.choice(CELLS))
    time.sleep(rng.uniform(0.0, 0.7))
    began, at = time.monotonic(), time.time()
    kernel.interrupt()
    if twice:
        time.sleep(rng.uniform(0.0, 0.3))
        kernel.interrupt()
    result = kernel.finish(sent, timeout_s=30)
    took_s = time.monotonic() - began
    assert took_s <= PROMPT_S + MESSAGE_S, f"the prompt was back after {took_s:.2f} s"
    # A second interrupt may come when the cell has ended, and then stops the next one.
    kernel.run("0") if twice else None
    if result.status == "ok":  # it came when the cell had ended
        assert len(calls(kernel.folder, case)) == STEPS
    else:
        # IPython itself prints an interrupt that comes while it shows the first one.
        named = result.ename or result.err.split()[-1]
        assert named in ("KeyboardInterrupt", "CancelledError"), result
        late = [name for name, when in calls(kernel.folder, case) if when > at + NO_CALL_S]
        assert not late, f"called more than {NO_CALL_S} s after the interrupt: {late}"
    assert kernel.evaluate("tasks_left()") == 0, "tasks are left"
    return result, took_s


def resume(kernel: Kernel, case: int) -> int:
    """Go on with the run of this case; return how many steps were called again."""
    found = f"[r for r in portia.store.find_runs() if r.query == 'case {case}']"
    state = kernel.evaluate(f"[r.state.value for r in {found}]")
    kernel.run(f"plan = plan_of({case})").raise_for_error()
    if not state:
        assert not calls(kernel.folder, case), "it made calls, and there is no run"
        kernel.run("result = portia.run_plan(plan)").raise_for_error()
    else:
        done = set(
            kernel.evaluate(
                f"[e.event.path for e in portia.store.load_events({found}[0].run_id)"
                " if e.event.kind == 'step_done']"
            )
        )
        before = len(calls(kernel.folder, case))
        kernel.run(
            f"result = portia.resume(plan_run_id={found}[0].run_id, plan=plan)"
        ).raise_for_error()
        again = {name for name, _ in calls(kernel.folder, case)[before:]}
        assert not again & done, f"finished, and called again: {again & done}"
    assert kernel.evaluate("[result.state, result.final_output.value]") == ["COMPLETE", STEPS]
    counts = Counter(name for name, _ in calls(kernel.folder, case))
    assert len(counts) == STEPS
    assert max(counts.values()) <= 2, counts
    return sum(count - 1 for count in counts.values())


def restart(kernel: Kernel, case: int, rng: random.Random) -> None:
    """Restart the kernel at a random moment of a run."""
    kernel.run(f"plan = plan_of({case})").raise_for_error()
    kernel.send(rng.choice(CELLS))
    time.sleep(rng.uniform(0.0, 0.7))
    kernel.manager.restart_kernel(now=rng.random() < 0.5)
    kernel.client.wait_for_ready(timeout=60)
    prepare(kernel)


def headless(folder: Path) -> float:
    """Run a notebook whose run asks, with no front end; return how long it took to stop."""
    cells = [nbformat.v4.new_code_cell(code) for code in HEADLESS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(
        notebook, timeout=40, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    environment = {**public_environment(), "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        assert "WaitingForAnswer" in str(error), str(error)
        assert "Which city?" in str(error), str(error)
        return time.monotonic() - began
    raise AssertionError("the notebook ran on past a question")


def trial_of_interrupts(trial: Trial) -> Facts:
    """Interrupt a kernel `trial.count` times; the last time it is restarted instead."""
    again = 0
    slowest = 0.0
    with kernel_in(trial.folder) as kernel:
        for case in trial.numbers:
            rng = random.Random(case)
            if case == trial.numbers[-1]:
                restart(kernel, case, rng)
            else:
                _, took_s = interrupt(kernel, case, rng, twice=case % 4 == 3)
                slowest = max(slowest, took_s)
            again += resume(kernel, case)
    found = {
        "calls again of steps under way": again,
        "max s until the prompt was back": slowest,
    }
    if trial.count > 3:  # the sample leaves this to tests/kernel/test_headless.py
        found["max s until a headless notebook stopped"] = headless(trial.folder)
    return found


ROW = Row(
    id="R18",
    fault="a kernel interrupted at random moments, twice at once, or restarted; no front end",
    full=200,
    batch=10,
    sample_batch=3,
    trial=trial_of_interrupts,
    sample=(0,),
    jobs=1,
    trial_s=180,
    holds=f"no call after {NO_CALL_S} s, prompt back within {PROMPT_S} s, no task left, resumed",
)
