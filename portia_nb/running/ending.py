"""How a run ends well: its final output, in the shape and with the summary that its plan wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from portia_nb.errors import BudgetReached
from portia_nb.model.composite import bodies
from portia_nb.model.events import (
    AnyEvent,
    RunCompleted,
    RunFailed,
    StepCancelled,
    StepDone,
    StepSkipped,
)
from portia_nb.model.plan import AnyStep, ConditionalStep, ExitStep
from portia_nb.model.run import Run, StepState

from .failures import record_error
from .frames import output_path
from .hooks import call_hook
from .models import Models
from .ports import Ports

RUN_ENDED = "the run ended at "
"""How the reason begins for which steps are skipped once an exit has ended the run."""


async def finish(run: Run, ports: Ports, models: Models) -> None:
    """Emit how a run ended whose steps are all done or skipped.

    The final output is that of the last step, in plan order, that was done.

    Raises:
        BudgetReached: a model is needed for it, and may not be asked any more.
    """
    try:
        completed = await _completed(run, models)
        if ports.hooks.after_plan_run is not None:
            output = run.final_output(completed)
            await call_hook(
                ports.hooks.after_plan_run, ports.places, run.plan, run.snapshot(), output
            )
    except BudgetReached:
        raise
    except Exception as error:  # a model or a hook: the steps' outputs stay, the run fails
        ports.emit(RunFailed(record_error(error)))
        return
    ports.emit(completed)


async def _completed(run: Run, models: Models) -> RunCompleted:
    plan = run.plan
    done = [
        record
        for step in plan.steps
        if (record := run.steps.get(step.name)) and record.state is StepState.DONE
    ]
    last_path = output_path(run, plan.steps, "")
    if last_path is None:
        return RunCompleted()
    last = run.record(last_path)
    path, value, summary = last.path, last.value, None
    if plan.structured_output_schema is not None:
        shaped = await models.shaped(
            last.value, plan.structured_output_schema, plan.plan_context.query, ""
        )
        if shaped is not last.value:
            path, value = None, shaped
    if plan.summarize:
        outputs = {record.path: record.value for record in done}
        summary = await models.sum_up(plan.plan_context.query, outputs)
    return RunCompleted(path, value if path is None else None, summary)


def exit_of(run: Run) -> str | None:
    """Return the path of the exit that ended a run whose process died before it could say so."""
    if not run.steps:
        return None
    for path, record in run.steps.items():
        if record.state is StepState.DONE and isinstance(run.plan.step(path), ExitStep):
            return path
    return None


def leave(run: Run, emit: Callable[[AnyEvent], None], exit_path: str) -> None:
    """Tell what becomes of all other steps of a run that the step at `exit_path` has ended.

    Those that hold it are done, with the output that there is; those that had not run are skipped.
    """
    holders = [exit_path[:at] for at, char in enumerate(exit_path) if char == "/"]
    reason = RUN_ENDED + exit_path
    for holder in reversed(holders):
        step = run.plan.step(holder)
        number = run.record(holder).branch if isinstance(step, ConditionalStep) else 0
        steps = bodies(step)[number or 0]
        _skip(run, emit, steps, f"{holder}/", reason)
        same_as = output_path(run, steps, f"{holder}/")
        _done(run, emit, holder, same_as)
        if holder.endswith("]"):
            _done(run, emit, holder.rpartition("[")[0], same_as)
    _skip(run, emit, run.plan.steps, "", reason)
    if run.forked_from is not None:
        _give_up(run, emit, exit_path, reason)
    for record in list(run.steps.values()):
        if record.state is StepState.RUNNING:  # rounds beside the one that ended the run
            emit(StepCancelled(record.path, record.attempt))


def _give_up(run: Run, emit: Callable[[AnyEvent], None], exit_path: str, reason: str) -> None:
    """Take back what a fork has taken over of steps that this end comes before."""
    for path, record in list(run.steps.items()):
        is_done = record.state is StepState.DONE
        if is_done and record.reused and _stands_after(path, exit_path, run.plan.steps):
            emit(StepSkipped(path, reason))


def _stands_after(path: str, other: str, steps: Sequence[AnyStep]) -> bool:
    """Tell whether `path` comes after `other` in the order of plan and rounds, and isn't in it."""
    for own, its in zip(path.split("/"), other.split("/"), strict=False):
        names = [step.name for step in steps]
        (name, _, number), (its_name, _, its_number) = own.partition("["), its.partition("[")
        if name != its_name:
            return names.index(name) > names.index(its_name)
        if number != its_number:
            return int(number[:-1] or -1) > int(its_number[:-1] or -1)
        steps = [held for body in bodies(steps[names.index(name)]) for held in body]
    return False


def _skip(
    run: Run, emit: Callable[[AnyEvent], None], steps: Sequence[AnyStep], prefix: str, reason: str
) -> None:
    for step in steps:
        record = run.steps.get(prefix + step.name)
        if record is None or record.state is StepState.WAITING:
            emit(StepSkipped(prefix + step.name, reason))


def _done(run: Run, emit: Callable[[AnyEvent], None], path: str, same_as: str | None) -> None:
    record = run.record(path)
    if record.state is not StepState.DONE:
        emit(StepDone(path, max(record.attempt, 1), same_as=same_as))
