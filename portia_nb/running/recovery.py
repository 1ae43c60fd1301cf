"""What a resume makes of a run whose process died: which steps run again, which are asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from portia_nb.errors import PlanRunExitError
from portia_nb.model import codecs
from portia_nb.model.clarification import Clarification, MultipleChoiceClarification
from portia_nb.model.events import (
    AgentToolCalled,
    AnyEvent,
    ClarificationRaised,
    OutputHeld,
    StepUncertain,
    ToolCalled,
)
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.order import named_by
from portia_nb.model.plan import AnyStep, Composite
from portia_nb.model.run import Run, StepRecord, StepState

from .attempt import Result

UNCERTAIN = "uncertain"
"""`source` of a question about a call that may have taken effect, in a step that isn't done."""
REPEAT = "call it again"
DONE = "it happened: go on without its output"
FAIL = "let the run fail"


def recover(
    run: Run,
    side_effect_of: Callable[[AnyStep], bool | None],
    emit: Callable[[AnyEvent], None],
) -> None:
    """Ask about what can't simply run again, in a run that was left and has just been started.

    Steps that were under way or had failed run again, except those whose call may have changed the
    world: they become questions. So do unkept outputs that a step still needs, where the step that
    made them does more than read.
    """
    if not run.steps:
        return  # a new run
    needed = needed_names(run)
    for path, record in list(run.steps.items()):
        step = run.plan.step(path)
        if isinstance(step, Composite) or _has_ended_around(run, path):
            continue
        index = run.plan.index_of(path)
        side_effect = side_effect_of(step)
        call = record.tool_under_way
        if isinstance(call, AgentToolCalled):
            side_effect = call.side_effect  # its own, not the strongest of the agent's tools
        # Asked about this very call already, and not started since.
        is_asked = record.uncertain and any(c.source == UNCERTAIN for c in run.answers_for(path))
        if is_asked:
            continue
        if record.state is StepState.WAITING and (lost := _lost_output(record)):
            if lost.side_effect is True:
                emit(StepUncertain(path, record.attempt, lost.tool_id, {}))
                emit(ClarificationRaised(path, _ask_about_output(run, index, path, lost)))
            record.held = None
        elif record.state is StepState.WAITING and call is not None and side_effect is True:
            emit(StepUncertain(path, record.attempt, call.tool_id, call.arguments))
            question = _ask_about_call(run, index, path, call)
            emit(ClarificationRaised(path, question))
        elif (
            record.state is StepState.DONE
            and isinstance(record.value, codecs.Unkept)
            and ("/" in path or step.name in needed)
        ):
            if side_effect is False:
                # No event tells of this: each process that resumes finds the same gap.
                record.state = StepState.WAITING
            else:
                question = _ask_about_value(run, index, path, record)
                emit(ClarificationRaised(path, question))


def decided(answers: Sequence[Clarification], path: str) -> Result | None:
    """Return what a person said became of a call that was under way; None: call it (again).

    Raises:
        PlanRunExitError: they chose that the run fails.
    """
    said = next((c.response for c in reversed(answers) if c.source == UNCERTAIN), REPEAT)
    if said == FAIL:
        raise PlanRunExitError(
            f"step {path!r}: a call was under way when its process ended, and the answer was: "
            f"{FAIL}",
            step=path,
        )
    return Result(None, "a person said that it happened") if said == DONE else None


def needed_names(run: Run) -> set[str]:
    """Return the names of steps whose outputs an unfinished step refers to."""
    names: set[str] = set()
    for step in run.plan.steps:
        record = run.steps.get(step.name)
        if record is None or record.state not in (StepState.DONE, StepState.SKIPPED):
            found = (run.plan.names.find(name) for name in named_by(step))
            names.update(place.step.name for place in found if place is not None)
    return names


def _has_ended_around(run: Run, path: str) -> bool:
    """Tell whether a body that `path` is in has ended: nothing in it runs again."""
    holders = (path[:at] for at, char in enumerate(path) if char == "/")
    return any(
        (record := run.steps.get(holder)) is not None and record.state is StepState.DONE
        for holder in holders
    )


def _ask_about_call(run: Run, index: int, path: str, call: ToolCalled) -> Clarification:
    return MultipleChoiceClarification(
        plan_run_id=PlanRunUUID(run.id),
        step=index,
        path=path,
        call=call.call if isinstance(call, AgentToolCalled) else None,
        source=UNCERTAIN,
        argument_name=UNCERTAIN,
        user_guidance=(
            f"Step {path!r} called {call.tool_id} and was left before it was done, so nobody here "
            "knows what became of the call. Look, then choose."
        ),
        options=(REPEAT, DONE, FAIL),
    )


def _lost_output(record: StepRecord) -> OutputHeld | None:
    """Return an output that was held for a hook's question, and that the store could not keep."""
    held = (record.held or {}).values()
    return next((one for one in held if isinstance(one.value, codecs.Unkept)), None)


def _ask_about_output(run: Run, index: int, path: str, lost: OutputHeld) -> Clarification:
    agent = run.record(path).conversation
    return MultipleChoiceClarification(
        plan_run_id=PlanRunUUID(run.id),
        step=index,
        path=path,
        call=None if agent is None else agent.key_of(lost.idempotency_key),
        source=UNCERTAIN,
        argument_name=UNCERTAIN,
        user_guidance=(
            f"Step {path!r} called {lost.tool_id}, which took effect, but its output "
            f"({lost.value.type_name}) could not be kept and is gone with its process. Choose."
        ),
        options=(REPEAT, DONE, FAIL),
    )


def _ask_about_value(run: Run, index: int, path: str, record: StepRecord) -> Clarification:
    kind = record.value.type_name
    return MultipleChoiceClarification(
        plan_run_id=PlanRunUUID(run.id),
        step=index,
        path=path,
        source=UNCERTAIN,
        argument_name=UNCERTAIN,
        user_guidance=(
            f"The output of step {path!r} ({kind}) could not be kept, and a later step needs it. "
            "May the step run again?"
        ),
        options=(REPEAT, FAIL),
    )
