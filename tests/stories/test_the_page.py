"""The reference page: its four programs and its two documents, as people have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Plan, PlanRun
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Reply
from tests.servers.tavily_server import TavilyServer

from .programs import environment_of, output_of

PAGE = Path(__file__).parent / "page"
PLAN = PAGE / "plan-1dcd74a4-0af5-490a-a7d0-0df4fd983977.json"
RUN = PAGE / "prun-18d9aa91-0066-413f-af32-b979bce89821.json"
QUERY = "Which stock price grew faster in 2024, Amazon or Google?"
VERDICT = "Amazon's stock price grew by 52%, Alphabet's by 35.5%."


def searched(company: str) -> dict[str, Any]:
    return {
        "task": f"Search for the latest stock price growth data for {company.title()}.",
        "inputs": [],
        "tool_id": "search_tool",
        "output": f"${company}_stock_growth",
        "args": {"search_query": f"{company} stock growth 2024"},
        "condition": None,
    }


PLANNED: dict[str, Any] = {
    "steps": [
        searched("amazon"),
        searched("google"),
        {
            "task": "Compare the stock price growth of Amazon and Google.",
            "inputs": [
                {"name": "$amazon_stock_growth", "description": "Amazon's growth."},
                {"name": "$google_stock_growth", "description": "Google's growth."},
            ],
            "tool_id": "llm_tool",
            "output": "$stock_growth_comparison",
            "args": None,
            "condition": None,
        },
    ],
    "error": None,
}


def answer(request: Any) -> Any:
    """Plan, choose a search's words, or compare, whichever is asked."""
    if request.schema_name:
        return PLANNED
    if request.forced_tool:
        company = "Amazon" if "Amazon" in request.text else "Google"
        return Reply(data={"search_query": f"{company} stock growth", "missing": []})
    return VERDICT


def keys_of(document: Any) -> Any:
    """Return the keys of a JSON document in their order, at every depth."""
    if isinstance(document, dict):
        return [(key, keys_of(value)) for key, value in document.items()]
    return [keys_of(item) for item in document] if isinstance(document, list) else None


def printed_as_the_page_prints(text: str, outputs: list[str]) -> dict[str, Any]:
    """Check that `text` has the page's keys, order and indentation; return what it says."""
    said: dict[str, Any] = json.loads(text)
    assert text.rstrip("\n") == json.dumps(said, indent=2, ensure_ascii=False)
    page = json.loads(RUN.read_text())
    one_output = next(iter(page["outputs"]["step_outputs"].values()))
    page["outputs"]["step_outputs"] = dict.fromkeys(outputs, one_output)
    shown = {**said, "outputs": {**said["outputs"]}}
    # A search's value is a list of results, where the page has the words of one.
    shown["outputs"]["step_outputs"] = {
        name: dict.fromkeys(kept) for name, kept in said["outputs"]["step_outputs"].items()
    }
    assert keys_of(shown) == keys_of(page)
    assert said["id"].startswith("prun-")
    assert said["plan_id"].startswith("plan-")
    assert (said["state"], said["current_step_index"]) == ("COMPLETE", 2)
    assert said["outputs"]["clarifications"] == []
    assert said["outputs"]["final_output"]["value"] == VERDICT
    assert said["outputs"]["step_outputs"][outputs[-1]]["value"] == VERDICT
    return said


def run_program(folder: Path, name: str) -> tuple[str, OpenAIServer, TavilyServer]:
    """Run one of the page's programs, only its import changed."""
    source = (PAGE / f"{name}.txt").read_text()
    assert source.count("from portia import") == 1
    source = source.replace("from portia import", "from portia_nb import")
    with OpenAIServer(answer) as openai, TavilyServer() as tavily:
        out = output_of(folder, source, variables=environment_of(openai, tavily))
    return out, openai, tavily


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["run_plan", "arun_plan"])
def test_the_page_s_plan_runs_in_three_model_calls_and_prints_as_on_the_page(
    project: Path, name: str
):
    out, openai, tavily = run_program(project, name)
    printed_as_the_page_prints(out, [f"$step_{i}_output" for i in range(3)])
    assert len(openai.requests) == 3
    assert openai.prompt_characters <= 4_500
    asked = sorted(request.body["query"] for request in tavily.requests)
    assert asked == ["Amazon stock growth", "Google stock growth"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["run", "arun"])
def test_the_page_s_query_runs_in_two_model_calls_and_prints_as_on_the_page(
    project: Path, name: str
):
    out, openai, tavily = run_program(project, name)
    printed_as_the_page_prints(out, [step["output"] for step in PLANNED["steps"]])
    assert len(openai.requests) == 2
    assert QUERY in openai.requests[0].text
    assert openai.prompt_characters <= 6_000
    asked = sorted(request.body["query"] for request in tavily.requests)
    assert asked == ["amazon stock growth 2024", "google stock growth 2024"]


@pytest.mark.parametrize(("kind", "path"), [(Plan, PLAN), (PlanRun, RUN)])
def test_a_document_of_the_page_loads_and_prints_back_as_it_was(
    kind: type[Plan] | type[PlanRun], path: Path
):
    text = path.read_text()
    loaded = kind.model_validate_json(text)
    assert json.loads(loaded.model_dump_json(indent=2)) == json.loads(text)
    assert loaded.model_dump_json(indent=2) == text.rstrip("\n")


def test_the_documents_of_the_page_say_what_they_hold():
    plan = Plan.model_validate_json(PLAN.read_text())
    run = PlanRun.model_validate_json(RUN.read_text())
    assert [step.tool_id for step in plan.steps] == ["search_tool", "search_tool", "llm_tool"]
    assert [str(v.name) for v in plan.steps[2].inputs] == [
        "$amazon_stock_growth",
        "$google_stock_growth",
    ]
    assert run.state == "COMPLETE"
    assert run.outputs["$google_stock_growth"].value.startswith("In 2024, Google's parent")
    assert run.final_output == run.outputs["$faster_growth"]
