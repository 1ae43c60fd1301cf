"""A step that changes what it is given changes nothing of what other runs take over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portia_nb import Input, PlanBuilderV2, StepOutput

from .stage import portia


@pytest.mark.parametrize("kind", ["memory", "journal"])
def test_a_fork_takes_over_outputs_and_inputs_as_they_were(tmp_path: Path, kind: str):
    def make() -> dict[str, Any]:
        return {"rows": [1, 2], "pair": ([3], "text")}

    def spoil(made: dict[str, Any], given: list[int]) -> str:
        made["rows"].append(len(made["rows"]))
        made["pair"][0].clear()
        given.append(9)
        return f"{made} {given}"

    plan = (
        PlanBuilderV2()
        .input(name="given")
        .function_step(function=make, step_name="make")
        .function_step(
            function=spoil,
            args={"made": StepOutput("make"), "given": Input("given")},
            step_name="spoil",
        )
        .build()
    )
    home = portia("memory" if kind == "memory" else str(tmp_path))
    run = home.run_plan(plan, plan_run_inputs={"given": [7]})
    assert run.final_output.value == "{'rows': [1, 2, 2], 'pair': ([], 'text')} [7, 9]"
    fork = home.fork(run, "spoil")
    assert fork.final_output.value == run.final_output.value
    assert home.fork(fork, "spoil").final_output.value == run.final_output.value
