"""What a model says in `10_from_portia.ipynb`: a plan written by hand, and what its steps ask."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from portia_nb import Config, Portia
from portia_nb.llm.records import Record
from portia_nb.llm.replay import RecordingModel
from portia_nb.model.language import ModelReply, ModelRequest, ToolCall, Usage

PLAN: dict[str, Any] = {
    "steps": [
        {
            "task": "Get the average high of July 2015.",
            "inputs": [],
            "tool_id": "average_high",
            "output": "$july_2015",
            "args": {"year": 2015, "month": 7},
        },
        {
            "task": "Get the average high of July 2012.",
            "inputs": [],
            "tool_id": "average_high",
            "output": "$july_2012",
            "args": {"year": 2012, "month": 7},
        },
        {
            "task": "Take the one away from the other.",
            "inputs": [
                {"name": "$july_2015", "description": "The average high of July 2015."},
                {"name": "$july_2012", "description": "The average high of July 2012."},
            ],
            "tool_id": "difference",
            "output": "$difference",
            "args": {"first": {"step": "$july_2015"}, "second": {"step": "$july_2012"}},
        },
    ],
}


class ModelOfFromPortia:
    """Answers what the notebook's planner and steps ask."""

    name = "scripted"

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Return the true answer to `request`.

        Raises:
            SystemExit: it is none that the notebook asks, or the plan doesn't pass the check.
        """
        free = Usage(calls=0)
        kind, *key = request.record_key
        if kind == "planner":
            if key[-1].startswith("mending"):
                raise SystemExit(f"the plan doesn't pass:\n{request.messages[-1].content}")
            return ModelReply(data=PLAN, model=self.name, usage=free)
        asked = json.loads(request.messages[1].content)
        if kind == "choose_arguments":
            (year,) = re.findall(r"January (\d+)", asked["task"])
            call = ToolCall("call_0", "average_high", {"year": int(year), "month": 1})
            return ModelReply(tool_calls=(call,), model=self.name, usage=free)
        if kind == "llm_step":
            first, second = asked["inputs"]["first"], asked["inputs"]["second"]
            colder, other = ("2012", "2015") if first < second else ("2015", "2012")
            low, high = sorted((first, second))
            text = f"January {colder} was colder: its average high was {low:g} °C, against "
            return ModelReply(
                text=f"{text}{high:g} °C in January {other}.", model=self.name, usage=free
            )
        raise SystemExit(f"10_from_portia asks something new ({kind}): {asked}")


async def replies(names: Mapping[str, Any]) -> Record:
    """Return the record of the notebook, whose plans and tools are in `names`."""
    record = Record(about="The models of 10_from_portia.ipynb, written by hand; true of the data.")
    model = RecordingModel(ModelOfFromPortia(), record)
    portia = Portia(Config(default_model=model, store="memory"), names["tools"])
    for done in (await portia.arun(names["query"]), await portia.arun_plan(names["old_plan"])):
        if done.state != "COMPLETE":
            raise SystemExit(f"{done.state}: {done.outputs.final_output}")
    for reply in record.replies:
        if reply.purpose == "planning":
            reply.match = "key"  # a reader may improve a tool's docstring
    return record
