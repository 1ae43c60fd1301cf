"""Which plan a line means, where a variable and a kept name are the same word; how it shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from portia_nb import Config, Plan, PlanBuilderV2, Portia, tool
from portia_nb.errors import InvalidOption, PlanRunNotFoundError
from portia_nb.notebook import formatters
from portia_nb.notebook.commands.named import plan_to_use, run_named
from portia_nb.notebook.plan_record import plan_record
from portia_nb.session.answering import side_effects


class Notebook:
    """As much of the notebook face as it takes to name a plan."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.said: list[str] = []
        self.portia = Portia(Config(store="memory"), tools=[])

    def use(self, word: str) -> Plan:
        face: Any = SimpleNamespace(
            shell=SimpleNamespace(user_ns=self.names),
            plans={},
            portia=lambda: self.portia,
            say=self.said.append,
        )
        return plan_to_use(face, word)


def made(task: str) -> Plan:
    return PlanBuilderV2().llm_step(task=task, step_name="look").build()


def test_a_variable_that_holds_an_older_version_of_its_name_is_used_and_that_is_said():
    here = Notebook()
    here.names["trip"] = plan = made("Look")
    editor = here.portia.edit(plan, "trip")
    assert (here.use("trip"), here.said) == (plan, [])
    newer = editor.edit("look", task="Look twice")
    assert here.use("trip") is plan
    (said,) = here.said
    assert "trip holds version 1" in said
    assert "the name means version 2 now" in said
    assert f"%portia run {newer.id} runs" in said
    assert here.use(newer.id).content_hash() == newer.content_hash()
    assert here.portia.edit("trip").plan.content_hash() == newer.content_hash()
    here.said.clear()
    # Undone, the variable holds what the name means; and one that was built anew is no version.
    editor.undo()
    assert (here.use("trip"), here.said) == (plan, [])
    here.names["trip"] = made("Look elsewhere")
    assert (here.use("trip"), here.said) == (here.names["trip"], [])
    del here.names["trip"]
    editor.redo()
    assert (here.use("trip").content_hash(), here.said) == (newer.content_hash(), [])


def test_a_plan_says_which_tools_change_something_wherever_it_is_shown():
    @tool(side_effect=True)
    def post(text: str) -> str:
        """Post a text."""
        return text

    plan = PlanBuilderV2("Post it").invoke_tool_step(tool="post", args={"text": "Hi"}).build()
    portia = Portia(Config(store="memory"), tools=[post])
    face: Any = SimpleNamespace(portia=lambda: portia, remember_plan=lambda plan: None)
    shown = formatters.plan_bundle(face, plan)["text/plain"]
    kept = plan_record(portia.edit(plan), ["plan"], side_effects(plan, portia.tools))["text/plain"]
    for text in (shown, kept):
        assert f"Changes something outside: {plan.steps[0].name}" in text

    def refuse() -> Portia:
        raise InvalidOption("no Portia", option="portia")

    face.portia = refuse  # the plan is shown all the same
    assert "Changes something" not in formatters.plan_bundle(face, plan)["text/plain"]


def test_a_step_where_a_run_is_named_is_told_apart_from_a_slip():
    portia = Portia(Config(store="memory"), tools=[])
    face: Any = SimpleNamespace(
        shell=SimpleNamespace(user_ns={}),
        plans={"p": made("Look")},
        runs={},
        portia=lambda: portia,
    )
    with pytest.raises(PlanRunNotFoundError, match="'look' is no run, but a step"):
        run_named(face, "look")
    with pytest.raises(PlanRunNotFoundError, match="'luck' is no run; %portia runs lists them"):
        run_named(face, "luck")
