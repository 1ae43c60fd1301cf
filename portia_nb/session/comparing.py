"""Comparing two runs: both are read from the store, by their events."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from portia_nb.errors import InvalidPlanRunStateError
from portia_nb.model import codecs
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    ModelReplied,
    Recorded,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
)
from portia_nb.model.language import Usage
from portia_nb.model.plan import Plan
from portia_nb.model.prices import price_of
from portia_nb.model.rounds import place_of
from portia_nb.model.run import PlanRun, Run, StepRecord, StepState, replay
from portia_nb.planning.difference import each_place, plan_changes

from .comparison import How, RunComparison, RunSide, StepComparison, StepSide, ValueComparison
from .forking import fill_gaps
from .opening import classes_of, plan_of
from .parts import Parts

_ROUND = re.compile(r"\[(\d+)\]")


def compare_runs(parts: Parts, a: PlanRun | str, b: PlanRun | str | None) -> RunComparison:
    """Return where two runs differ.

    Args:
        parts: the parts of the Portia.
        a: a run, or its id.
        b: another; None: `a` is compared with the run that it was forked from, which comes first.

    Raises:
        PlanRunNotFoundError: the store holds no such run.
        InvalidPlanRunStateError: `b` is None, and `a` wasn't forked.
    """
    if b is None:
        a, b = _origin(parts, a), a
    rows = [parts.store.find_run(_id_of(each)) for each in (a, b)]
    plans = [plan_of(parts.store, row) for row in rows]
    # The classes of both: a value would else be an object in one run and plain data in the other.
    classes = {**classes_of(plans[0]), **classes_of(plans[1])}
    runs: list[Run] = []
    sides: list[RunSide] = []
    for given, row, plan in zip((a, b), rows, plans, strict=True):
        events = parts.store.load_events(row.run_id, classes=classes)
        run = replay(row.run_id, plan, events)
        fill_gaps(run, parts, given if isinstance(given, PlanRun) else None)
        runs.append(run)
        sides.append(_side(run, row.plan_id, events))
    one, two = runs
    # A failed run's is its error, which is told with the step that failed.
    ends = [None if run.error is not None else run.final for run in runs]
    finals = [_Maybe.of(end is not None, end and end.value) for end in ends]
    return RunComparison(
        a=sides[0],
        b=sides[1],
        plan=plan_changes(one.plan, two.plan),
        inputs=_named_values(one.inputs, two.inputs),
        answers=_named_values(_answers(one), _answers(two)),
        steps=_steps(one, two),
        final=_value("final output", *finals),
    )


class _Maybe:
    """A value, or that there is none: None is a value, too."""

    __slots__ = ("is_there", "value")

    def __init__(self, is_there: bool, value: Any) -> None:
        self.is_there, self.value = is_there, value

    @classmethod
    def of(cls, is_there: bool, value: Any) -> _Maybe:
        return cls(is_there, value if is_there else None)


def _id_of(run: PlanRun | str) -> str:
    return str(run.id if isinstance(run, PlanRun) else run)


def _origin(parts: Parts, run: PlanRun | str) -> str:
    row = parts.store.find_run(_id_of(run))
    if not row.forked_from:
        raise InvalidPlanRunStateError(
            f"run {row.run_id} was not forked from another: name the run to compare it with",
            run_id=row.run_id,
        )
    return row.forked_from


def _side(run: Run, plan_id: str, events: Sequence[Recorded]) -> RunSide:
    spent = Usage(calls=0)
    cost: float | None = 0.0
    for recorded in events:
        if isinstance(reply := recorded.event, ModelReplied):
            spent += reply.usage
            cost = _add_cost(cost, reply)
    done = [r for r in run.steps.values() if r.state is StepState.DONE and r.path[-1:] != "]"]
    reused = sum(bool(record.reused) for record in done)
    return RunSide(
        run_id=run.id,
        plan_id=plan_id,
        state=run.state.value,
        forked_from=run.forked_from,
        executed=len(done) - reused,
        reused=reused,
        seconds=_seconds_under_way(events),
        model_calls=spent.calls,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost=cost,
    )


def _add_cost(so_far: float | None, reply: ModelReplied) -> float | None:
    if so_far is None or not reply.usage.calls:  # scripted and replayed answers cost nothing
        return so_far
    price = price_of(reply.model)
    if price is None:
        return None
    return so_far + price.cost(reply.usage.input_tokens, reply.usage.output_tokens)


def _seconds_under_way(events: Sequence[Recorded]) -> float:
    """Add up the times from each start to its end, or to the last that a killed process kept."""
    total, began, last = 0.0, None, 0.0
    for recorded in events:
        match recorded.event:
            case RunStarted():
                total += 0.0 if began is None else max(last - began, 0.0)
                began = recorded.at
            case RunCompleted() | RunFailed() | RunStopped() | RunWaiting():
                total += 0.0 if began is None else max(recorded.at - began, 0.0)
                began = None
            case _:
                pass
        last = recorded.at
    return total + (0.0 if began is None else max(last - began, 0.0))


def _named_values(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[ValueComparison, ...]:
    return tuple(
        _value(name, _Maybe.of(name in a, a.get(name)), _Maybe.of(name in b, b.get(name)))
        for name in {**a, **b}
    )


def _answers(run: Run) -> dict[str, Any]:
    """Return the answers by who asked; a step's second question is called so."""
    found: dict[str, Any] = {}
    for asked in run.clarifications.values():
        if asked.resolved:
            name, count = _asker(asked), 1
            while name in found:
                count += 1
                name = f"{_asker(asked)} ({count})"
            found[name] = asked.response
    return found


def _asker(asked: Clarification) -> str:
    argument = getattr(asked, "argument_name", "")
    where = asked.path or "the run"
    return f"{where}: {argument}" if argument and argument != where else where


def _value(name: str, a: _Maybe, b: _Maybe) -> ValueComparison:
    return ValueComparison(name, _how(a, b), a.value, b.value)


def _how(a: _Maybe, b: _Maybe) -> How:
    if not a.is_there or not b.is_there:
        return "only in a" if a.is_there else "only in b" if b.is_there else "none"
    if isinstance(a.value, codecs.Unkept) or isinstance(b.value, codecs.Unkept):
        return "can't tell"
    same = codecs.are_same(a.value, b.value)
    return "can't tell" if same is None else "equal" if same else "differs"


def _steps(one: Run, two: Run) -> tuple[StepComparison, ...]:
    places = {place: n for n, place in enumerate(_places(two.plan, one.plan))}

    def order(path: str) -> tuple[Any, ...]:
        # What a loop holds, round by round; the steps of one round as they stand in the plan.
        place, last = place_of(path), len(places)
        rounds = tuple(int(number) for number in _ROUND.findall(path))
        return (places.get(place.partition("/")[0], last), rounds, places.get(place, last), path)

    paths = {path for run in (one, two) for path in run.steps if path[-1:] != "]"}
    return tuple(_step(path, one, two) for path in sorted(paths, key=order))


def _places(*plans: Plan) -> list[str]:
    return list(dict.fromkeys(place for plan in plans for place in each_place(plan)))


def _step(path: str, one: Run, two: Run) -> StepComparison:
    records = [run.steps.get(path) for run in (one, two)]
    outputs = [
        _Maybe.of(r is not None and r.state is StepState.DONE, r and r.value) for r in records
    ]
    a, b = map(_step_side, records)
    return StepComparison(path, _how(*outputs), a, b)


def _step_side(record: StepRecord | None) -> StepSide | None:
    if record is None:
        return None
    has_times = record.started_at is not None and record.ended_at is not None
    return StepSide(
        state=record.state.value,
        value=record.value,
        reused=record.reused,
        attempts=0 if record.reused else record.attempt,
        seconds=(
            record.ended_at - record.started_at  # type: ignore[operator]
            if has_times and not record.reused
            else None
        ),
        model_calls=record.usage.calls,
        input_tokens=record.usage.input_tokens,
        output_tokens=record.usage.output_tokens,
    )
