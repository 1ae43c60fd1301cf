"""What ``%portia doctor`` finds."""

from __future__ import annotations

import threading

from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.session import examining


def test_a_thread_that_goes_on_after_its_step_was_left_is_listed_until_it_ends():
    let_go = threading.Event()
    builder = PlanBuilderV2("hangs").function_step(
        function=lambda: let_go.wait(15), step_name="hang", timeout_s=0.05
    )
    portia = Portia(Config(store="memory"), tools=[])
    run = portia.run_plan(builder.build())
    assert run.error is not None
    assert "its thread can't be stopped" in run.error.message

    def busy() -> list[str]:
        return [each.found for each in examining._tools(portia) if "busy" in each.what]

    (says,) = busy()
    assert "step 'hang'" in says
    let_go.set()
    while busy():
        pass
