"""Opening a kept run again: its plan with its functions, and its state from its events."""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel

from portia_nb.errors import FunctionsMissing, PlanError, PlanRunNotFoundError
from portia_nb.model.composite import each_step, functions_of
from portia_nb.model.events import Recorded
from portia_nb.model.ids import PlanUUID
from portia_nb.model.plain import Unkept
from portia_nb.model.plan import (
    AnyStep,
    FunctionStep,
    InvokeToolStep,
    Plan,
    ReActAgentStep,
    SingleToolAgentStep,
)
from portia_nb.model.run import Run, StepState, replay
from portia_nb.planning.bound import built_functions, built_plan
from portia_nb.running.recovery import needed_names
from portia_nb.storage.store import RunRow, Store
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import ToolRegistry

from .map_row import is_map

MOST_LOOKED_AT = 10_000
"""Values in which classes are looked for: those of a long list are mostly the same."""


def open_run(
    store: Store,
    run_id: str,
    plan: Plan | None = None,
    *,
    also: Plan | None = None,
    tools: ToolRegistry | None = None,
    held: Iterable[Any] = (),
) -> Run:
    """Return the state of a kept run, with a plan whose functions this process has where it can.

    Args:
        store: where it is kept.
        run_id: which.
        plan: the run's plan as this process built it; None looks for it among those built here.
        also: another plan, whose classes values may come back as, too.
        tools: what ids of tools mean, whose outputs may come back as the classes they declare.
        held: values of the run that this process still has: what is kept comes back as the classes
            of these, too, whether a function declares them or not.

    Raises:
        PlanRunNotFoundError: the store holds no such run.
        PlanError: `plan` isn't the one that the run was started with; the message says where it
            differs.
    """
    if is_map(run_id):
        raise PlanRunNotFoundError(
            f"{run_id} is a map, which is many runs: get_map({run_id!r}) returns it, and its rows "
            "name the run of each",
            plan_run_id=run_id,
        )
    row = store.find_run(run_id)
    found = plan_of(store, row, plan)
    others = {} if also is None else classes_of(also, tools)
    classes = {**classes_in(held), **others, **classes_of(found, tools)}
    run = replay(run_id, found, store.load_events(run_id, classes=classes))
    run.has_died = row.has_died
    return run


def load_further(store: Store, run: Run, tools: ToolRegistry | None = None) -> list[Recorded]:
    """Return what others have added to a kept run since `run` was brought up to date.

    Args:
        store: where it is kept.
        run: as it was.
        tools: as in `open_run`.
    """
    return store.load_events(run.id, after_seq=run.seq, classes=classes_of(run.plan, tools))


class KeptEvents:
    """Reads all events of a kept run; what a snapshot holds of its store."""

    __slots__ = ("_plan", "_run_id", "_store", "_tools")

    def __init__(
        self, store: Store, run_id: str, plan: Plan, tools: ToolRegistry | None = None
    ) -> None:
        self._store, self._run_id, self._plan, self._tools = store, run_id, plan, tools

    def __call__(self) -> list[Recorded]:
        """Return the events as they are kept now."""
        classes = classes_of(self._plan, self._tools)
        return self._store.load_events(self._run_id, classes=classes)

    def __deepcopy__(self, memo: Any) -> KeptEvents:
        """Return itself: a copy of a run is of the same store."""
        return self


def refuse_missing_functions(run: Run, then: str = "resume") -> None:
    """Refuse to go on where a step that is still to run needs a function that isn't here.

    Args:
        run: its state.
        then: what to do once the functions are there, in one word.

    Raises:
        FunctionsMissing: it names each.
    """
    settled = settled_steps(run)
    missing = [
        function.name
        for step in run.plan.steps
        if step.name not in settled
        for held in each_step([step])
        for function in functions_of(held)
        if function.call is None
    ]
    if not missing:
        return
    changed = sorted(built_functions().intersection(missing))
    what = f"which this process has not got: run the cell that builds the plan, then {then}"
    if changed:
        what = (
            f"and {', '.join(changed)} reads otherwise here than when it started: "
            f"portia.fork({run.id!r}, plan=…) goes on with the plan as it is now, and reuses what "
            "the change doesn't touch"
        )
    raise FunctionsMissing(
        f"run {run.id} needs the functions {', '.join(missing)}, {what}",
        names=tuple(missing),
        changed=tuple(changed),
        run_id=run.id,
    )


def settled_steps(run: Run) -> frozenset[str]:
    """Return the names of the plan's own steps that won't run (again) when `run` goes on.

    One whose output could not be kept, and that a later step needs, is not among them.
    """
    done = {
        step.name: record
        for step in run.plan.steps
        if (record := run.steps.get(step.name)) is not None
        and record.state in (StepState.DONE, StepState.SKIPPED)
    }
    lost = {name for name, record in done.items() if isinstance(record.value, Unkept)}
    return frozenset(done.keys() - (lost & needed_names(run) if lost else ()))


def classes_of(plan: Plan, tools: ToolRegistry | None = None) -> dict[str, Any]:
    """Return, by name, the classes that a plan's outputs may come back as.

    Args:
        plan: any plan.
        tools: what ids of tools mean; None: only of tools that the plan was built with.
    """
    found: dict[str, Any] = {}
    steps = list(each_step(plan.steps))
    schemas = [step.output_schema for step in steps] + [plan.structured_output_schema]
    for schema in schemas:
        if schema is not None:
            _add_classes(schema.type, found)
    for step in steps:
        if isinstance(step, FunctionStep) and step.function.call is not None:
            for hint in _hints_of(step.function.call):
                _add_classes(hint, found)
        for tool in _tools_of(step, tools):
            found = {**classes_of_tool(tool), **found}
    return found


def classes_in(values: Iterable[Any]) -> dict[str, Any]:
    """Return, by name, the users' classes of some values, and of what lies in these."""
    found: dict[str, Any] = {}
    level, left = list(values), MOST_LOOKED_AT
    while level and left > 0:
        level = level[:left]
        left -= len(level)
        for value in level:
            _add_classes(type(value), found)
        level = [each for value in level for each in _inside(value)]
    return found


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    is_fields = isinstance(value, BaseModel) or dataclasses.is_dataclass(value)
    return getattr(value, "__dict__", {}).values() if is_fields else ()


def classes_of_tool(tool: Tool[Any]) -> dict[str, Any]:
    """Return, by name, the classes that a tool declares to return."""
    own = getattr(type(tool), "function", None)  # of @tool
    run = own or (type(tool).arun if tool.is_async else type(tool).run)
    return declared_classes(run, tool.structured_output_schema)


def _tools_of(step: AnyStep, tools: ToolRegistry | None) -> Iterator[Tool[Any]]:
    """Yield the tools of a step that are here."""
    match step:
        case InvokeToolStep() | SingleToolAgentStep():
            bound = [step.bound_tool] if step.bound_tool is not None else []
            ids = [step.tool_id or ""]
        case ReActAgentStep():
            bound, ids = list(step.bound_tools), list(step.tool_ids or ())
        case _:
            return
    yield from bound
    known = {each.id for each in bound}
    if tools is not None:
        yield from (tools.get_tool(each) for each in ids if each not in known and each in tools)


def declared_classes(function: Any, *more: Any) -> dict[str, Any]:
    """Return, by name, the classes in what a function declares, and in the types `more`."""
    found: dict[str, Any] = {}
    for hint in (*_hints_of(function), *more):
        _add_classes(hint, found)
    return found


def _hints_of(function: Any) -> Iterator[Any]:
    """Yield the types that a function declares, written as text or not, where they can be found."""
    names = getattr(function, "__globals__", {})
    for name, hint in getattr(function, "__annotations__", {}).items():
        declared = SimpleNamespace(__annotations__={name: hint})
        with contextlib.suppress(Exception):  # text may say anything
            yield from typing.get_type_hints(declared, names).values()


def _add_classes(kind: Any, found: dict[str, Any]) -> None:
    """Add `kind` and the classes inside it, such as a list's items or a model's fields."""
    for inner in getattr(kind, "__args__", ()):
        _add_classes(inner, found)
    if not isinstance(kind, type) or kind.__qualname__ in found:
        return
    if issubclass(kind, BaseModel):
        found[kind.__qualname__] = kind
        for field in kind.model_fields.values():
            _add_classes(field.annotation, found)
    elif dataclasses.is_dataclass(kind) or hasattr(kind, "_fields") or hasattr(kind, "__members__"):
        found[kind.__qualname__] = kind


def plan_of(store: Store, row: RunRow, given: Plan | None = None) -> Plan:
    """Return the plan of a kept run, with the functions of this process where it has them.

    Args:
        store: where it is kept.
        row: the run.
        given: its plan as this process built it, as in `open_run`.

    Raises:
        PlanError: `given` isn't the one that the run was started with.
    """
    if given is None:
        built = built_plan(row.plan_hash)
        if built is None:
            return store.load_plan(row.plan_id, plan_hash=row.plan_hash)
        return with_id(built, row.plan_id)
    if given.content_hash() != row.plan_hash:
        kept = store.load_plan(row.plan_id, plan_hash=row.plan_hash)
        raise PlanError(
            f"the plan given isn't the one that run {row.run_id} was started with: "
            f"{_difference(kept, given)}. Build the same plan again; or go on with the new one in "
            f"a fork, which reuses what the change doesn't touch: "
            f"portia.fork({row.run_id!r}, plan=…)",
            plan_id=row.plan_id,
        )
    return with_id(given, row.plan_id)


def with_id(plan: Plan, plan_id: str) -> Plan:
    """Return `plan`, under another plan's id where it has the same content."""
    return plan if plan.id == plan_id else plan.model_copy(update={"id": PlanUUID(plan_id)})


def _difference(kept: Plan, given: Plan) -> str:
    """Say in one clause where two plans differ."""
    old = {step.name: step.model_dump(mode="json") for step in kept.steps}
    new = {step.name: step.model_dump(mode="json") for step in given.steps}
    if gone := [name for name in old if name not in new]:
        return f"it has no step {gone[0]!r}"
    if added := [name for name in new if name not in old]:
        return f"it has a step {added[0]!r} more"
    for name, step in new.items():
        if changed := [key for key in step if step[key] != old[name].get(key)]:
            return f"step {name!r} differs in {', '.join(changed)}"
    return "it differs in its query, inputs or order"
