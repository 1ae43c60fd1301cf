"""A snapshot of a run, perhaps loaded from JSON, made fit for the views of a run."""

from __future__ import annotations

from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, Run, StepState


def run_of(plan_run: PlanRun, plan: Plan | None = None) -> Run:
    """Return a run that shows what a `PlanRun` holds; times and attempts are not in it.

    Args:
        plan_run: a snapshot, perhaps loaded from JSON.
        plan: its plan; None, or a plan without those outputs, shows the outputs as steps.
    """
    outputs = plan_run.outputs.step_outputs
    if plan is None or not set(outputs) <= {p.step.output for p in plan.names.places}:
        steps = tuple({"task": "", "output": output} for output in outputs)
        plan = Plan.model_validate({"id": plan_run.plan_id, "steps": steps})
    run = Run(str(plan_run.id), plan)
    run.state, run.error, run.final = plan_run.state, plan_run.error, plan_run.final_output
    run.clarifications = {c.id: c for c in plan_run.outputs.clarifications}
    for place in plan.names.places:
        output = outputs.get(place.step.output)
        if output is not None:
            # Which round a step's output is of, a snapshot doesn't say.
            record = run.record(place.in_plan)
            record.state, record.value = StepState.DONE, output.value
            record.summary = output.summary
    if run.error is not None and run.error.step:
        record = run.record(run.error.step)
        record.state, record.error = StepState.FAILED, run.error
    for question in run.outstanding():
        if question.path:
            run.record(question.path).state = StepState.ASKING
    return run
