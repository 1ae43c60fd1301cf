"""Code for cells: a Portia, tools and functions that write down each call, and plans over them."""

from pathlib import Path
from typing import Any

SETTING = """
import asyncio, threading, time
from pathlib import Path
from portia_nb import Config, Input, Portia, PlanBuilderV2, StepOutput, tool

def note(what):
    with Path("calls.txt").open("a") as file:
        file.write(what + "\\n")

@tool(side_effect=False)
def look(city: str) -> str:
    "Look up a city."
    note("look " + city)
    return "seen " + city

@tool(side_effect=True)
def send(text: str) -> str:
    "Send a message."
    note("send " + text)
    return "sent " + text

def quick():
    note("quick")
    print("quick was here")
    return "quick"

def slow(before):
    note("slow")
    time.sleep(0.5 if Path("fast").exists() else 30)
    return before + " slow"

async def awaited(before):
    note("awaited " + threading.current_thread().name)
    await asyncio.sleep(0)
    return before + " awaited"

def broken(before):
    raise ValueError("no such thing")

def plan_of(*functions):
    builder = PlanBuilderV2("a trial")
    for place, function in enumerate(functions):
        args = {"before": StepOutput(place - 1)} if place else {}
        builder.function_step(function=function, args=args, step_name=function.__name__)
    return builder.build()

asking = (
    PlanBuilderV2("asks")
    .function_step(function=quick, step_name="quick")
    .user_input(message="Which city?", options=["Rome", "Oslo"], step_name="city")
    .build()
)
sending = (
    PlanBuilderV2("sends")
    .function_step(function=quick, step_name="quick")
    .invoke_tool_step(tool=send(), args={"text": "hello"}, step_name="send")
    .build()
)
computing = (
    PlanBuilderV2("sends what it has computed")
    .function_step(function=quick, step_name="quick")
    .invoke_tool_step(tool=send(), args={"text": StepOutput("quick")}, step_name="send")
    .build()
)
going = plan_of(quick, awaited)
long = plan_of(quick, slow, awaited)
failing = plan_of(quick, broken)
portia = Portia(Config(store=".portia"), tools=[look(), send()])
"""


def calls(folder: Path) -> list[str]:
    """Return what the tools and functions have noted, in order."""
    path = folder / "calls.txt"
    return path.read_text().splitlines() if path.exists() else []


def live_setting(url: str) -> str:
    """Return code that lets `portia` plan with the model server at `url`."""
    return (
        f'portia = Portia(Config(store=".portia", base_url={url!r}, default_model="openai/any", '
        'openai_api_key="sk-test"), tools=[look(), send()])'
    )


def step(tool_id: str, output: str, **args: Any) -> dict[str, Any]:
    """Return one step of a planner's reply."""
    return {
        "task": f"Use {tool_id}",
        "inputs": [],
        "tool_id": tool_id,
        "output": f"${output}",
        "args": args,
    }


def plan_reply(*steps: dict[str, Any]) -> dict[str, Any]:
    """Return a planner's reply."""
    return {"steps": list(steps), "error": None}
