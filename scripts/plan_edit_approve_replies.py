"""What a model says in `01_plan_edit_approve.ipynb`: a plan, and the same plan in other units."""

from __future__ import annotations

from typing import Any

from portia_nb.llm.records import Record
from portia_nb.llm.replay import RecordingModel
from portia_nb.model.language import ModelReply, ModelRequest, Usage
from portia_nb.planning.planner import make_plan
from portia_nb.planning.revising import revise_plan

QUERY = "Report how July was in Seattle, and tell the board that the report is ready."
WORDS = "Use metric units"


def steps(units: str) -> list[dict[str, Any]]:
    """Return the plan's steps with the temperatures in `units`."""
    return [
        {
            "task": "Look up how July was.",
            "inputs": [],
            "tool_id": "month_weather",
            "output": "$july",
            "args": {"month": "July", "units": units},
        },
        {
            "task": "Put it into a sentence.",
            "inputs": [{"name": "$july", "description": "How July was."}],
            "tool_id": "one_sentence",
            "output": "$report",
            "args": {
                "month": "July",
                "high": {"step": "$july", "path": "high"},
                "rainy_days": {"step": "$july", "path": "rainy_days"},
            },
        },
        {
            "task": "Tell the board that the report is ready.",
            "inputs": [],
            "tool_id": "post_to_board",
            "output": "$posted",
            "args": {"text": "The July report is ready."},
        },
    ]


class _Author:
    """Answers the planner, and then the wish for metric units."""

    name = "scripted"

    async def reply(self, request: ModelRequest, *, on_text: Any = None) -> ModelReply:
        if request.record_key[-1].startswith("mending"):
            raise SystemExit(f"the plan does not pass:\n{request.messages[-1].content}")
        units = "metric" if request.record_key[0] == "reviser" else "us"
        return ModelReply(
            data={"steps": steps(units), "error": None}, model=self.name, usage=Usage(calls=0)
        )


async def replies(known: dict[str, Any]) -> Record:
    """Return the record, made with the tools that the notebook defines."""
    record = Record(about="The models of 01_plan_edit_approve.ipynb, written by hand.")
    model = RecordingModel(_Author(), record)
    tools = known["portia"].tools
    plan = await make_plan(QUERY, tools, model=model)
    await revise_plan(plan, WORDS, tools, model=model)
    for reply in record.replies:
        reply.match = "key"  # a reader may improve a tool's docstring
    return record
