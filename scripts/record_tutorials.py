"""Write the records that answer for the models of the tutorials, which run without a key.

    python scripts/record_tutorials.py [quickstart control_flow …]

Each tutorial has a function here. The answers are written by hand; each goes through the real
planner, or the real steps, with the tools and plans that the notebook itself defines, so a record
that would not run is never written. Run this again when a prompt changes.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from portia_nb.llm.records import Record
from portia_nb.llm.replay import RecordingModel
from portia_nb.model.language import ModelReply, ModelRequest, Usage
from portia_nb.planning.planner import make_plan
from scripts import (
    control_flow_replies,
    from_portia_replies,
    inputs_replies,
    plan_edit_approve_replies,
)

MAGIC = re.compile(r"\s*%|\s*\w+ = %portia ")
"""A line of a cell that isn't Python."""
RECORDS = ROOT / "portia_nb" / "llm" / "shipped"

QUICKSTART_QUERY = "Which stock price grew faster, Amazon or Google?"
QUICKSTART_PLAN: dict[str, Any] = {
    "steps": [
        {
            "task": "Read Amazon's monthly closing prices.",
            "inputs": [],
            "tool_id": "monthly_prices",
            "output": "$amazon_prices",
            "args": {"symbol": "AMZN"},
        },
        {
            "task": "Read Google's monthly closing prices.",
            "inputs": [],
            "tool_id": "monthly_prices",
            "output": "$google_prices",
            "args": {"symbol": "GOOG"},
        },
        {
            "task": "Compare how much the two prices grew.",
            "inputs": [
                {"name": "$amazon_prices", "description": "Amazon's monthly closing prices."},
                {"name": "$google_prices", "description": "Google's monthly closing prices."},
            ],
            "tool_id": "faster_growth",
            "output": "$faster_growth",
            # Its arguments may be anything, which no provider's schema can say: JSON as text.
            "args": {
                "args_json": json.dumps(
                    {
                        "first": {"step": "$amazon_prices"},
                        "second": {"step": "$google_prices"},
                        "first_name": "Amazon",
                        "second_name": "Google",
                    }
                )
            },
        },
    ],
}


class Author:
    """Answers the planner's one question with a plan written by hand."""

    name = "scripted"

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Return the plan; a second question means that the first answer did not pass."""
        if request.record_key[-1].startswith("mending"):
            raise SystemExit(f"the plan does not pass the check:\n{request.messages[-1].content}")
        return ModelReply(data=self._plan, model=self.name, usage=Usage(calls=0))


def names_of_notebook(name: str) -> dict[str, Any]:
    """Return what a tutorial defines, by running its first cell and those with functions or plans.

    Lines with magics are left out, and with them whatever they run.
    """
    cells = json.loads((ROOT / "notebooks" / name).read_text("utf-8"))["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    known: dict[str, Any] = {"__name__": "tutorial"}
    for number, source in enumerate(sources):
        defines = "def " in source or "PlanBuilder(" in source or number == 0
        defines = defines or "(BaseModel)" in source or ".llm_step(" in source
        if defines and not source.startswith("%%"):
            plain = "\n".join(line for line in source.splitlines() if not MAGIC.match(line))
            code = compile(plain, name, "exec", dont_inherit=True)
            exec(code, known)  # our own notebook, at build time only
    return known


async def record_quickstart() -> Record:
    """Record the quickstart's planner."""
    record = Record(about="The planner of 00_quickstart.ipynb, written by hand.")
    model = RecordingModel(Author(QUICKSTART_PLAN), record)
    tools = names_of_notebook("00_quickstart.ipynb")["portia"].tools
    await make_plan(QUICKSTART_QUERY, tools, model=model)
    for reply in record.replies:
        reply.match = "key"  # a reader may improve a tool's docstring
    return record


def goals_of_notebook(name: str) -> dict[str, str]:
    """Return the goals of a tutorial's ``%%portia`` cells, by the options before them."""
    cells = json.loads((ROOT / "notebooks" / name).read_text("utf-8"))["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    parted = [s.removeprefix("%%portia").partition("\n") for s in sources if "%%portia" in s[:8]]
    return {options.strip(): goal for options, _, goal in parted}


async def record_inputs() -> Record:
    """Record the models of the tutorial on inputs and outputs."""
    name = "02_inputs_outputs_schemas.ipynb"
    return await inputs_replies.replies(names_of_notebook(name), goals_of_notebook(name))


async def record_control_flow() -> Record:
    """Record the models of the tutorial on control flow."""
    return await control_flow_replies.replies(names_of_notebook("06_control_flow.ipynb"))


async def record_from_portia() -> Record:
    """Record the models of the tutorial for code of the reference SDK."""
    return await from_portia_replies.replies(names_of_notebook("10_from_portia.ipynb"))


async def record_plan_edit_approve() -> Record:
    """Record the models of the tutorial on plans before they run."""
    return await plan_edit_approve_replies.replies(names_of_notebook("01_plan_edit_approve.ipynb"))


TUTORIALS: dict[str, Callable[[], Awaitable[Record]]] = {
    "quickstart": record_quickstart,
    "plan_edit_approve": record_plan_edit_approve,
    "inputs": record_inputs,
    "control_flow": record_control_flow,
    "from_portia": record_from_portia,
}
"""How each shipped record is made, by its name without ``.json``."""


async def main(names: Sequence[str]) -> None:
    """Make the records of these names anew; all of them where none is given."""
    for name in names or TUTORIALS:
        file = RECORDS / f"{name}.json"
        (await TUTORIALS[name]()).save(file)
        file.chmod(0o644)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
