"""Old code in cells: `as_portia()` in one cell, `import portia` in the next."""

from tests.kernel.conftest import Kernel

OLD = """
import portia
from portia import Config, PlanBuilderV2, PlanRunState
from portia.builder.reference import StepOutput

order = []
plan = (
    PlanBuilderV2("Old code")
    .function_step(function=lambda: order.append("a") or 1, step_name="a", side_effect=False)
    .function_step(function=lambda: order.append("b") or 2, step_name="b", side_effect=False)
    .user_input(message="Which?", step_name="which")
    .function_step(function=lambda a, b: (a, b), args={"a": StepOutput("a"), "b": StepOutput("b")})
    .build()
)
runner = portia.Portia(Config(store="memory"), tools=[])
run = runner.run_plan(plan)
while run.state == PlanRunState.NEED_CLARIFICATION:
    for question in run.get_outstanding_clarifications():
        run = runner.resolve_clarification(question, "this", run)
    run = await runner.aresume(run)
"""


def test_old_code_runs_in_cells_and_its_runs_are_shown_live(start_kernel):
    kernel: Kernel = start_kernel()
    kernel.run("%load_ext portia_nb\nfrom portia_nb import as_portia\nas_portia()")
    result = kernel.run(OLD)
    result.raise_for_error()
    assert "Old code" in result.text
    assert kernel.evaluate("run.state.value") == "COMPLETE"
    assert kernel.evaluate("list(run.outputs.final_output.value)") == [1, 2]
    assert kernel.evaluate("order") == ["a", "b"]
    assert kernel.evaluate("runner.config.max_parallel_steps") == 1
    # An unknown name is said in the cell as what it is.
    failed = kernel.run("from portia import PortiaCloudStorage")
    assert failed.ename == "LeftOut"
    assert "a cloud service that is closed" in failed.evalue
    kernel.close()
