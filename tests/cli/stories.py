"""Plans for the command line: of built-in steps only, since a file can hold no function."""

from pathlib import Path
from typing import Any

from portia_nb import Input, PlanBuilderV2, StepOutput


def written(builder: PlanBuilderV2, name: str = "plan.json") -> str:
    """Write the builder's plan to a file of the working folder and return the file's name."""
    Path(name).write_text(builder.build().model_dump_json(), encoding="utf-8")
    return name


def sums() -> PlanBuilderV2:
    """Return two sums, the second of the first."""
    return (
        PlanBuilderV2("sums")
        .invoke_tool_step(
            tool="calculator_tool", args={"math_question": "6 * 7"}, step_name="first"
        )
        .invoke_tool_step(
            tool="calculator_tool",
            args={"math_question": f"{StepOutput('first')} + 1"},
            step_name="second",
        )
    )


def asking(**more: Any) -> PlanBuilderV2:
    """Return a sum, then a choice."""
    return (
        PlanBuilderV2("asks")
        .invoke_tool_step(tool="calculator_tool", args={"math_question": "1 + 1"}, step_name="sum")
        .user_input(message="Which city?", options=["Rome", "New York"], step_name="city", **more)
    )


def writing(content: str = "hello") -> PlanBuilderV2:
    """Return a step that changes something outside."""
    return PlanBuilderV2("writes").invoke_tool_step(
        tool="file_writer_tool",
        args={"filename": "out.txt", "content": content},
        step_name="write",
    )


def telling() -> PlanBuilderV2:
    """Return a sum, then a model's word on it."""
    return sums().llm_step(task="Say it", inputs=[StepOutput("second")], step_name="say")


def greeting() -> PlanBuilderV2:
    """Return a plan that needs an input."""
    return (
        PlanBuilderV2("greets")
        .input(name="number")
        .invoke_tool_step(
            tool="calculator_tool",
            args={"math_question": f"{Input('number')} * 2"},
            step_name="twice",
        )
    )


def to_model(url: str) -> list[str]:
    """Return the options that send model calls to a server."""
    return ["--base-url", url, "--model", "openai/any"]
