"""A run calls the tools of an MCP server like any other, and gates those that destroy."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portia_nb import (
    Config,
    Input,
    McpToolRegistry,
    PlanBuilderV2,
    PlanRunState,
    Portia,
    StepOutput,
)
from portia_nb.config import StorageClass
from portia_nb.running.unfinished import idempotency_key

SERVER = str(Path(__file__).with_name("official_server.py"))
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def registry() -> Iterator[McpToolRegistry]:
    with McpToolRegistry.from_stdio_connection("local", sys.executable, [SERVER, "stdio"]) as made:
        yield made


def portia(registry: McpToolRegistry, **settings: Any) -> Portia:
    return Portia(Config(storage_class=StorageClass.MEMORY, **settings), tools=registry)


async def test_steps_hand_each_other_what_a_server_answers(registry: McpToolRegistry) -> None:
    plan = (
        PlanBuilderV2("Add")
        .input(name="start")
        .invoke_tool_step(tool="mcp:local:add", args={"a": Input("start")}, step_name="first")
        .invoke_tool_step(tool="mcp:local:add", args={"a": 1, "b": StepOutput("first")})
        .invoke_tool_step(
            tool="mcp:local:mirror", args={"point": {"x": StepOutput("first"), "y": 1}}
        )
        .build()
    )
    runs = await asyncio.gather(
        *(portia(registry).arun_plan(plan, plan_run_inputs={"start": n}) for n in (1, 2))
    )
    for n, run in zip((1, 2), runs, strict=True):
        assert run.state is PlanRunState.COMPLETE
        values = [output.get_value() for output in run.outputs.step_outputs.values()]
        assert values == [n + 2, n + 3, {"x": -float(n + 2), "y": -1.0}]


def test_a_run_in_plain_code_that_meets_a_crash_fails_and_says_which_tool_it_was(
    registry: McpToolRegistry,
) -> None:
    plan = PlanBuilderV2("Crash").invoke_tool_step(tool="mcp:local:crash").build()
    run = portia(registry).run_plan(plan)
    assert run.state is PlanRunState.FAILED
    assert "tool 'mcp:local:crash' of MCP server 'local' did not answer" in str(
        run.outputs.final_output and run.outputs.final_output.get_value()
    )


def test_a_tool_that_destroys_is_asked_about_with_its_exact_arguments(
    registry: McpToolRegistry,
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def approve(tool_id: str, arguments: dict[str, Any]) -> bool:
        asked.append((tool_id, arguments))
        return False

    plan = (
        PlanBuilderV2("Erase")
        .invoke_tool_step(tool="mcp:local:erase", args={"name": "all\u202e"})
        .build()
    )
    run = portia(registry, approve=approve).run_plan(plan)
    assert run.state is PlanRunState.FAILED
    assert asked == [("mcp:local:erase", {"name": "all\u202e"})]


async def test_a_server_is_told_the_calls_key_so_that_it_can_know_one_that_is_made_again() -> None:
    rogue = str(Path(SERVER).with_name("rogue_server.py"))
    with McpToolRegistry.from_stdio_connection("r", sys.executable, [rogue, "says_meta"]) as made:
        builder = PlanBuilderV2("Call").invoke_tool_step(tool="mcp:r:t", args={"n": 1})
        run = await portia(made).arun_plan(builder.build())
    told = json.loads(run.outputs["step_0"].value)
    assert told["portia-nb/idempotency-key"] == idempotency_key(run.id, "step_0")
