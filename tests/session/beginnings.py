"""Begins runs and forks in processes that are killed at each commit, and goes on in others.

``python -m tests.session.beginnings FOLDER run|fork COMMITS`` prints a line of JSON for each kill:
what was kept, what came of it, and each call. Each event has a commit of its own here, so that no
place is left out at which a process may die.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portia_nb import Config, Input, Plan, PlanBuilderV2, Portia, StepOutput, tool
from portia_nb.storage import writer

PHASES = ("before", "inside", "after")


def note(text: str) -> None:
    """Leave a line in the working folder, in one write."""
    line = os.open("calls.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(line, f"{text}\n".encode())
    os.close(line)


def calls() -> list[str]:
    """Return the lines that were left."""
    path = Path("calls.txt")
    return path.read_text().splitlines() if path.exists() else []


def plan_of() -> Plan:
    """Return a plan with an input: two steps change the world, the last one only reads."""

    @tool(side_effect=True)
    def send(text: str) -> str:
        """Send a message."""
        note(f"send {text}")
        return f"sent {text}"

    def last(first: str, second: str) -> str:
        note("last")
        return f"{first}, {second}"

    return (
        PlanBuilderV2()
        .input(name="name")
        .invoke_tool_step(tool=send, args={"text": Input("name")}, step_name="one")
        .invoke_tool_step(tool=send, args={"text": StepOutput("one")}, step_name="two")
        .function_step(
            function=last,
            args={"first": StepOutput("one"), "second": StepOutput("two")},
            step_name="last",
            side_effect=False,
        )
        .build()
    )


def portia() -> Portia:
    """Return a Portia on the working folder's store."""
    return Portia(Config(store="store"), tools=[])


def run() -> None:
    """Run the plan."""
    portia().run_plan(plan_of(), plan_run_inputs={"name": "Ada"})


def fork() -> None:
    """Fork the one run from its last step."""
    here = portia()
    here.fork(here.store.find_runs()[0].run_id, "last", plan=plan_of())


def go_on() -> None:
    """Go on with the newest run, and tell what came of it."""
    here = portia()
    done = here.resume(plan_run_id=here.store.find_runs()[0].run_id, plan=plan_of())
    final = None if done.final_output is None else done.final_output.value
    Path("done.json").write_text(json.dumps([done.state.value, final]))


def in_a_process(call: Callable[[], None], crash_at: str = "") -> int:
    """Do `call` in a process of its own; return its exit status, negative where it was killed."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        os.environ["PORTIA_CRASH_AT"] = crash_at
        call()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def kill(begin: Callable[[], None], crash_at: str) -> dict[str, Any]:
    """Kill `begin` at one commit, and go on with what it left, if it left a run."""
    before = len(calls()) > 0
    assert in_a_process(begin, crash_at) == -signal.SIGKILL
    told, tell = os.pipe()
    assert in_a_process(lambda: tell_kinds(tell)) == 0
    os.close(tell)
    with os.fdopen(told) as file:
        kept = json.loads(file.read())[: None if not before else -1]
    if kept:
        assert in_a_process(go_on) == 0
    done = Path("done.json")
    return {
        "at": crash_at,
        "kept": kept[0] if kept else None,
        "done": json.loads(done.read_text()) if done.exists() else None,
        "calls": calls(),
    }


def tell_kinds(to: int) -> None:
    """Write the kinds of the events of each kept run, the newest run first."""
    store = portia().store
    kinds = [[e.event.kind for e in store.load_events(row.run_id)] for row in store.find_runs()]
    os.write(to, json.dumps(kinds).encode())


def main(folder: str, what: str, commits: str) -> None:
    """Kill at each of the first commits."""
    writer._LINGER_S, writer._MAX_GROUP = 0.0, 1
    base = Path(folder) / "base"
    base.mkdir()
    os.chdir(base)
    if what == "fork":
        assert in_a_process(run) == 0
    for commit in range(1, int(commits) + 1):
        for phase in PHASES:
            os.chdir(shutil.copytree(base, Path(folder) / f"{commit}-{phase}"))
            found = kill({"run": run, "fork": fork}[what], f"{commit}:{phase}")
            sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
