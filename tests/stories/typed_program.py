"""A program as its author's editor sees it: pyright finds nothing in it (`make check`)."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from portia_nb import (
    Config,
    InMemoryToolRegistry,
    Input,
    Plan,
    PlanBuilderV2,
    PlanRun,
    PlanRunState,
    Portia,
    StepOutput,
    Tool,
    example_tool_registry,
    tool,
)


class Forecast(BaseModel):
    """The weather of one city."""

    city: str
    degrees: float


@tool
def warmer(city: str, by: float = 1.0) -> str:
    """Warm a city.

    Args:
        city: which.
        by: degrees.
    """
    return f"{city} +{by}"


@tool(side_effect=False, retries=2)
async def colder(city: str) -> str:
    """Cool a city.

    Args:
        city: which.
    """
    return city


def mean(values: list[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def build() -> Plan:
    """Return a plan with a step of several kinds."""
    return (
        PlanBuilderV2("Compare")
        .input(name="cities", description="Which", default_value=["Rome"])
        .function_step(function=mean, args={"values": [1.0, 2.0]}, step_name="mean")
        .invoke_tool_step(tool=warmer(), args={"city": Input("cities")}, step_name="warm")
        .single_tool_agent_step(tool=colder(), task="Cool it", inputs=[StepOutput("warm")])
        .llm_step(task=f"Compare {StepOutput('mean')}", output_schema=Forecast)
        .final_output(output_schema=Forecast)
        .build()
    )


def work(portia: Portia, plan: Plan) -> PlanRun:
    """Run the plan and answer what it asks."""
    run = portia.run_plan(plan, plan_run_inputs={"cities": ["Oslo"]})
    while run.state == PlanRunState.NEED_CLARIFICATION:
        for question in run.get_outstanding_clarifications():
            run = portia.resolve_clarification(question, "yes", run)
        run = portia.resume(run)
    return run


async def main() -> None:
    """Wire it up."""
    tools: list[Tool] = [warmer(), colder()]
    portia = Portia(Config(store="memory"), tools=example_tool_registry + tools)
    other = Portia(config=Config.from_default(), tools=InMemoryToolRegistry.from_local_tools(tools))
    run = await portia.arun_plan(build())
    again = await other.arun("Which city is warmer?", structured_output_schema=Forecast)
    print(  # noqa: T201
        run.outputs.final_output, again.outputs["warm"].value, run.model_dump_json(indent=2)
    )


if __name__ == "__main__":
    asyncio.run(main())
