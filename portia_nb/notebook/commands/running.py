"""``%portia run``, ``resume``, ``wait`` and ``cancel``: let a run go, and attend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidAnswer, InvalidOption
from portia_nb.notebook.attending import attend, unused_text
from portia_nb.notebook.cell import attend_or_leave, portia_as_asked
from portia_nb.notebook.starting import Start
from portia_nb.session.answering import DeclaredAnswers, misfit

from .named import map_named, plan_to_use, run_named, values_of
from .nearness import nearest
from .showing import show_run

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.model.run import PlanRun
    from portia_nb.session.live import LiveRun
    from portia_nb.session.map_result import PlanMap

    from .call import Call


async def run(call: Call) -> Any:
    """Run a plan as the line says."""
    plan = plan_to_use(call.face, str(call.options.word))
    portia = portia_as_asked(call.face.portia(), call.options)
    start = Start(call.face, portia, call.options, call.prompts)
    attended = await start.run(plan, _inputs_of(call, plan), serves=call.serves)
    return await attend_or_leave(
        call.face, attended, call.options, call.prompts, serves=call.serves
    )


async def resume(call: Call) -> Any:
    """Go on with a run as the line says."""
    from portia_nb.notebook.attending import Attended
    from portia_nb.session.live import live_run
    from portia_nb.session.resuming import alet_stop

    if (found := map_named(call.face, call.options.word)) is not None:
        from .mapping import resume_map

        return await resume_map(call, str(getattr(found, "id", found)))
    run_id = run_named(call.face, call.options.word)
    await alet_stop(run_id)
    if (live := live_run(run_id)) is not None:
        _answer_open(call, live)
        return await wait(call)
    portia = portia_as_asked(call.face.portia(), call.options)
    start = Start(call.face, portia, call.options, call.prompts)
    attended = start.resume(run_id, None)
    if not isinstance(attended, Attended):
        call.face.say(f"Run {run_id} is complete already.{_unfinished(call)}")
        return show_run(call, run_id)
    return await attend_or_leave(
        call.face, attended, call.options, call.prompts, serves=call.serves
    )


async def wait(call: Call) -> Any:
    """Wait for a run that goes on in the background, and show it."""
    from portia_nb.session.live import live_run

    run_id = run_named(call.face, call.options.word)
    attended = call.face.runs.get(run_id)
    if attended is not None:
        await attend(
            call.face,
            attended,
            prompts=call.prompts,
            serves=call.serves,
            output=call.options.one("output"),
            stops=False,
        )
        # The cell that started it shows it, too, and may be far up.
        return show_run(call, run_id)
    if live_run(run_id) is not None:
        raise InvalidOption(
            f"run {run_id} was started by Python code in this kernel: wait for it there",
            option=run_id,
        )
    return show_run(call, run_id)


async def cancel(call: Call) -> PlanRun | PlanMap | None:
    """Stop a run or a map, and say whether it has ended."""
    from portia_nb.model.run import PlanRunState
    from portia_nb.session.history import WORDS
    from portia_nb.session.live import live_run

    if (found := map_named(call.face, call.options.word)) is not None:
        return await _cancel_map(call, str(getattr(found, "id", found)))
    run_id = run_named(call.face, call.options.word)
    live = live_run(run_id)
    # The next line may well be the resume: it finds a run that has ended.
    run = await call.face.portia().acancel(run_id, reason="stopped by %portia cancel")
    if live is None:
        call.face.say(
            f"Run {run_id} isn't under way ({WORDS[run.state]}); there is nothing to stop."
        )
        return run
    if run.state is PlanRunState.COMPLETE:
        call.face.say(f"Run {run_id} was done before it could be stopped.")
        return run
    how = "has stopped" if live.done.done() else "stops once a step has cleaned up"
    call.face.say(f"Run {run_id} {how}; what is done is kept. %portia resume {run_id} goes on.")
    return run


async def _cancel_map(call: Call, map_id: str) -> PlanMap:
    from portia_nb.session.live_map import live_map

    live = live_map(map_id)
    made: Any = await call.face.portia().acancel(map_id, reason="stopped by %portia cancel")
    if live is None:
        call.face.say(f"Map {map_id} isn't under way ({made.state}); there is nothing to stop.")
    else:
        call.face.say(f"Map {map_id}: {made.state}. %portia resume {map_id} goes on.")
    return made


def _answer_open(call: Call, live: LiveRun) -> None:
    """Give a run that waits in the background the answers of ``--answer``.

    Raises:
        InvalidAnswer: its question refused one.
    """
    declared = DeclaredAnswers(call.options.pairs("answer"))
    for question in tuple(live.run.clarifications.values()):
        if not question.resolved and (found := declared.take(question)) is not None:
            name, answer = found
            try:
                live.answer(question.id, answer, by="--answer")
            except InvalidAnswer as error:
                raise misfit(name, question, error) from None
    if unused := declared.unused():
        call.face.say(unused_text(unused))


def _inputs_of(call: Call, plan: Plan) -> dict[str, Any]:
    """Return the plan's inputs: as ``--in`` gives them, else the variables of the same name.

    An input with a default takes that, whatever variables there are.

    Raises:
        InvalidOption: ``--in`` names an input that the plan hasn't got.
    """
    from portia_nb.model.reference import Input, StepOutput

    inputs = {each.name.removeprefix("$"): each for each in plan.plan_inputs}
    given = values_of(call, "in")
    for name in given.keys() - inputs.keys():
        raise InvalidOption(
            f"--in {name}: this plan takes no such input; {nearest(name, inputs)}", option="--in"
        )
    variables = {
        name: call.face.shell.user_ns[name]
        for name, known in inputs.items()
        if known.value is None and name in call.face.shell.user_ns
    }
    # What `with builder.loop(…) as item` leaves behind is no value.
    values = {n: v for n, v in variables.items() if not isinstance(v, Input | StepOutput)}
    return values | given


def _unfinished(call: Call) -> str:
    """Name the latest run that can go on, where no run was asked for; ``""`` if there is none."""
    from portia_nb.model.run import PlanRunState
    from portia_nb.session.finding import latest_runs
    from portia_nb.session.history import WORDS

    if call.options.word is not None:
        return ""
    for row in latest_runs(call.face.portia().store):
        if row.state is not PlanRunState.COMPLETE:
            return f" The latest that isn't ({WORDS[row.state]}): %portia resume {row.run_id}"
    return ""
