"""B9, B10 and the six reference workloads: how many model calls each takes, and how much text.

Every count is the least that its plan allows; `docs/performance.md` says why. The models are
servers on loopback that check each request strictly, so a call that a provider would refuse
doesn't count as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from portia_nb import (
    Config,
    PlanBuilderV2,
    PlanRun,
    PlanRunState,
    Portia,
    StepOutput,
    example_tool_registry,
    tool,
)
from portia_nb.model.plan import Plan
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Call, Reply
from tests.servers.tavily_server import TavilyServer

from .row import Row

QUERY = "Which stock price grew faster in 2024, Amazon or Google?"
CITIES = ("Athens", "Bergen", "Cairo", "Dakar", "Evora", "Fukuoka")


@dataclass(frozen=True)
class Workload:
    """Something that people do, the calls that it can't do without, and who answers them."""

    number: int
    what: str
    calls: int
    characters: int
    """The most that its prompts may hold, all together."""
    reply: Callable[[Any], Any]
    work: Callable[[Portia], PlanRun]
    row: str = ""
    """The row of the bench table that it also is."""


@dataclass(frozen=True)
class Counted:
    """What one workload took."""

    workload: Workload
    run: PlanRun
    calls: int
    characters: int
    tool_calls: int


def count(workload: Workload) -> Counted:
    """Do the workload once, against servers of its own.

    Raises:
        AssertionError: the run didn't complete, or a request was not one that a provider takes.
    """
    with ExitStack() as opened:
        openai = opened.enter_context(OpenAIServer(workload.reply))
        tavily = opened.enter_context(TavilyServer())
        run = workload.work(portia_at(openai, tavily))
        if run.state != PlanRunState.COMPLETE:
            raise AssertionError(f"{workload.what}: {run.state}: {run.error}")
        if openai.violations or tavily.violations:
            raise AssertionError(f"{workload.what}: {openai.violations + tavily.violations}")
        return Counted(
            workload, run, len(openai.requests), openai.prompt_characters, len(tavily.requests)
        )


def calls_and_characters() -> Iterator[Row]:
    """Print a row for the calls of each workload, and for its prompts."""
    for workload in WORKLOADS:
        counted = count(workload)
        name = workload.row or f"W{workload.number}"
        yield Row(name, f"{workload.what}: model calls", counted.calls, workload.calls, "calls")
        yield Row(
            name,
            f"{workload.what}: prompts",
            counted.characters,
            workload.characters,
            "characters",
        )


def portia_at(openai: OpenAIServer, tavily: TavilyServer) -> Portia:
    """Return a Portia whose models and search are these servers."""
    return Portia(
        Config(
            llm_provider="openai",
            openai_api_key="sk-bench",
            base_url=openai.url,
            tavily_api_key="tvly-bench",
            tavily_base_url=tavily.url,
            store="memory",
            default_log_level="WARN",
        ),
        tools=example_tool_registry,
    )


# -- 1 and 2: the page ---------------------------------------------------------------------------


def _planned(
    task: str,
    output: str,
    *,
    search: str | None = None,
    reads: tuple[str, ...] = (),
    condition: str | None = None,
) -> dict[str, Any]:
    return {
        "task": task,
        "inputs": [{"name": name, "description": "What was found."} for name in reads],
        "tool_id": "llm_tool" if search is None else "search_tool",
        "output": output,
        "args": None if search is None else {"search_query": search},
        "condition": condition,
    }


PLANNED: dict[str, Any] = {
    "steps": [
        _planned("Search for Amazon's growth.", "$amazon", search="Amazon stock growth 2024"),
        _planned("Search for Google's growth.", "$google", search="Google stock growth 2024"),
        _planned("Compare their growth.", "$comparison", reads=("$amazon", "$google")),
    ],
    "error": None,
}


def reply_to_page(request: Any) -> Any:
    """Answer whatever the page's query and the page's plan ask of a model."""
    if request.schema_name:
        return PLANNED
    if request.forced_tool:
        return Reply(data={"search_query": "stock growth since the start of 2024", "missing": []})
    return "Amazon's stock price grew by 52 %, Google's by 35.5 %."


def page_plan() -> Plan:
    """Return the plan that the page builds."""
    return (
        PlanBuilderV2()
        .single_tool_agent_step(
            step_name="amazon_stock_price",
            task="Find the growth of Amazon's stock price since the start of 2024",
            tool="search_tool",
        )
        .single_tool_agent_step(
            step_name="google_stock_price",
            task="Find the growth of Google's stock price since the start of 2024",
            tool="search_tool",
        )
        .llm_step(
            task="Determine which company has grown more since the start of 2024",
            inputs=[StepOutput("amazon_stock_price"), StepOutput("google_stock_price")],
        )
        .build()
    )


# -- 3: a missing argument -----------------------------------------------------------------------


@tool(side_effect=False)
def find_table(restaurant: str, people: int, evening: str) -> str:
    """Find a free table.

    Args:
        restaurant: the restaurant's name.
        people: how many will come.
        evening: the date, as YYYY-MM-DD.
    """
    return f"A table for {people} at {restaurant} on {evening}"


def _leave_open(_request: Any) -> Any:
    missing = [{"argument": "evening", "question": "On which evening?"}]
    data = {"restaurant": "Chez Nous", "people": 4, "evening": None, "missing": missing}
    return Reply(data=data)


def _ask_and_answer(portia: Portia) -> PlanRun:
    plan = (
        PlanBuilderV2()
        .single_tool_agent_step(
            task="Find a table for four at Chez Nous", tool=find_table(), step_name="table"
        )
        .build()
    )
    run = portia.run_plan(plan)
    while run.state == PlanRunState.NEED_CLARIFICATION:
        for question in run.get_outstanding_clarifications():
            run = portia.resolve_clarification(question, "2026-03-20", run)
        run = portia.resume(run)
    assert run.outputs["table"].value == "A table for 4 at Chez Nous on 2026-03-20"
    return run


# -- 4: research with a condition ----------------------------------------------------------------

RESEARCH: dict[str, Any] = {
    "steps": [
        _planned("Search for heat pump sales.", "$sales", search="heat pump sales Europe 2024"),
        _planned("Search for gas prices.", "$gas", search="household gas price Europe 2024"),
        _planned("Say how both developed.", "$trend", reads=("$sales", "$gas")),
        _planned(
            "Search for subsidies.",
            "$subsidies",
            search="heat pump subsidies Europe 2024",
            condition="sales of heat pumps fell",
        ),
        _planned("Write the report.", "$report", reads=("$trend", "$subsidies")),
    ],
    "error": None,
}


def _research(request: Any) -> Any:
    match request.schema_name:
        case None:
            return "Sales fell by a fifth while gas became cheaper."
        case "judgement":
            return {"holds": True}
        case _:
            return RESEARCH


# -- 5: an agent with tools ----------------------------------------------------------------------


@tool(side_effect=False)
def population(city: str) -> int:
    """Look a city's population up.

    Args:
        city: its name.
    """
    return 100_000 * len(city)


def _four_calls_in_turn(request: Any) -> Any:
    done = sum(message["role"] == "tool" for message in request.messages)
    if done < 4:
        return Reply(calls=(Call(name="population", arguments={"city": CITIES[done]}),))
    return "Bergen and Cairo have the same size."


def _agent(portia: Portia) -> PlanRun:
    builder = PlanBuilderV2().react_agent_step(
        task="Which two of Athens, Bergen, Cairo and Dakar are closest in size?",
        tools=[population()],
        step_name="closest",
    )
    return portia.run_plan(builder.build())


# -- 6: a loop -----------------------------------------------------------------------------------


def _six_rows(portia: Portia) -> PlanRun:
    builder = PlanBuilderV2().loop(over=list(CITIES), step_name="city")
    builder.llm_step(
        task="Describe the city in one sentence", inputs=[StepOutput("city")], step_name="text"
    ).end_loop(step_name="end")
    return portia.run_plan(builder.build())


WORKLOADS = (
    Workload(
        1,
        "the page's query",
        2,
        6_000,
        reply_to_page,
        lambda portia: portia.run(QUERY),
        row="B9",
    ),
    Workload(
        2,
        "the page's plan",
        3,
        4_500,
        reply_to_page,
        lambda portia: portia.run_plan(page_plan()),
        row="B10",
    ),
    Workload(3, "a missing argument, asked for", 1, 1_500, _leave_open, _ask_and_answer),
    Workload(
        4,
        "five steps of research, one on a condition",
        4,
        6_500,
        _research,
        lambda portia: portia.run("Report on heat pumps in Europe."),
    ),
    Workload(
        5, "an agent's four tool calls, one after another", 5, 6_000, _four_calls_in_turn, _agent
    ),
    Workload(6, "a loop over six rows", 6, 2_000, lambda _: "It lies by the sea.", _six_rows),
)
