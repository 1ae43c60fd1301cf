"""N6: what completes inside the magics, as front ends ask a kernel for it."""

from __future__ import annotations

from tests.kernel.conftest import Kernel

SETTING = """
%load_ext portia_nb
import json, os
from pydantic import BaseModel
from portia_nb import Config, PlanBuilderV2, Portia, PlanRun
portia = Portia(Config(store="memory"))
class Weather(BaseModel):
    degrees: float
sales, sold = [1, 2], 3
orders = [{"whom": "you"}]
builder = PlanBuilderV2("greet").input(name="whom")
plan = builder.function_step(function=lambda: "hi", step_name="greet").build()
"""


def test_each_place_in_a_magic_offers_what_may_stand_there_and_nothing_else(start_kernel):
    kernel: Kernel = start_kernel()
    kernel.run(SETTING).raise_for_error()
    kernel.run("done = %portia run plan --in whom='you'").raise_for_error()
    run_id = kernel.evaluate("str(done.id)")
    (kernel.folder / "answers.json").write_text("{}")

    def offered(code: str) -> list[str]:
        reply = kernel.client.complete(code, reply=True, timeout=20)["content"]
        assert all(code[: reply["cursor_start"]] + m for m in reply["matches"])
        return reply["matches"]

    # Options, and none that was given already.
    assert offered("%%portia --mo") == ["--model"]
    assert offered("%%portia --model openai/x --mo") == []
    # Commands; the left side of an assignment changes nothing, nor does `name <<`.
    for before in ("%portia ", "run = %portia ", "x['a b'] = %portia ", "%portia run << "):
        assert offered(f"{before}res") == ["resume"]
    assert offered("%portia can") == ["cancel"]
    # Plans and runs, by the variables that hold them and by their ids.
    plan_id = kernel.evaluate("str(plan.id)")
    assert offered("%portia run ") == sorted(["plan", plan_id])
    assert offered("%portia resume ") == offered("%portia diff done ") == sorted(["done", run_id])
    assert offered(f"%portia resume {run_id[:9]}") == [run_id]
    assert offered("%portia show ") == sorted(["done", run_id, "plan", plan_id])
    assert offered("%portia use ") == ["portia"]
    # Steps, inputs, fields, and values of options.
    assert offered("%portia fork done ") == ["greet"]
    assert offered("%portia run plan --in ") == ["whom="]
    assert offered("%portia run plan --in whom=sa") == ["sales"]
    assert offered("%portia fork done greet --set ta") == ["task="]
    assert offered("%%portia --schema ") == ["Weather"]
    assert offered("%%portia --tools calculator_tool,llm_") == ["llm_tool"]
    assert "openai/gpt-5" in "".join(offered("%%portia --model openai/"))
    assert offered("%%portia --replay ") == ["answers.json"]
    assert offered("%portia config max_m") == ["max_model_calls"]
    assert offered("%portia config PortiaMagics.as") == [
        "PortiaMagics.ask",
        "PortiaMagics.asyncio_run",
    ]
    states = offered("%portia runs --state ")
    assert '"needs you"' in states
    assert '"process died"' in states
    assert offered("%portia map plan ") == ["orders"]
    # The goal is no Python; values of the notebook stand in {{ }} alone.
    assert offered("%%portia\nimp") == []
    assert offered("%%portia\nprint(sal") == []
    assert offered("%%portia --plan\nAdd {{ sal") == ["sales"]
    assert offered("%portia plan imp") == []
    assert offered("%portia nosuch imp") == []
    # Outside of the magics Python's own completion is as it was.
    assert "sales" in offered("sal")
    assert "import" in offered("%%portiax\nimp")
