"""`CLIExecutionHooks`: a program's runs ask their questions at its terminal."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from portia_nb import (
    ClarificationHandler,
    CLIExecutionHooks,
    Config,
    ExecutionHooks,
    PlanBuilderV2,
    Portia,
)

from .command import OnTerminal

PROGRAM = """
import sys
from portia_nb import (
    ActionClarification, CLIExecutionHooks, Config, CustomClarification, InputClarification,
    MultipleChoiceClarification, PlanBuilderV2, Portia, ToolRunContext,
    UserVerificationClarification, ValueConfirmationClarification, tool,
)
QUESTIONS = {
    "action": ActionClarification(action_url="https://example.org/in", user_guidance="Sign in"),
    "input": InputClarification(argument_name="name", user_guidance="Whose?"),
    "choice": MultipleChoiceClarification(user_guidance="Which?", options=("red", "blue")),
    "confirm": ValueConfirmationClarification(argument_name="n", user_guidance="Is n 3?"),
    "verify": UserVerificationClarification(user_guidance="Go on?"),
    "custom": CustomClarification(name="size", data={"unit": "cm"}, user_guidance="How long?"),
    "soon": InputClarification(user_guidance="Quick?", default="slow", expires_in_s=0.3),
}
@tool(side_effect=False)
def ask(ctx: ToolRunContext, kind: str) -> object:
    "Ask."
    if ctx.clarifications:
        return ctx.clarifications[-1].response
    return QUESTIONS[kind]

builder = PlanBuilderV2()
for kind in sys.argv[1:]:
    builder.invoke_tool_step(tool=ask, args={"kind": kind}, step_name=kind)
portia = Portia(Config(store="memory", default_log_level="ERROR"), tools=[],
                execution_hooks=CLIExecutionHooks())
run = portia.run_plan(builder.build())
print(run.state, [run.outputs[kind].value for kind in sys.argv[1:] if run.state == "COMPLETE"])
"""


@pytest.fixture
def program(tmp_path: Path) -> tuple[object, ...]:
    file = tmp_path / "main.py"
    file.write_text(PROGRAM)
    return (sys.executable, file)


CASES = [
    ("action", "https://example.org/in\nEnter when done> ", "", True),
    ("input", "Whose?\n> ", "Ada", "Ada"),
    ("choice", "2. blue\nnumber or text> ", "2", "blue"),
    ("confirm", "yes or no> ", "y", True),
    ("verify", "yes or no> ", "no", False),
    ("custom", "unit: cm\n> ", "12", "12"),
]


@pytest.mark.parametrize(("kind", "shown", "typed", "answer"), CASES, ids=[c[0] for c in CASES])
def test_every_kind_of_question_is_asked_at_the_terminal(
    program: Any, kind: str, shown: str, typed: str, answer: Any
) -> None:
    with OnTerminal(kind, program=program) as terminal:
        terminal.expect(shown.replace("\n", "\r\n"))
        terminal.type(typed)
        assert terminal.end() == (0, f"COMPLETE [{answer!r}]\n")


def test_what_is_not_allowed_is_asked_again_and_questions_come_one_at_a_time(program: Any) -> None:
    with OnTerminal("choice", "verify", program=program) as terminal:
        for _ in range(2):
            screen = terminal.expect("> ")
            if "Go on?" in screen and screen.rfind("Go on?") > screen.rfind("Which?"):
                terminal.type("yes")
            else:
                terminal.type("green")
                terminal.expect("'green' is not offered")
                terminal.expect("number or text> ")
                terminal.type("red")
        assert terminal.end() == (0, "COMPLETE ['red', True]\n")


def test_at_the_end_of_input_the_question_stays_open(program: Any) -> None:
    with OnTerminal("input", program=program) as terminal:
        terminal.expect("Whose?")
        terminal.hang_up()
        assert terminal.end() == (0, "NEED_CLARIFICATION []\n")


def test_a_question_whose_time_is_up_is_taken_from_the_terminal(program: Any) -> None:
    with OnTerminal("soon", program=program) as terminal:
        terminal.expect("Quick?")
        terminal.expect("the time for this answer is up")
        assert terminal.end() == (0, "COMPLETE ['slow']\n")


def test_an_interrupt_at_a_question_ends_the_program_cleanly(program: Any) -> None:
    with OnTerminal("input", program=program) as terminal:
        terminal.expect("Whose?\r\n> ")
        terminal.interrupt()
        status, _ = terminal.end()
        assert status in (1, 130, -2)
        assert "KeyboardInterrupt" in terminal.screen
        assert "Fatal" not in terminal.screen


def test_without_a_terminal_a_default_answers_and_else_the_question_stays_open() -> None:
    for default, state in (("Oslo", "COMPLETE"), (None, "NEED_CLARIFICATION")):
        us = Portia(Config(store="memory"), tools=[], execution_hooks=CLIExecutionHooks())
        plan = PlanBuilderV2().user_input(message="?", default=default, step_name="x").build()
        assert us.run_plan(plan).state == state


def test_they_are_hooks_like_others_with_a_handler_that_may_be_replaced() -> None:
    def log(*_: Any) -> None: ...

    other = ClarificationHandler()
    hooks = CLIExecutionHooks(after_step_execution=log)
    assert isinstance(hooks, ExecutionHooks) and hooks.after_step_execution is log
    assert isinstance(hooks.clarification_handler, ClarificationHandler)
    assert CLIExecutionHooks(clarification_handler=other).clarification_handler is other
    assert dataclasses.replace(hooks, before_plan_run=log).before_plan_run is log
