"""How a run ends well: its final output, in the shape and with the summary that its plan wants."""

from __future__ import annotations

from portia_nb.model.events import RunCompleted, RunFailed
from portia_nb.model.run import Run, StepState

from .failures import record_error
from .hooks import call_hook
from .models import Models
from .ports import Ports


async def finish(run: Run, ports: Ports, models: Models) -> None:
    """Emit how a run ended whose steps are all done or skipped.

    The final output is that of the last step, in plan order, that was done.
    """
    try:
        completed = await _completed(run, models)
        if ports.hooks.after_plan_run is not None:
            output = run.final_output(completed)
            await call_hook(
                ports.hooks.after_plan_run, ports.places, run.plan, run.snapshot(), output
            )
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
    if not done:
        return RunCompleted()
    last = done[-1]
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
