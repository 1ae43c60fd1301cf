"""Write the records that answer for a planner in the tutorials, which run without a key.

    python scripts/record_tutorials.py

The answers are written by hand below. Each goes through the real planner and its checks against
the tools that the notebook itself defines, so a record that would not run is never written. Run
this again when the planner's prompt changes its version.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portia_nb.llm.records import Record
from portia_nb.llm.replay import RecordingModel
from portia_nb.model.language import ModelReply, ModelRequest, Usage
from portia_nb.planning.planner import make_plan

ROOT = Path(__file__).resolve().parent.parent
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


def tools_of_notebook(name: str) -> list[Any]:
    """Return the tools that a tutorial defines, by running the cells that define them."""
    cells = json.loads((ROOT / "notebooks" / name).read_text("utf-8"))["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    known: dict[str, Any] = {"__name__": "tutorial"}
    for source in sources:
        if "def " in source and not source.startswith("%"):
            exec(compile(source, name, "exec"), known)  # our own notebook, at build time only
    return known["portia"].tools


async def record_quickstart() -> Record:
    """Record the quickstart's planner."""
    record = Record(about="The planner of 00_quickstart.ipynb, written by hand.")
    model = RecordingModel(Author(QUICKSTART_PLAN), record)
    await make_plan(QUICKSTART_QUERY, tools_of_notebook("00_quickstart.ipynb"), model=model)
    for reply in record.replies:
        reply.match = "key"  # a reader may improve a tool's docstring
    return record


if __name__ == "__main__":
    asyncio.run(record_quickstart()).save(RECORDS / "quickstart.json")
    (RECORDS / "quickstart.json").chmod(0o644)
