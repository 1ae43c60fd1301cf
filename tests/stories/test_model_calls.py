"""The six reference workloads take no more model calls than their plans need."""

from __future__ import annotations

import pytest

from benchmarks.workloads import WORKLOADS, Workload, count


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.what)
def test_a_workload_takes_the_model_calls_that_its_plan_needs(workload: Workload) -> None:
    counted = count(workload)
    assert counted.calls == workload.calls
    assert counted.characters <= workload.characters


def test_a_step_whose_arguments_the_planner_bound_asks_no_model() -> None:
    page = count(WORKLOADS[0])
    assert (page.calls, page.tool_calls) == (2, 2)
