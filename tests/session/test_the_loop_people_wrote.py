"""The loop that people wrote for the reference, over every shape of plan that may ask.

    while run.state == NEED_CLARIFICATION: … resolve_clarification … resume

Each question is asked once, each answer is used where it belongs, and what was done stays done.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portia_nb import (
    Config,
    Input,
    InputClarification,
    Plan,
    PlanBuilderV2,
    PlanRun,
    PlanRunState,
    Portia,
    StepOutput,
    ToolRunContext,
    tool,
)


class Trip:
    """Plans whose steps ask, and what they have called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        trip = self

        @tool
        def ask(ctx: ToolRunContext, about: str) -> Any:
            """Ask a person about something."""
            if ctx.clarifications:
                trip.calls.append(f"ask {about}")
                return ctx.clarifications[-1].response
            return InputClarification(argument_name="x", user_guidance=f"What of {about}?")

        self.ask = ask

    def early(self) -> str:
        self.calls.append("early")
        return "early"

    def builder(self) -> PlanBuilderV2:
        return PlanBuilderV2().function_step(function=self.early, step_name="early")

    def done(self, builder: PlanBuilderV2, said: StepOutput) -> Plan:
        def end(early: str, said: Any) -> Any:
            self.calls.append("end")
            return [early, said]

        args = {"early": StepOutput("early"), "said": said}
        return builder.function_step(function=end, args=args, step_name="end").build()

    def asks(self, builder: PlanBuilderV2, about: Any) -> None:
        builder.invoke_tool_step(tool=self.ask, args={"about": about}, step_name="said")

    # -- shapes ----------------------------------------------------------------------------------

    def top(self) -> Plan:
        builder = self.builder()
        self.asks(builder, "a")
        return self.done(builder, StepOutput("said"))

    def twice(self) -> Plan:
        builder = self.builder()
        builder.user_input(message="What of a?", step_name="first")
        self.asks(builder, StepOutput("first"))
        return self.done(builder, StepOutput("said"))

    def branch(self) -> Plan:
        builder = self.builder()
        with builder.if_(lambda early: early == "early", {"early": StepOutput("early")}):
            self.asks(builder, "a")
        with builder.else_():
            builder.user_input(message="never", step_name="never")
        return self.done(builder, StepOutput("said"))

    def for_each(self) -> Plan:
        builder = self.builder()
        with builder.loop(over=["a", "b", "a"], step_name="each") as item:
            self.asks(builder, item)
        return self.done(builder, StepOutput("said", full=True))

    def at_once(self) -> Plan:
        builder = self.builder()
        with builder.loop(over=["a", "b"], parallel=True, step_name="each") as item:
            builder.invoke_tool_step(
                tool=self.ask, args={"about": item}, step_name="said", side_effect=False
            )
        return self.done(builder, StepOutput("said", full=True))

    def while_(self) -> Plan:
        builder = self.builder()
        with builder.loop(
            do_while_=lambda said: said != "A!",
            args={"said": StepOutput("said")},
            step_name="until",
        ):
            builder.user_input(message="What of a?", step_name="said")
        return self.done(builder, StepOutput("said"))

    def sub_plan(self) -> Plan:
        inner = PlanBuilderV2().input(name="about")
        inner.function_step(function=self.inside, step_name="inside")
        self.asks(inner, Input("about"))
        builder = self.builder()
        builder.add_sub_plan(inner.build(), {"about": "a"}, step_name="inner")
        return self.done(builder, StepOutput("inner"))

    def inside(self) -> None:
        self.calls.append("inside")

    def nested(self) -> Plan:
        inner = PlanBuilderV2().input(name="places")
        with inner.loop(over=Input("places"), step_name="each_place") as place:
            with inner.if_(lambda place: place != "b", {"place": place}, step_name="is_known"):
                self.asks(inner, place)
            with inner.else_():
                inner.function_step(function=lambda: "skipped", step_name="skipped")
        inner.function_step(
            function=lambda said: said,
            args={"said": StepOutput("said", full=True)},
            step_name="all",
        )
        builder = self.builder()
        with builder.loop(over=[["a", "b"], ["c"]], step_name="each") as places:
            builder.add_sub_plan(inner.build(), {"places": places}, step_name="inner")
        return self.done(builder, StepOutput("inner", full=True))

    def planned(self) -> Plan:
        """Return what a planner makes: bound arguments, and references."""
        steps = [
            {"task": "Ask first", "tool_id": "early", "inputs": [], "output": "$early"},
            {
                "task": "Ask about it",
                "tool_id": "ask",
                "inputs": [{"name": "$early", "description": "what there is"}],
                "output": "$said",
                "args": {"about": {"value": "a"}},
            },
            {
                "task": "End",
                "tool_id": "end",
                "inputs": [],
                "output": "$end",
                "args": {
                    "early": {"step": "early", "path": ""},
                    "said": {"step": "said", "path": ""},
                },
            },
        ]
        context = {"query": "ask", "tool_ids": ["early", "ask", "end"]}
        return Plan.model_validate({"plan_context": context, "steps": steps, "plan_inputs": []})

    def tools(self) -> list[Any]:
        trip = self

        @tool
        def early() -> str:
            """Do something that must not be repeated."""
            return trip.early()

        @tool
        def end(early: str, said: str) -> list[str]:
            """Put both together."""
            trip.calls.append("end")
            return [early, said]

        return [early, self.ask, end]


ONE = (["What of a?"], "A!", ["early", "ask a", "end"])
SHAPES: dict[str, tuple[Callable[[Trip], Plan], list[str], Any, list[str]]] = {
    "top": (Trip.top, *ONE),
    "two questions": (
        Trip.twice,
        ["What of a?", "What of A!?"],
        "A!!",
        ["early", "ask A!", "end"],
    ),
    "branch": (Trip.branch, *ONE),
    "for-each": (
        Trip.for_each,
        ["What of a?", "What of b?", "What of a?"],
        ["A!", "B!", "A!"],
        ["early", "ask a", "ask b", "ask a", "end"],
    ),
    "for-each, rounds at once": (
        Trip.at_once,
        ["What of a?", "What of b?"],
        ["A!", "B!"],
        ["early", "ask a", "ask b", "end"],
    ),
    "do-while": (Trip.while_, ["What of a?", "What of a?"], "A!", ["early", "end"]),
    "sub-plan": (Trip.sub_plan, ["What of a?"], "A!", ["early", "inside", "ask a", "end"]),
    "nested": (
        Trip.nested,
        ["What of a?", "What of c?"],
        [["A!"], ["C!"]],
        ["early", "ask a", "ask c", "end"],
    ),
    "planned": (Trip.planned, *ONE),
}


def answer_to(question: str, shape: str, number: int) -> str:
    if shape == "do-while" and number == 0:
        return "again"
    return question.removeprefix("What of ").removesuffix("?").upper() + "!"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("where", ["memory", "journal", "journal, another Portia each time"])
def test_the_loop_works(shape: str, where: str, tmp_path: Path) -> None:
    make, questions, said, calls = SHAPES[shape]
    trip = Trip()
    plan = make(trip)

    def portia() -> Portia:
        store = "memory" if where == "memory" else str(tmp_path)
        return Portia(Config(store=store, default_log_level="ERROR"), tools=trip.tools())

    us = portia()
    run = us.run_plan(plan)
    asked: list[str] = []
    while run.state == PlanRunState.NEED_CLARIFICATION:
        assert run.outputs["early"].value == "early"
        for question in run.get_outstanding_clarifications():
            if "another" in where:
                us.store.close()
                us = portia()
            answer = answer_to(question.user_guidance, shape, len(asked))
            asked.append(question.user_guidance)
            run = us.resolve_clarification(question, answer, run)
        run = us.resume(run)
    assert run.state == PlanRunState.COMPLETE, run.error
    assert sorted(asked) == sorted(questions)
    assert run.outputs["end"].value == ["early", said]
    assert sorted(trip.calls) == sorted(calls) if "at once" in shape else trip.calls == calls
    assert PlanRun.model_validate_json(run.model_dump_json()).state == PlanRunState.COMPLETE


PROGRAM = """
import sys
from tests.session import test_the_loop_people_wrote as these
from portia_nb import Config, Portia

store, shape = sys.argv[1:]
trip = these.Trip()
plan = these.SHAPES[shape][0](trip)
portia = Portia(Config(store=store, default_log_level="ERROR"), tools=trip.tools())
rows = portia.store.find_runs()
if not rows:
    run = portia.run_plan(plan)
else:
    run = portia.get_run(rows[0].run_id)
    question = run.get_outstanding_clarifications()[0]
    run = portia.resolve_clarification(
        question, these.answer_to(question.user_guidance, shape, 1), run
    )
    if run.state == "READY_TO_RESUME":
        run = portia.resume(run)
final = run.final_output.value if run.state == "COMPLETE" else None
asked = [q.user_guidance for q in run.get_outstanding_clarifications()]
these.print_json([run.state, final, asked, trip.calls])
"""


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def in_a_process(tmp_path: Path, shape: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), shape],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_turn_of_the_loop_may_be_a_process_of_its_own(tmp_path: Path) -> None:
    turns = [in_a_process(tmp_path, "nested") for _ in range(3)]
    assert turns == [
        ["NEED_CLARIFICATION", None, ["What of a?"], ["early"]],
        ["NEED_CLARIFICATION", None, ["What of c?"], ["ask a"]],
        ["COMPLETE", ["early", [["A!"], ["C!"]]], [], ["ask c", "end"]],
    ]


async def test_one_plan_object_that_asks_in_loops_runs_twice_at_once() -> None:
    import asyncio

    trip = Trip()
    plan = trip.nested()
    us = Portia(Config(store="memory", default_log_level="ERROR"), tools=trip.tools())

    async def one(mark: str) -> Any:
        run = await us.arun_plan(plan)
        while run.state == PlanRunState.NEED_CLARIFICATION:
            for question in run.get_outstanding_clarifications():
                run = await us.aresolve_clarification(
                    question, f"{question.user_guidance[8:-1]}{mark}"
                )
            run = await us.aresume(run)
        return run.outputs["end"].value

    assert await asyncio.gather(one("1"), one("2")) == [
        ["early", [["a1"], ["c1"]]],
        ["early", [["a2"], ["c2"]]],
    ]
