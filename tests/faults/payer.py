"""A plan that pays, run as a program: ``python -m tests.faults.payer FOLDER PATIENCE KIND``.

Each payment leaves ``pay KEY`` in FOLDER's ``calls.txt``, with the idempotency key that it was
given, and then takes PATIENCE seconds. Last the state and the open questions are printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from portia_nb import Config, PlanBuilderV2, Portia, StepOutput, ToolRunContext, run_program, tool
from portia_nb.errors import InvalidPlanRunStateError
from portia_nb.model.plan import Plan


def note(folder: Path, text: str) -> None:
    """Leave a line."""
    line = os.open(folder / "calls.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(line, f"{text}\n".encode())
    os.close(line)


def plan_of(folder: Path, patience_s: float, kind: str) -> Plan:
    """Return the plan; `kind` of tool: plain, async or a program."""

    def prepare() -> int:
        note(folder, "prepare")
        return 7

    @tool(id="pay", side_effect=True)
    def pay_plain(amount: int, ctx: ToolRunContext) -> str:
        """Pay."""
        note(folder, f"pay {ctx.idempotency_key}")
        time.sleep(patience_s)
        return f"paid {amount}"

    @tool(id="pay", side_effect=True)
    async def pay_async(amount: int, ctx: ToolRunContext) -> str:
        """Pay."""
        note(folder, f"pay {ctx.idempotency_key}")
        await asyncio.sleep(patience_s)
        return f"paid {amount}"

    @tool(id="pay", side_effect=True)
    def pay_program(amount: int, ctx: ToolRunContext) -> str:
        """Pay."""
        script = f'echo "pay $2" >> "$1/calls.txt"; sleep {patience_s}'
        run_program(["sh", "-c", script, "sh", str(folder), str(ctx.idempotency_key)])
        return f"paid {amount}"

    def report(paid: str | None) -> str:
        note(folder, "report")
        return f"report: {paid}"

    pay = {"plain": pay_plain, "async": pay_async, "program": pay_program}[kind]
    return (
        PlanBuilderV2("pays")
        .function_step(function=prepare, step_name="prepare")
        .invoke_tool_step(tool=pay(), args={"amount": StepOutput("prepare")}, step_name="pay")
        .function_step(function=report, args={"paid": StepOutput("pay")}, step_name="report")
        .build()
    )


def portia_of(folder: Path) -> Portia:
    """Return a Portia that keeps its runs in `folder`."""
    return Portia(Config(store=str(folder / "store")), tools=[])


def main(folder_name: str, patience: str, kind: str) -> None:
    """Run the plan, or go on with the run that is there."""
    folder = Path(folder_name)
    portia = portia_of(folder)
    plan = plan_of(folder, float(patience), kind)
    rows = portia.store.find_runs()
    try:
        run = (
            portia.resume(plan_run_id=rows[0].run_id, plan=plan) if rows else portia.run_plan(plan)
        )
    except InvalidPlanRunStateError:  # it still waits for the answer
        run = portia.get_run(rows[0].run_id)
    asked = [(c.id, c.user_guidance) for c in run.get_outstanding_clarifications()]
    final = run.final_output and run.final_output.value
    sys.stdout.write(json.dumps({"state": run.state.value, "asked": asked, "final": final}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
