"""Plans and runs as the reference SDK's files hold them, read as ours; and a run as its events.

The documents came from elsewhere: they are checked by the same models as everything that is read,
and what they say is data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
    StepDone,
    StepSkipped,
    StepStarted,
)
from portia_nb.model.plan import Plan
from portia_nb.model.snapshot import PlanRun, PlanRunState
from portia_nb.model.steps import BaseStep
from portia_nb.model.values import LocalDataValue

IMPORTED = "imported from a file"
_NO_PLAN = "the plan of this imported run is not here"


def read_plan_document(document: Mapping[str, Any]) -> Plan:
    """Return the plan in `document`, by the reference or by ours.

    Raises:
        ValueError: it is no plan (pydantic's own error, which lists why).

    >>> step = {"task": "Say hello", "output": "$hello", "structured_output_schema": None}
    >>> read_plan_document({"plan_context": {"query": "Hello?"}, "steps": [step]}).steps[0].name
    'hello'
    """
    data = _without_empty(document)
    if isinstance(data.get("steps"), list):
        data["steps"] = [_without_empty(step) for step in data["steps"]]
    return Plan.model_validate(data)


def read_run_document(document: Mapping[str, Any]) -> PlanRun:
    """Return the run in `document`, by the reference or by ours.

    An output that the reference kept elsewhere comes back as its summary: the file holds no more.

    Raises:
        ValueError: it is no run (pydantic's own error, which lists why).
    """
    data = _without_empty(document)
    if isinstance(inputs := data.get("plan_run_inputs"), dict):
        data["plan_run_inputs"] = {
            str(name).removeprefix("$"): value["value"] if _is_output(value) else value
            for name, value in inputs.items()
        }
    if isinstance(outputs := data.get("outputs"), dict):
        outputs = _without_empty(outputs)
        if isinstance(by_name := outputs.get("step_outputs"), dict):
            outputs["step_outputs"] = {name: _output(value) for name, value in by_name.items()}
        if "final_output" in outputs:
            outputs["final_output"] = _output(outputs["final_output"])
        data["outputs"] = outputs
    return PlanRun.model_validate(data)


def plan_fits(plan: Plan, run: PlanRun) -> bool:
    """Tell whether each output of `run` is that of a step of `plan`."""
    return set(run.outputs.step_outputs) <= {place.step.output for place in plan.names.places}


def stand_in_plan(run: PlanRun) -> Plan:
    """Return a plan for a run whose own is not there: a step for each output, for people to read.

    It holds the place of a plan, so that the run can be shown. A run that isn't complete gets one
    step more, which fails: what was left to do is not known.
    """
    steps: list[dict[str, Any]] = [
        {"task": f"({_NO_PLAN})", "output": output} for output in run.outputs.step_outputs
    ]
    if run.state is not PlanRunState.COMPLETE:
        message = f"{_NO_PLAN}, so it can't go on"
        rest = {"kind": "exit", "task": message, "message": {"value": message}, "error": True}
        steps.append({**rest, "output": "$rest_of_the_plan"})
    context = {"query": f"(run {run.id}, imported without its plan)"}
    return Plan.model_validate({"id": run.plan_id, "plan_context": context, "steps": steps})


def events_of(run: PlanRun, plan: Plan) -> Iterator[AnyEvent]:
    """Yield events that add up to `run`, as far as a snapshot tells: when and how often is lost.

    Steps inside loops and branches are not told of, since a snapshot holds but their last outputs.

    Args:
        run: what became of it.
        plan: its plan, or one that stands in for it.
    """
    yield RunCreated(plan.id, dict(run.plan_run_inputs), run.end_user_id, run.forked_from)
    if run.state is PlanRunState.NOT_STARTED:
        return
    yield RunStarted(IMPORTED)
    unfinished: BaseStep | None = None
    for index, step in enumerate(plan.steps):
        output = run.outputs.step_outputs.get(step.output)
        asked = [c for c in run.outputs.clarifications if _index_of(c, run, plan) == index]
        is_behind = run.state is PlanRunState.COMPLETE or index < run.current_step_index
        if output is None and not asked and is_behind:
            yield StepSkipped(step.name, f"{IMPORTED}, which holds no output of it")
        elif output is not None or asked or unfinished is None:
            if output is not None or asked or run.state is not PlanRunState.READY_TO_RESUME:
                yield StepStarted(step.name)
            # Before the step's end: an event of a step that is done would open it again.
            yield from _questions(asked, step, run)
            if output is not None:
                yield StepDone(step.name, 1, output.value, output.summary)
            else:
                unfinished = unfinished or step
    yield from _ending(run, unfinished)


def _questions(asked: Sequence[Clarification], step: BaseStep, run: PlanRun) -> Iterator[AnyEvent]:
    for question in asked:
        path = question.path or step.name
        known = {"path": path, "plan_run_id": run.id, "resolved": False, "response": None}
        yield ClarificationRaised(path, question.model_copy(update=known))
        if question.resolved:
            by = question.answered_by or IMPORTED
            yield ClarificationResolved(question.id, question.response, by)


def _index_of(asked: Clarification, run: PlanRun, plan: Plan) -> int:
    """Return the index of the top-level step that asked, as near as the document tells."""
    index = run.current_step_index if asked.step is None else asked.step
    return min(max(index, 0), len(plan.steps) - 1)


def _ending(run: PlanRun, unfinished: BaseStep | None) -> Iterator[AnyEvent]:
    final = run.outputs.final_output or LocalDataValue()
    match run.state:
        case PlanRunState.COMPLETE:
            yield RunCompleted(None, final.value, final.summary)
        case PlanRunState.FAILED:
            step = None if unfinished is None else unfinished.name
            message = final.serialize_value() if final.value is not None else IMPORTED
            yield RunFailed(run.error or ErrorRecord("PortiaBaseError", message, step))
        case PlanRunState.NEED_CLARIFICATION:
            yield RunWaiting()
        case PlanRunState.READY_TO_RESUME:
            yield RunStopped(IMPORTED)
        case PlanRunState.NOT_STARTED | PlanRunState.IN_PROGRESS:
            return


def _output(value: Any) -> Any:
    """Return one output of a run's file: the reference kept large ones elsewhere."""
    if isinstance(value, dict) and "value" not in value and "output_name" in value:
        summary = value.get("summary")
        return {"value": f"(not in this file) {summary or ''}".rstrip(), "summary": summary}
    return (
        {key: value[key] for key in ("value", "summary") if key in value}
        if _is_output(value)
        else value
    )


def _is_output(value: Any) -> bool:
    return isinstance(value, dict) and "value" in value and value.keys() <= _OUTPUT_KEYS


_OUTPUT_KEYS = {"value", "summary", "type"}


def _without_empty(document: Any) -> Any:
    """Return a document without keys whose value is None: the reference prints more of them."""
    if not isinstance(document, Mapping):
        return document
    return {key: value for key, value in document.items() if value is not None}
