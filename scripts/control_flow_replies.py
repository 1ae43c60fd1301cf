"""What a model says in `06_control_flow.ipynb`: worked out from what it is shown, so it is true.

`replies` runs the notebook's own plans, with every input and answer that the notebook offers, and
keeps what is asked and what is answered. `record_tutorials.py` writes it down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from portia_nb import Config, Portia
from portia_nb.llm.records import Record
from portia_nb.llm.replay import RecordingModel
from portia_nb.model.language import ModelReply, ModelRequest, ToolCall, Usage

YEARS = (2012, 2013, 2014, 2015)
BRIGHT = {"sun"}
"""Words for the sky under which sunglasses are of use."""


class ModelOfControlFlow:
    """Answers what the notebook's steps ask, from the inputs and tool results in the prompt."""

    name = "scripted"

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Return the true answer to `request`.

        Raises:
            SystemExit: it is none that the notebook asks.
        """
        asked = json.loads(request.messages[1].content)
        match request.record_key[0]:
            case "llm_step":
                return _says(_wettest_and_driest(asked["task"], asked["inputs"]["by_month"]))
            case "choose_arguments" if "July 2014" in asked["task"]:
                return _calls(("days_between", {"first": "2014-07-01", "last": "2014-07-31"}))
            case "judge":
                return ModelReply(
                    data={"holds": asked["inputs"]["sky"] in BRIGHT},
                    model=self.name,
                    usage=Usage(calls=0),
                )
            case "react":
                return _look_up_and_compare(request)
            case kind:
                raise SystemExit(f"06_control_flow asks something new ({kind}): {asked}")


def _wettest_and_driest(task: str, mm: Mapping[str, float]) -> str:
    (year,) = (year for year in YEARS if str(year) in task)
    wettest, driest = max(mm, key=lambda month: mm[month]), min(mm, key=lambda month: mm[month])
    return (
        f"In {year}, {wettest} was the wettest month with {mm[wettest]:g} mm of rain, "
        f"and {driest} the driest with {mm[driest]:g} mm."
    )


def _look_up_and_compare(request: ModelRequest) -> ModelReply:
    found = [json.loads(m.content)["output"] for m in request.messages if m.role == "tool"]
    if not found:
        return _calls(("hottest_day", {"year": 2012}), ("hottest_day", {"year": 2014}))
    first, second = found
    verdict = "Yes" if first["high"] > second["high"] else "No"
    return _says(
        f"{verdict}: the hottest day of 2012 was {first['date']} with {first['high']:g} °C, "
        f"that of 2014 {second['date']} with {second['high']:g} °C."
    )


def _says(text: str) -> ModelReply:
    return ModelReply(text=text, model=ModelOfControlFlow.name, usage=Usage(calls=0))


def _calls(*calls: tuple[str, dict[str, Any]]) -> ModelReply:
    asked = tuple(ToolCall(f"call_{n}", name, given) for n, (name, given) in enumerate(calls))
    return ModelReply(tool_calls=asked, model=ModelOfControlFlow.name, usage=Usage(calls=0))


async def replies(names: Mapping[str, Any]) -> Record:
    """Return the record of the notebook, whose plans and data are in `names`."""
    record = Record(about="The models of 06_control_flow.ipynb; true of the data.")
    model = RecordingModel(ModelOfControlFlow(), record)
    portia = Portia(Config(default_model=model, store="memory"))

    async def run(plan: str, **inputs: Any) -> None:
        done = await portia.arun_plan(names[plan], plan_run_inputs=inputs)
        if done.state != "COMPLETE":
            raise SystemExit(f"{plan} {inputs}: {done.state}, {done.outputs.final_output}")

    for year in YEARS:
        await run("year_plan", year=year)
    await run("agent_plan")
    weather = names["weather"]
    mild = weather[(weather.precipitation <= 10) & (weather.temp_max > 0)]
    for day in mild.drop_duplicates("weather").date:
        await run("walk_plan", date=f"{day:%Y-%m-%d}")
    return record
