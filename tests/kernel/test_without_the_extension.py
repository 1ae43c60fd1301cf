"""N35: plans and runs show themselves in a kernel that has only imported portia_nb."""

from collections.abc import Callable

from tests.kernel.conftest import Kernel

MAKING = """
import sys
from portia_nb import Config, PlanBuilderV2, Portia
light = [name for name in ("ipywidgets", "anywidget", "openai") if name in sys.modules]
portia = Portia(Config(store="memory", default_log_level="ERROR"), tools=[])
plan = PlanBuilderV2("<b>Add</b>").function_step(function=lambda: 42, step_name="sum").build()
run = portia.run_plan(plan)
"""


def test_N35_a_plan_and_a_run_show_themselves_without_load_ext(start_kernel: Callable[..., Kernel]):
    kernel = start_kernel()
    kernel.run(MAKING).raise_for_error()
    (plan,) = kernel.run("plan").raise_for_error().displays
    assert '<img src="data:image/svg+xml' in plan["text/html"]
    assert "application/vnd.portia.plan+json" in plan
    assert "sum" in plan["text/plain"]
    (run,) = kernel.run("run").raise_for_error().displays
    assert "42" in run["text/plain"]
    assert "done" in run["text/plain"]
    assert "42" in run["text/html"]
    for shown in (plan, run):
        assert "<script" not in shown["text/html"]
        assert "<b>Add" not in shown["text/html"]
    # What print and logs say is as it was, and nothing heavy came with it.
    assert kernel.evaluate("repr(run).startswith('PlanRun(')") is True
    widgets = "[name for name in ('anywidget', 'openai') if name in sys.modules]"
    assert kernel.evaluate(widgets) == kernel.evaluate("light") == []
