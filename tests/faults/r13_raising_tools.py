"""R13: tools, functions, hooks and conditions raise whatever Python lets them raise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from portia_nb import (
    Config,
    ExecutionHooks,
    PlanBuilderV2,
    PlanRun,
    Portia,
    ToolHardError,
    ToolSoftError,
    tool,
)

from .row import Facts, Row, Trial


class _TextRaises(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class _TextExits(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


class _TextIsNone(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]


class _TextRecurses(Exception):
    def __str__(self) -> str:
        return str(self)


class _AttributesRaise(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return super().__getattribute__(name)
        raise ValueError(name)


class _Ends(BaseException):
    pass


def _cycle() -> BaseException:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def _chain() -> BaseException:
    error: BaseException = ValueError("deepest")
    for number in range(2_000):
        outer = RuntimeError(f"level {number}")
        outer.__cause__ = error
        error = outer
    return error


def _odd_name() -> BaseException:
    return type("Bad\nName\x1b[31m<b>", (Exception,), {})("odd")


RAISED: dict[str, Callable[[], BaseException]] = {
    "an error": lambda: ZeroDivisionError("division by zero"),
    "without words": ValueError,
    "10 MB of words": lambda: ValueError("x" * 10_000_000),
    "a text that raises": _TextRaises,
    "a text that exits": _TextExits,
    "a text that is none": _TextIsNone,
    "a text without end": _TextRecurses,
    "attributes that raise": _AttributesRaise,
    "a BaseException": lambda: _Ends("at once"),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "StopIteration": lambda: StopIteration("over"),
    "StopAsyncIteration": StopAsyncIteration,
    "CancelledError": asyncio.CancelledError,
    "TimeoutError": TimeoutError,
    "MemoryError": MemoryError,
    "RecursionError": lambda: RecursionError("too deep"),
    "a lone surrogate": lambda: ValueError("half \ud800 of it"),
    "control characters": lambda: ValueError("\x1b[2J\x00\u202e\r gone"),
    "a cycle of causes": _cycle,
    "2,000 causes": _chain,
    "a group": lambda: ExceptionGroup("several", [ValueError("a"), OSError(2, "b")]),
    "a base group": lambda: BaseExceptionGroup("several", [SystemExit(1), ValueError("a")]),
    "a name with an escape": _odd_name,
    "a system error": lambda: OSError(28, "No space left on device"),
    "a soft error": lambda: ToolSoftError("busy"),
    "a hard error": lambda: ToolHardError("closed"),
}


def act_of(place: str, error: BaseException) -> tuple[PlanBuilderV2, ExecutionHooks]:
    """Return a plan whose step ``act`` raises `error` in `place`, and the hooks for it."""
    builder = PlanBuilderV2("raises").function_step(function=lambda: "kept", step_name="early")
    hooks = ExecutionHooks()

    def act() -> None:
        raise error

    async def act_async() -> None:
        await asyncio.sleep(0)
        raise error

    def well() -> str:
        return "well"

    match place:
        case "function":
            builder.function_step(function=act, step_name="act")
        case "coroutine":
            builder.function_step(function=act_async, step_name="act")
        case "tool":
            builder.invoke_tool_step(tool=tool(act)(), step_name="act")
        case "async tool":
            builder.invoke_tool_step(tool=tool(act_async)(), step_name="act")
        case "reading tool":
            builder.invoke_tool_step(
                tool=tool(retries=0, side_effect=False)(act)(), step_name="act"
            )
        case "changing tool":
            builder.invoke_tool_step(tool=tool(side_effect=True)(act)(), step_name="act")
        case "hook":

            def before(plan: Any, run: Any, step: Any) -> str:
                return act() or "" if step.name == "act" else "CONTINUE"

            hooks = ExecutionHooks(before_step_execution=before)
            builder.function_step(function=well, step_name="act")
    return builder, hooks


PLACES = (
    "function", "coroutine", "tool", "async tool", "reading tool", "changing tool", "hook",
)  # fmt: skip


def check_failed(portia: Portia, run: PlanRun, what: str) -> None:
    """Check that the run failed at its step, that its record is whole, and its output kept."""
    assert run.state == "FAILED", f"{what}: {run.state}"
    assert run.error is not None
    assert run.error.step == "act", f"{what}: {run.error}"
    assert len(run.error.message) < 5_000, f"{what}: {len(run.error.message):,} characters"
    assert len(run.error.traceback or "") < 50_000, what
    again = portia.get_run(run.id)
    assert (again.state, again.error) == (run.state, run.error), what
    assert again.outputs["early"].value == "kept"
    json.dumps(run.model_dump(mode="json"), allow_nan=False).encode()


def raise_once(trial: Trial, number: int) -> None:
    """Raise one kind of error in one place, run by one of the two ways of running."""
    kinds = list(RAISED)
    kind, place = kinds[number % len(kinds)], PLACES[number // len(kinds) % len(PLACES)]
    is_awaited = number // (len(kinds) * len(PLACES)) % 2
    builder, hooks = act_of(place, RAISED[kind]())
    config = Config(store=str(trial.folder / "store"))
    portia = Portia(config, tools=[], execution_hooks=hooks)
    plan = builder.build()
    run = asyncio.run(portia.arun_plan(plan)) if is_awaited else portia.run_plan(plan)
    check_failed(portia, run, f"{kind} in a {place}, {'awaited' if is_awaited else 'waited for'}")
    well = PlanBuilderV2("well").function_step(function=lambda: 1, step_name="one").build()
    assert portia.run_plan(well).state == "COMPLETE", "the next run is not well"
    portia.store.close()


def raise_all(trial: Trial) -> Facts:
    """Raise each of this trial's errors."""
    for number in trial.numbers:
        raise_once(trial, number)
    return {}


ROW = Row(
    id="R13",
    fault=f"{len(RAISED)} kinds of errors raised in {len(PLACES)} places, awaited or not",
    full=len(RAISED) * len(PLACES) * 2,
    batch=len(RAISED),
    trial=raise_all,
    sample=(0, 8),
    holds="step failed, run and record whole, next run well",
)
