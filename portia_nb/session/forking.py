"""Forking runs: a new run that takes over what edits leave untouched, and runs the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import clean
from portia_nb.errors import InvalidPlanRunStateError, PlanError
from portia_nb.model import codecs
from portia_nb.model.events import AnyEvent, Recorded, RunCreated
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, PlanRunState, Run, replay
from portia_nb.planning.bound import remember
from portia_nb.planning.check import check_plan
from portia_nb.planning.difference import Difference, difference
from portia_nb.planning.edits import Edits, edited, place_named
from portia_nb.planning.inputs import inputs_by_name, read_plan_run_inputs
from portia_nb.running.takeover import Changes, Takeover, places_of, take_over
from portia_nb.tools.registry import ToolRegistry

from .answering import side_effect_of, side_effects
from .approvals import Calls, whether_to_run
from .budgets import budget_in_force, refuse_unknown_prices
from .end_users import kept_end_user
from .finding import run_given
from .launch import Company, begin, new_run_id, wire
from .live import LiveRun, live_run
from .log import set_up_logging
from .opening import open_run, refuse_missing_functions, settled_steps
from .parts import Parts

if TYPE_CHECKING:
    from .tapes import AnyTape


@dataclass(frozen=True, slots=True)
class Edit:
    """What a fork changes of the run that it is forked from."""

    step: str | int | None = None
    """The step that is to run again."""
    fields: Mapping[str, Any] | None = None
    """What to change of it, by the field's name."""
    plan: Plan | PlanUUID | str | None = None
    """A whole plan instead of the run's."""
    inputs: Any = None
    """Values of the plan's inputs, of those that change."""
    steps: Edits | None = None
    """What to change of further steps, by step and field."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork that has been worked out and not begun: what it would run, and what it reuses."""

    run_id: str
    """Its own id."""
    forked_from: str
    plan: Plan
    created: RunCreated
    takeover: Takeover
    registry: ToolRegistry
    tape: AnyTape | None

    @property
    def again(self) -> tuple[str, ...]:
        """Paths of the steps that were done and run again, in order."""
        return self.takeover.again

    @property
    def reused(self) -> tuple[str, ...]:
        """Paths of the steps whose outputs are taken over, in order."""
        return self.takeover.reused

    @property
    def first(self) -> tuple[AnyEvent, ...]:
        """The events that it begins with."""
        return (self.created, *self.takeover.events)

    def preview(self) -> Run:
        """Return the run as it stands before anything of it runs."""
        now = time.time()
        return replay(
            self.run_id,
            self.plan,
            [Recorded(n, now, self.run_id, e) for n, e in enumerate(self.first, 1)],
        )


def work_out_fork(parts: Parts, run: PlanRun | PlanRunUUID | str, edit: Edit) -> Fork:
    """Work out a fork of `run`; nothing is run or written.

    Raises:
        PortiaBaseError: as `Portia.afork`.
    """
    run_id = run_given(parts.store, run, "fork")
    if edit.fields and edit.step is None:
        raise PlanError(
            f"{', '.join(edit.fields)}: of which step? Name it: fork(run, 'step', "
            f"{next(iter(edit.fields))}=…)"
        )
    set_up_logging(parts.config)
    given_plan = None if edit.plan is None else parts.find_plan(edit.plan)
    known = parts.recent.look(run_id, parts.tools)
    registry = parts.tools if known is None else known[1]
    snapshot = run if isinstance(run, PlanRun) else None
    old = _open(parts, run_id, given_plan, registry, _held(parts, run_id, snapshot))
    fill_gaps(old, parts, snapshot)

    base = old.plan if given_plan is None else given_plan
    edits = _further(edit.steps)
    anew: list[str] = []
    if edit.step is not None:
        place = place_named(base, edit.step)
        if edit.fields:
            edits[place] = {**edits.get(place, {}), **edit.fields}
        if set(edit.fields or {}) != {"output"}:
            anew.append(place)
    plan, outputs = edited(base, edits, registry)
    anew += [place_named(plan, n) for n, fields in edits.items() if set(fields) != {"output"}]
    inputs, changed_inputs = _inputs(old, plan, edit.inputs)
    differs = difference(old.plan, plan)
    _refuse_nothing(old, differs, anew, outputs, changed_inputs)
    check_plan(plan)  # what is taken over needs no tools

    tape = parts.tape(goes_on=True)
    if tape is not None and plan.id not in (base.id, old.plan.id):
        plan = plan.model_copy(update={"id": PlanUUID(tape.draw_id("plan"))})
    new_id = new_run_id(parts.store, tape)
    taken = take_over(
        old,
        plan,
        str(new_id),
        Changes(
            differs.steps, differs.bodies, differs.inputs | frozenset(changed_inputs), tuple(anew)
        ),
        outputs,
        lambda step: side_effect_of(step, registry),
    )
    told = [f"{name}.{field}" for name, fields in edits.items() for field in fields]
    told += [f"inputs.{name}" for name in changed_inputs]
    forked_at = None if edit.step is None else place_named(plan, edit.step)
    created = RunCreated(
        plan.id,
        inputs,
        old.end_user,
        run_id,
        forked_at,
        told or None,
        old.end_user_data,
        taken_over=len(taken.events),
    )
    fork = Fork(str(new_id), run_id, plan, created, taken, registry, tape)
    preview = fork.preview()
    parts.check(plan, registry, settled=settled_steps(preview))
    refuse_missing_functions(preview, "fork")
    return fork


def _further(given: Any) -> dict[str, Mapping[str, Any]]:
    is_read = given is None or (
        isinstance(given, Mapping) and all(isinstance(each, Mapping) for each in given.values())
    )
    if not is_read:
        raise PlanError(
            f"edits is a dict by step of dicts by field, as in {{'sky': {{'task': '…'}}}}, not "
            f"{given!r:.80}"
        )
    return {str(step): dict(fields) for step, fields in (given or {}).items()}


def prepare_fork(
    parts: Parts, fork: Fork, company: Company, *, first: Sequence[AnyEvent] = ()
) -> LiveRun:
    """Return the fork as a run that only needs to be started.

    Args:
        parts: the parts of the Portia.
        fork: as `work_out_fork` returned it; it can be started once.
        company: who goes along.
        first: further events to keep before it starts, such as its approval.

    Raises:
        InvalidOption: the budget is none, or can't be kept; nothing was begun.
    """
    if company.meter is None and (limit := budget_in_force(parts, company.budget)) is not None:
        refuse_unknown_prices(parts, limit, fork.plan)
    remember(fork.plan)
    run = Run(fork.run_id, fork.plan)
    hold, kept = begin(parts, run, (*fork.first, *first), fork.tape)
    user = kept_end_user(fork.created.end_user, fork.created.end_user_data)
    return wire(parts, run, hold, fork.registry, company, fork.tape, end_user=user, first=kept)


def _open(
    parts: Parts, run_id: str, given: Plan | None, registry: ToolRegistry, held: Sequence[Any]
) -> Run:
    """Return the state of the run that is forked, read anew from the store.

    Its values are its own there: what the fork does to its copies changes nothing of the run's.
    """
    if given is not None and parts.store.find_run(run_id).plan_hash == given.content_hash():
        # With the functions that come with it.
        return open_run(parts.store, run_id, given, tools=registry, held=held)
    return open_run(parts.store, run_id, also=given, tools=registry, held=held)


def _runs_here(parts: Parts, run_id: str) -> list[Run]:
    live, recent = live_run(run_id), parts.recent.look(run_id, parts.tools)
    return [each for each in (live and live.run, recent and recent[0]) if each is not None]


def _held(parts: Parts, run_id: str, snapshot: PlanRun | None) -> list[Any]:
    """Return the values of a run that this process still has."""
    held: list[Any] = []
    for run in _runs_here(parts, run_id):
        held += [run.inputs, *(record.value for record in tuple(run.steps.values()))]
    if snapshot is not None and str(snapshot.id) == run_id:
        outputs = snapshot.outputs.step_outputs.values()
        held += [snapshot.plan_run_inputs, *(output.value for output in outputs)]
    return held


def fill_gaps(run: Run, parts: Parts, snapshot: PlanRun | None) -> None:
    """Put values that the store couldn't keep back in place, where this process still has them."""
    others = _runs_here(parts, run.id)
    for path, record in run.steps.items():
        if not isinstance(record.value, codecs.Unkept):
            continue
        for other in others:
            held = other.steps.get(path)
            if held is not None and held.ended_at == record.ended_at:
                record.value = held.value
        if snapshot is not None and "/" not in path and not path.endswith("]"):
            output = run.plan.step(path).output
            shown = snapshot.outputs.step_outputs.get(output)
            if shown is not None and str(snapshot.id) == run.id:
                record.value = shown.value
    if snapshot is not None:
        for name, value in run.inputs.items():
            if isinstance(value, codecs.Unkept):
                run.inputs[name] = snapshot.plan_run_inputs.get(name, value)


def _inputs(old: Run, plan: Plan, given: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the new run's inputs, and the names of those that changed.

    Raises:
        PlanError: the plan takes no such input, or `given` isn't how inputs are given.
        ValueError: one is missing.
    """
    names = [each.name.removeprefix("$") for each in plan.plan_inputs]
    try:
        wanted = inputs_by_name(given, dict.fromkeys(names))
    except ValueError as error:
        raise PlanError(str(error).replace("plan_run_inputs", "inputs"), plan_id=plan.id) from error
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            takes = f"it takes: {', '.join(names)}" if names else "it takes none"
            hint = f"did you mean {near[0]!r}?" if near else takes
            raise PlanError(f"the plan takes no input {name!r}: {hint}", plan_id=plan.id)
    kept = {name: value for name, value in old.inputs.items() if name in names}
    inputs = read_plan_run_inputs({**kept, **wanted}, plan)
    changed = [
        name
        for name, value in inputs.items()
        if name not in kept or not codecs.are_same(value, kept[name])
    ]
    return inputs, changed


def _refuse_nothing(
    old: Run,
    differs: Difference,
    anew: Sequence[str],
    outputs: Mapping[str, Any],
    changed_inputs: Sequence[str],
) -> None:
    """Refuse a fork of a complete run in which nothing would run.

    Raises:
        InvalidPlanRunStateError: nothing differs.
    """
    if old.state is not PlanRunState.COMPLETE or any(differs) or anew or outputs or changed_inputs:
        return
    names = ", ".join(step.name for step in old.plan.steps[:50])
    raise InvalidPlanRunStateError(
        f"run {old.id} is complete and nothing differs, so nothing would run: name the step to "
        f"fork from ({names}), or give edits, inputs or another plan",
        run_id=old.id,
    )


def fork_approval(fork: Fork) -> tuple[str | None, Calls]:
    """Return the question whether `fork` may run; None where nothing that it runs is at stake.

    It names the steps that change the world, and those of them that did so in the old run already.
    With it come the calls that a yes approves, as from `whether_to_run`.
    """
    kept = set(places_of(fork.reused)) - set(places_of(fork.again))
    effects = side_effects(fork.plan, fork.registry)
    effects = {place: effect for place, effect in effects.items() if place not in kept}
    text, calls = whether_to_run(fork.plan, effects, fork.registry)
    if text is None:
        return text, calls
    done, unsure = (
        ", ".join(clean(place) for place in places_of(paths))
        for paths in (fork.takeover.changing, fork.takeover.unsure)
    )
    if done:
        text += f" In run {fork.forked_from} this was done already, and would be again: {done}."
    if unsure:
        text += (
            f" In run {fork.forked_from} this was called and left, so that it may have been done, "
            f"and would be called again: {unsure}."
        )
    return text, calls


def failed_steps(run: Run) -> list[str]:
    """Return the paths of the steps that failed, innermost first."""
    failed = [path for path, record in run.steps.items() if record.error is not None]
    if run.error is not None and run.error.step and run.error.step not in failed:
        failed.append(run.error.step)
    return sorted(failed, key=lambda path: -path.count("/"))
