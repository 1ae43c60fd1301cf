"""The reference page's four programs, each unchanged in a cell but for its import."""

import pytest

from tests.kernel.conftest import Kernel
from tests.servers.openai_server import OpenAIServer
from tests.servers.tavily_server import TavilyServer
from tests.stories.programs import environment_of
from tests.stories.test_the_page import PAGE, PLANNED, answer, printed_as_the_page_prints

PLANNED_OUTPUTS = [step["output"] for step in PLANNED["steps"]]
BUILT_OUTPUTS = [f"$step_{i}_output" for i in range(3)]


@pytest.mark.timeout(90)
def test_the_four_programs_run_in_cells_and_print_as_on_the_page(start_kernel):
    with OpenAIServer(answer) as openai, TavilyServer() as tavily:
        kernel: Kernel = start_kernel(environment=environment_of(openai, tavily))
        kernel.run("%load_ext portia_nb").raise_for_error()
        for name, outputs in (
            ("run_plan", BUILT_OUTPUTS),
            ("arun_plan", BUILT_OUTPUTS),
            ("run", PLANNED_OUTPUTS),
            ("arun", PLANNED_OUTPUTS),
        ):
            source = (PAGE / f"{name}.txt").read_text()
            cell = source.replace("from portia import", "from portia_nb import")
            done = kernel.run(cell).raise_for_error()
            printed_as_the_page_prints(done.out, outputs)
            assert "done" in done.text
        assert len(openai.requests) == 2 * 3 + 2 * 2
