"""Making runs ready to start or to go on: what is checked first, what the executor is given."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portia_nb.errors import PlanRunNotFoundError
from portia_nb.model import codecs
from portia_nb.model.callables import SchemaRef
from portia_nb.model.end_user import EndUser
from portia_nb.model.events import AnyEvent, Recorded, RunCreated
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    AnyStep,
    InvokeToolStep,
    Plan,
    ReActAgentStep,
    SingleToolAgentStep,
)
from portia_nb.model.run import PlanRun, Run
from portia_nb.planning.bound import remember
from portia_nb.planning.inputs import read_plan_run_inputs
from portia_nb.running.background import background
from portia_nb.running.meter import Meter
from portia_nb.running.places import Places
from portia_nb.running.ports import Ports
from portia_nb.storage.store import Hold, Store
from portia_nb.tools.aside import run_aside
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import ToolRegistry

from .budgets import (
    budget_in_force,
    how_to_go_on,
    meter_of_run,
    own_prices,
    refuse_unknown_prices,
)
from .end_users import end_user_to_json, read_end_user
from .live import Asker, Listener, LiveRun
from .log import is_detailed, log_event
from .opening import classes_of
from .parts import Parts
from .recalling import recalling
from .unsaid import without_secrets

if TYPE_CHECKING:
    from .answering import DeclaredAnswers
    from .tapes import AnyTape


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Who goes along with a run."""

    asker: Asker | None = None
    """Is handed each question on the background loop; must not block."""
    listeners: Sequence[Listener] = ()
    gate: bool = False
    """True: each call with ``side_effect=True`` is put to the asker first."""
    caller: asyncio.AbstractEventLoop | None = None
    """The loop that waits for the run, where the user's coroutine functions run."""
    tell: Callable[[LiveRun], None] | None = None
    """Is told of the run on this thread, before it starts."""
    budget: Any = None
    """The most that it may spend on models, as `read_budget` takes it; None: as the settings say,
    or as it was before."""
    meter: Meter | None = None
    """Keeps a budget that it shares with others, in the place of one of its own."""
    map_id: str | None = None
    """The map that the run is a row of."""
    row: str = ""
    """Which row of it, by a name that no other row or attempt has."""
    how_to_go_on: Callable[[str, Meter], str] = how_to_go_on
    """Says how, where the budget is spent, given the run's id."""


async def open_aside(parts: Parts) -> None:
    """Let the first opening of a store, which a slow disk may hold up, hold up no loop."""
    if not parts.store.is_open:
        await run_aside(parts.store.open)


def prepare_run(
    parts: Parts,
    plan: Plan | PlanUUID | str,
    plan_run_inputs: Any = None,
    *,
    end_user: Any = None,
    structured_output_schema: Any = None,
    first: Sequence[AnyEvent] = (),
    tools: ToolRegistry | None = None,
    company: Company,
) -> LiveRun:
    """Return a run of `plan` that only needs to be started; see `Runner.start_run`."""
    user = read_end_user(end_user)
    if company.meter is None and (limit := budget_in_force(parts, company.budget)) is not None:
        plan = parts.find_plan(plan)
        refuse_unknown_prices(parts, limit, plan)
    run, registry, events, tape = _new_run(
        parts, plan, plan_run_inputs, user, structured_output_schema, tools, company
    )
    hold, kept = begin(parts, run, (*events, *first), tape)
    return wire(parts, run, hold, registry, company, tape, end_user=user, first=kept)


def create_run(parts: Parts, plan: Plan | PlanUUID | str, inputs: Any, end_user: Any) -> PlanRun:
    """Keep a new run of `plan` that isn't started; on return it is on disk."""
    user = read_end_user(end_user)
    run, registry, events, tape = _new_run(parts, plan, inputs, user, None, None)
    hold, kept = begin(parts, run, events, tape)
    try:
        for recorded in kept:
            run.apply(recorded)
        parts.store.kept_blocking(hold)
    finally:
        parts.store.release(hold)
    parts.recent.remember(run, registry, parts.tools)
    return run.snapshot()


def _new_run(
    parts: Parts,
    plan: Plan | PlanUUID | str,
    plan_run_inputs: Any,
    user: EndUser,
    structured_output_schema: Any,
    tools: ToolRegistry | None,
    company: Company | None = None,
) -> tuple[Run, ToolRegistry, Sequence[AnyEvent], AnyTape | None]:
    """Return a new run that isn't kept yet, its tools, its first events, and its tape."""
    parts.start_log()
    found = parts.find_plan(plan)
    if structured_output_schema is not None:
        schema = SchemaRef.of(structured_output_schema)
        found = found.model_copy(update={"structured_output_schema": schema})
    registry = parts.tools if tools is None or tools is parts.tools else parts.tools + tools
    parts.check(found, registry)
    inputs = read_plan_run_inputs(plan_run_inputs, found)
    remember(found)
    tape = parts.tape()
    map_id, row = (None, "") if company is None else (company.map_id, company.row)
    run = Run(new_run_id(parts.store, tape, row), found)
    user_id, data = end_user_to_json(user)
    created = RunCreated(found.id, inputs, user_id, end_user_data=data, map_id=map_id)
    return run, registry, (created, *parts.planning_cost.pop(found.id, ())), tape


def begin(
    parts: Parts, run: Run, first: Sequence[AnyEvent], tape: AnyTape | None
) -> tuple[Hold, Sequence[Recorded]]:
    """Keep a new run with its first events, all or nothing; nothing is applied to `run`.

    A process that dies here leaves no run that has lost its inputs, nor a fork that would do again
    what it should have taken over.
    """
    now = time.time if tape is None else tape.clock()
    cleaned = [without_secrets(event, parts.secrets) for event in first]
    kept = [Recorded(n, now(), run.id, event) for n, event in enumerate(cleaned, start=1)]
    return parts.store.create_run(run.id, run.plan, owner=parts.owner(), first=kept), kept


def new_run_id(store: Store, tape: AnyTape | None, of: str = "") -> PlanRunUUID:
    """Return an id that no run of `store` has; in a replay it comes from the record.

    Args:
        store: where the run will be kept.
        tape: the record that is played, if any.
        of: as in `PlayingTape.draw_id`.
    """
    return PlanRunUUID.new() if tape is None else PlanRunUUID(free_id(store, tape, "prun", of))


def free_id(store: Store, tape: AnyTape, kind: str, of: str = "") -> str:
    """Return the first id that `tape` draws and that nothing in `store` has."""
    again = 0
    while True:
        drawn = tape.draw_id(kind, f"{of} {again}" if of else "")
        try:
            store.find_run(drawn)
        except PlanRunNotFoundError:
            return drawn
        again += 1


def answers_of(parts: Parts, company: Company) -> DeclaredAnswers | None:
    """Return the answers of the settings; None where a face asks, which has them already."""
    if company.asker is not None or not parts.config.answers:
        return None
    from .answering import DeclaredAnswers, standing_answers  # which builds on this module

    return DeclaredAnswers(standing_answers(parts.config))


def wire(
    parts: Parts,
    run: Run,
    hold: Hold,
    registry: ToolRegistry,
    company: Company,
    tape: AnyTape | None,
    *,
    end_user: EndUser,
    first: Sequence[Recorded] = (),
) -> LiveRun:
    """Return a run of this hold, wired to all that it needs; it only needs to be started.

    `first` are events that are kept already and not yet applied to `run`, as `begin` returns them.
    """
    try:
        told = [recorded.event for recorded in first]
        meter = company.meter or meter_of_run(parts, run, company.budget, told)
    except BaseException:
        parts.store.release(hold)
        raise
    context = contextvars.copy_context()
    caller = None if company.caller is background.loop else company.caller
    owner = parts.owner()
    name = f"{owner.host}:{owner.pid}" + ("" if tape is None else tape.note)
    told = [recorded.event for recorded in first]
    approved = _approved_calls(parts, run, told) if company.gate else {}

    def make_ports(live: LiveRun) -> Ports:
        return Ports(
            emit=live.emit,
            kept=live.kept,
            ask=live.ask,
            model=parts.model,
            tool=lambda step: tool_of(step, registry),
            tools=lambda step: tools_of(step, registry),
            config=parts.config,
            places=Places(caller, context),
            hooks=parts.hooks,
            gate=company.gate,
            approved=approved,
            end_user=end_user,
            tape=tape,
            # A record holds every call, and a replay is answered from it.
            recall=None if tape is not None else recalling(parts.store, run.plan, registry),
            comes_back=lambda value: codecs.comes_back(value, classes_of(run.plan, registry)),
            meter=meter,
            halt=lambda reason: live.halt(
                reason if meter is None else reason + company.how_to_go_on(run.id, meter)
            ),
            name=name,
        )

    run.prices = own_prices(parts)
    live = LiveRun(
        run,
        store=parts.store,
        hold=hold,
        make_ports=make_ports,
        asker=company.asker,
        handler=parts.hooks.clarification_handler,
        listeners=company.listeners,
        secrets=parts.secrets,
        first=first,
        when_left=lambda: parts.recent.remember(run, registry, parts.tools),
        context=context,
        tape=tape,
        answers=answers_of(parts, company),
    )
    if company.tell is not None and parts.config.live_view:
        company.tell(live)
    if not live.is_shown or is_detailed(parts.config):
        live.add_listener(log_event)
    return live


def _approved_calls(parts: Parts, run: Run, first: Sequence[AnyEvent]) -> Mapping[str, str]:
    from .approvals import approved_calls  # which itself asks what a step's tool is

    return approved_calls(parts.store, run, first)


def tool_of(step: AnyStep, registry: ToolRegistry) -> Tool[Any]:
    """Return the tool of a step: the one it was built with, else the registry's.

    Raises:
        ToolNotFoundError: neither is there.
    """
    if not isinstance(step, InvokeToolStep | SingleToolAgentStep):
        raise TypeError(f"step {step.name!r} is a {step.kind} step and has no tool")
    bound: Tool[Any] | None = step.bound_tool
    return registry.get_tool(str(step.tool_id)) if bound is None else bound


def tools_of(step: ReActAgentStep, registry: ToolRegistry) -> list[Tool[Any]]:
    """Return the tools of an agent's step, in its order; where it names none, the registry's.

    Without `llm_tool` then, since the agent is a model itself.

    Raises:
        ToolNotFoundError: there is no tool of an id.
    """
    if step.tool_ids is None:
        return [tool for tool in registry if tool.id != LLM_TOOL_ID]
    bound: dict[str, Tool[Any]] = {tool.id: tool for tool in step.bound_tools}
    return [bound.get(tool_id) or registry.get_tool(tool_id) for tool_id in step.tool_ids]
