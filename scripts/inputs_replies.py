"""What a model says in `02_inputs_outputs_schemas.ipynb`: plans by hand, the rest from the data.

`replies` makes the notebook's own plans, from the cells as they stand there, and runs them, for
each country. `record_tutorials.py` writes down what is asked and what is answered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from portia_nb import Config, Portia
from portia_nb.llm.records import Record
from portia_nb.llm.replay import RecordingModel
from portia_nb.model.language import ModelReply, ModelRequest, Usage
from portia_nb.notebook.bindings import bind
from portia_nb.notebook.commands.parsing import parse_cell

COUNTRIES = ("Japan", "Europe", "USA")
INPUTS = ("cars", "country", "count")


def plan_of(task: str) -> dict[str, Any]:
    """Return the plan of either goal: one step, every argument an input of the plan."""
    table = {"table": "$cars", "country": "$country", "count": "$count"}
    args = {argument: {"input": name} for argument, name in table.items()}
    inputs = [{"name": f"${name}", "description": f"The {name}."} for name in INPUTS]
    return {
        "steps": [
            {
                "task": task,
                "inputs": inputs,
                "tool_id": "economical_cars",
                "output": "$best_cars",
                "args": {"args_json": json.dumps(args)},
            }
        ]
    }


class ModelOfInputs:
    """Answers what the notebook asks, from what stands in the prompt."""

    name = "scripted"

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Return the true answer to `request`.

        Raises:
            SystemExit: it is none that the notebook asks.
        """
        match request.record_key[0]:
            case "planner":
                data = plan_of("Find the cars that go furthest on a gallon.")
            case "shape":
                asked = json.loads(request.messages[-1].content)
                data = _choice(asked)
            case "llm_step":
                asked = json.loads(request.messages[1].content)
                data = _car(asked["inputs"]["best"][0])
            case kind:
                raise SystemExit(f"02_inputs asks something new ({kind}): {request.messages}")
        return ModelReply(data=data, model=self.name, usage=Usage(calls=0))


def _car(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": row["Name"], "miles_per_gallon": row["Miles_per_Gallon"]}


def _choice(asked: Mapping[str, Any]) -> dict[str, Any]:
    rows = asked["inputs"]["value"]
    return {"country": rows[0]["Origin"], "cars": [_car(row) for row in rows]}


async def replies(names: dict[str, Any], goals: Mapping[str, str]) -> Record:
    """Return the record of the notebook.

    Args:
        names: what it defines.
        goals: the text of its ``%%portia`` cells, by their first line.
    """
    record = Record(about="The models of 02_inputs_outputs_schemas.ipynb; true of the data.")
    model = RecordingModel(ModelOfInputs(), record)
    portia = Portia(Config(default_model=model, store="memory"), tools=names["portia"].tools)
    shell: Any = SimpleNamespace(user_ns=names, ev=lambda text: eval(text, names))
    for line, body in goals.items():
        options = parse_cell(line)
        schema = names.get(str(options.one("schema")))
        names["country"] = COUNTRIES[0]
        bound = bind(body, options.pairs("in"), shell)
        plan = await portia.aplan(
            bound.goal, plan_inputs=bound.plan_inputs(), structured_output_schema=schema
        )
        for country in COUNTRIES:
            bound.values["country"] = country
            run = await portia.arun_plan(plan, plan_run_inputs=bound.values)
            if run.final_output is None:
                raise SystemExit(f"{line}: {run.error}")
            if schema is None:
                inputs = {"best": run.final_output.value}
                done = await portia.arun_plan(names["advice_plan"], plan_run_inputs=inputs)
                if done.state != "COMPLETE":
                    raise SystemExit(f"advice_plan: {done.error}")
    for reply in record.replies:
        if reply.key[0] == "planner":
            reply.match = "key"  # the names of a table's types differ between versions of pandas
    return record
