"""Maps made ready: rows are read, told apart and found again, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portia_nb.errors import (
    FunctionsMissing,
    InvalidOption,
    InvalidPlanRunStateError,
    PlanRunNotFoundError,
    StorageError,
)
from portia_nb.model import codecs
from portia_nb.model.callables import SchemaRef
from portia_nb.model.composite import each_step, functions_of
from portia_nb.model.events import StepDone
from portia_nb.model.plan import Plan
from portia_nb.planning.bound import remember

from .answering import side_effects, standing_answers
from .budgets import budget_in_force, make_meter, refuse_unknown_prices
from .end_users import read_end_user
from .live_map import LiveMap, MapJob, live_map
from .map_keys import begun_key, map_key, plan_key, row_key
from .map_options import MapOptions
from .map_record import EARLIER, KeptMap, MapRecord, holds_value, read_done
from .map_row import MapRow, RowState, is_map, spent_of
from .map_rows import Rows, read_rows
from .opening import classes_of, open_run, plan_of
from .parts import Parts

PARALLEL = 8
"""Rows under way at once, where nobody says otherwise."""


def effects_of(parts: Parts, plan: Plan) -> list[str]:
    """Return the steps of a plan that change the world, by their place."""
    return [path for path, effect in side_effects(plan, parts.tools).items() if effect is True]


def prepare_map(parts: Parts, plan: Any, rows: Any, options: MapOptions) -> LiveMap:
    """Return a map that only needs to be started; see `Portia.map`. From any thread but ours.

    Raises:
        PortiaBaseError: as `Portia.map`.
    """
    options.check()
    parts.start_log()
    if rows is None and is_map(str(plan)):
        return _resumed(parts, KeptMap(parts.store, str(plan)), options)
    found = _plan_for(parts, plan, options)
    table = read_rows(
        rows,
        found,
        inputs=options.inputs,
        constants=options.plan_run_inputs,
        limit=options.limit,
    )
    return _prepare(parts, found, table, options)


def _plan_for(parts: Parts, plan: Any, options: MapOptions) -> Plan:
    found = parts.find_plan(plan)
    if options.structured_output_schema is not None:
        schema = SchemaRef.of(options.structured_output_schema)
        found = found.model_copy(update={"structured_output_schema": schema})
    registry = parts.offered(options.tools)
    parts.check(found, registry if options.tools is None else parts.tools + registry)
    remember(found)
    _refuse_missing_functions(found)
    return found


def _refuse_missing_functions(plan: Plan, map_id: str = "") -> None:
    """Refuse a plan whose functions aren't in this process: every row would fail for it.

    Raises:
        FunctionsMissing: it names each.
    """
    missing = [
        function.name
        for step in each_step(plan.steps)
        for function in functions_of(step)
        if function.call is None
    ]
    if missing:
        then = f"map({map_id!r}) goes on" if map_id else "map it again"
        raise FunctionsMissing(
            f"plan {plan.id} needs the functions {', '.join(dict.fromkeys(missing))}, which this "
            f"process has not got: run the cell that builds the plan, then {then}",
            names=tuple(missing),
            plan_id=plan.id,
        )


def _prepare(parts: Parts, plan: Plan, rows: Rows, options: MapOptions) -> LiveMap:
    registry = parts.tools if options.tools is None else parts.tools + parts.offered(options.tools)
    user = read_end_user(options.end_user)
    of_plan = plan_key(parts, plan, registry, user)
    keys = [row_key(of_plan, rows.inputs(number)) for number in range(len(rows))]
    whole = map_key(of_plan, keys)
    reuse, effects = options.reuse, effects_of(parts, plan)
    if reuse is not False and whole is not None:  # to go on is no reuse: whatever is cached
        earlier = parts.store.find_cached(whole)
        if earlier is not None:
            kept = KeptMap(parts.store, earlier.run_id, classes_of(plan, parts.tools))
            if not kept.is_complete:
                return _go_on(parts, plan, rows, keys, kept, options)
    if effects and reuse is not False and whole is None:
        _refuse_untold_rows(rows, keys, effects)
    if reuse is None and not effects and not parts.config.cache:
        reuse = False
    outcomes = [MapRow(number, label) for number, label in enumerate(rows.index)]
    # Without an end of an earlier row there is nothing to look for, and mostly there is none.
    if reuse is not False and parts.store.find_cached(of_plan) is not None:
        _look_up(parts, plan, outcomes, keys)
        done = sum(row.state is RowState.DONE for row in outcomes)
        if effects and reuse is None and done:
            raise InvalidOption(
                f"{done} of these {len(rows)} rows were done before, and the plan changes "
                f"something outside ({', '.join(effects)}): say reuse=True (--reuse) to take over "
                "what they put out, or reuse=False (--again) to do it all again",
                option="reuse",
                done=done,
            )
    same_as = {} if effects and not reuse else _duplicates(keys)
    budget = budget_in_force(parts, options.budget)
    meter = None
    if budget is not None:
        refuse_unknown_prices(parts, budget, plan)
        meter = make_meter(parts, budget)
    record = MapRecord.create(
        parts, plan, rows, keys, key=whole, plan_key=of_plan, owner=parts.owner()
    )
    return LiveMap(
        MapJob(
            parts=parts,
            plan=plan,
            rows=rows,
            keys=keys,
            registry=registry,
            record=record,
            outcomes=outcomes,
            same_as={n: f for n, f in same_as.items() if outcomes[n].state is not RowState.DONE},
            end_user=user,
            meter=meter,
            max_parallel=options.max_parallel or (1 if effects else PARALLEL),
            stops_on_error=options.on_error == "stop",
            answers={**standing_answers(parts.config), **(options.answers or {})},
            gate=options.gate,
            first=options.first,
            caller=options.caller,
        )
    )


def _refuse_untold_rows(rows: Rows, keys: Sequence[str | None], effects: Sequence[str]) -> None:
    """Refuse rows whose done side effects could never be found again.

    Raises:
        InvalidOption: it names the first, and what to do.
    """
    number = keys.index(None)
    held = codecs.encode_or_describe
    given = rows.inputs(number)
    name = next((n for n, value in given.items() if codecs.is_unkept(held(value))), "an input")
    raise InvalidOption(
        f"{name!r} of row {rows.index[number]!r} is a {type(given.get(name)).__name__}, which no "
        f"store can keep: whether the row was done could not be found again, and the plan changes "
        f"something outside ({', '.join(effects)}). Give rows of plain values, or say reuse=False "
        "to run every row now",
        option="reuse",
        row=number,
    )


def _duplicates(keys: Sequence[str | None]) -> dict[int, int]:
    """Return, for each row that is the same as one before it, that one."""
    first: dict[str, int] = {}
    same: dict[int, int] = {}
    for number, key in enumerate(keys):
        if key is None:
            continue
        if key in first:
            same[number] = first[key]
        else:
            first[key] = number
    return same


def _look_up(
    parts: Parts, plan: Plan, outcomes: Sequence[MapRow], keys: Sequence[str | None]
) -> None:
    """Give rows the outcome of an equal row of an earlier map, or the run that it had begun."""
    classes = classes_of(plan, parts.tools)
    seen: set[str] = set()
    for row in outcomes:
        key = keys[row.number]
        if key is None or key in seen:
            continue  # a row like one before it takes over from that
        seen.add(key)
        found = parts.store.find_cached(key, classes=classes)
        if found is not None and isinstance(found.event, StepDone):
            row.run_id, row.value = read_done(found.event.value)
            row.state, row.reused = RowState.DONE, EARLIER
            if not holds_value(found.event.value):
                row.state, row.run_id, row.reused = RowState.LEFT, None, ""
            continue
        begun = parts.store.find_cached(begun_key(key))
        if begun is not None and isinstance(begun.event, StepDone):
            row.run_id = begun.event.value


def _go_on(
    parts: Parts,
    plan: Plan,
    rows: Rows,
    keys: Sequence[str | None],
    kept: KeptMap,
    options: MapOptions,
) -> LiveMap:
    """Return an earlier map of the same plan and rows that isn't complete, to go on with."""
    registry = parts.tools if options.tools is None else parts.tools + parts.offered(options.tools)
    budget = budget_in_force(parts, options.budget, kept.budget)
    if budget is not None:
        refuse_unknown_prices(parts, budget, plan)
    if live_map(kept.id) is not None:
        raise InvalidPlanRunStateError(
            f"{kept.id} is under way in this process: cancel({kept.id!r}) stops it",
            run_id=kept.id,
        )
    hold = parts.store.claim(kept.id, owner=parts.owner(), take_over=options.take_over)
    try:
        kept = KeptMap(parts.store, kept.id, classes_of(plan, parts.tools))
        outcomes = kept.outcomes()
        for row, label in zip(outcomes, rows.index, strict=True):
            row.label = label
            _refill(parts, plan, row)
        effects = effects_of(parts, plan)
        same = {} if effects and not options.reuse else _duplicates(keys)
        meter = None if budget is None else make_meter(parts, budget, spent_of(outcomes))
    except BaseException:
        parts.store.release(hold)
        raise
    return LiveMap(
        MapJob(
            parts=parts,
            plan=plan,
            rows=rows,
            keys=keys,
            registry=registry,
            record=MapRecord(parts, kept.id, hold, kept.seq),
            outcomes=outcomes,
            same_as={n: f for n, f in same.items() if outcomes[n].state is not RowState.DONE},
            end_user=read_end_user(options.end_user),
            meter=meter,
            max_parallel=options.max_parallel or (1 if effects else PARALLEL),
            stops_on_error=options.on_error == "stop",
            answers={**standing_answers(parts.config), **(options.answers or {})},
            gate=options.gate,
            first=options.first,
            caller=options.caller,
            resumed=True,
            take_over=options.take_over,
        )
    )


def _refill(parts: Parts, plan: Plan, row: MapRow) -> None:
    """Read the output of a row that is done, where only its run holds it."""
    if row.state is not RowState.DONE or row.value is not None or row.run_id is None:
        return
    try:
        final = open_run(parts.store, row.run_id, plan).snapshot().final_output
    except (PlanRunNotFoundError, StorageError):
        return
    row.value = None if final is None else final.value


def _resumed(parts: Parts, kept: KeptMap, options: MapOptions) -> LiveMap:
    """Return a map to go on with that is named by its id, with the rows that it was given."""
    plan = plan_of(parts.store, kept.row)
    parts.check(plan, parts.tools)
    if not kept.is_complete:
        _refuse_missing_functions(plan, kept.id)
    kept = KeptMap(parts.store, kept.id, classes_of(plan, parts.tools))
    keys: list[str | None] = list(kept.given["keys"])
    return _go_on(parts, plan, kept.rows(), keys, kept, options)


def regain(job: MapJob, options: MapOptions) -> LiveMap:
    """Return a map that has ended in this process, to go on with."""
    parts = job.parts
    kept = KeptMap(parts.store, job.record.id, classes_of(job.plan, job.registry))
    return _go_on(parts, job.plan, job.rows, job.keys, kept, options)
