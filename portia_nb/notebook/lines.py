"""``%portia``: the subcommands that work with plans and runs."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption, PlanRunNotFoundError

from .arguments import Options, help_on, help_on_lines, nearest, parse_line
from .asking import Prompts
from .attending import attend
from .cell import attend_or_leave, portia_as_asked
from .starting import Start

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.model.run import PlanRun

    from .face import Face

MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One call of ``%portia``."""

    face: Face
    options: Options
    prompts: Prompts
    serves: bool


async def run_line(
    face: Face, line: str, prompts: Prompts, *, serves: bool, target: str | None
) -> Any:
    """Do what a ``%portia`` line says, and return its value, such as a `PlanRun`.

    Args:
        face: the notebook face.
        line: subcommand and options.
        prompts: questions for `input()`.
        serves: whether this is the main thread, which asks them.
        target: the variable that the value is assigned to, ``""`` for something else that it is
            assigned to; None: what has been shown isn't returned, so that the notebook doesn't
            show it twice.

    Raises:
        BaseException: whatever kept it from being done, as a card.
    """
    options = parse_line(line)
    if options.wants_help:
        face.say(help_on(options.command) if options.command.name else help_on_lines())
        return None
    if target and any(option.field == "output" for option in options.command.options):
        # An assignment is lost where the cell ends in an error; bound like this, it isn't.
        options.values.setdefault("output", target)
    value = await _COMMANDS[options.command.name](Line(face, options, prompts, serves))
    return None if target is None else value


async def _run(call: Line) -> Any:
    plan = plan_named(call.face, str(call.options.word))
    portia = portia_as_asked(call.face.portia(), call.options)
    start = Start(call.face, portia, call.options, call.prompts)
    attended = await start.run(plan, _inputs_of(call, plan), serves=call.serves)
    return await attend_or_leave(
        call.face, attended, call.options, call.prompts, serves=call.serves
    )


def _inputs_of(call: Line, plan: Plan) -> dict[str, Any]:
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


async def _resume(call: Line) -> Any:
    from portia_nb.session.live import live_run

    from .attending import Attended

    run_id = run_named(call.face, call.options.word)
    if live_run(run_id) is not None:
        return await _wait(call)
    portia = portia_as_asked(call.face.portia(), call.options)
    start = Start(call.face, portia, call.options, call.prompts)
    attended = start.resume(run_id, None)
    if not isinstance(attended, Attended):
        call.face.say(f"Run {run_id} is complete already.{_unfinished(call)}")
        return show_run(call, run_id)
    return await attend_or_leave(
        call.face, attended, call.options, call.prompts, serves=call.serves
    )


async def _fork(call: Line) -> Any:
    from .forks import fork

    return await fork(call)


async def _retry(call: Line) -> Any:
    from .forks import retry

    return await retry(call)


async def _diff(call: Line) -> Any:
    from .forks import diff

    return await diff(call)


async def _wait(call: Line) -> Any:
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


async def _stop(call: Line) -> None:
    from concurrent.futures import wait

    from portia_nb.session.live import live_run
    from portia_nb.session.waiting import GRACE_S
    from portia_nb.tools.aside import run_aside

    run_id = run_named(call.face, call.options.word)
    live = live_run(run_id)
    if live is None:
        call.face.say(f"Run {run_id} isn't running in this kernel; there is nothing to stop.")
        return
    live.stop("stopped by %portia stop")
    # The next line may well be the resume: it should find a run that has ended.
    await run_aside(wait, [live.done], GRACE_S)
    how = "has stopped" if live.done.done() else "stops once a step has cleaned up"
    call.face.say(f"Run {run_id} {how}; what is done is kept. %portia resume {run_id} goes on.")


async def _show(call: Line) -> Any:
    word = call.options.word
    variable = call.face.shell.user_ns.get(word) if word else None
    if type(variable).__name__ == "Plan" or (word or "").startswith("plan-"):
        plan = plan_named(call.face, str(word))
        call.face.display(plan)
        call.face.give(call.options.one("output"), plan)
        return plan
    return show_run(call, run_named(call.face, word))


async def _runs(call: Line) -> list[Any]:
    rows = call.face.portia().store.find_runs(limit=MAX_LISTED)
    lines = [f"{'run':42} {'state':19} {'started':17} goal"]
    for row in rows:
        started = datetime.datetime.fromtimestamp(row.created_at).strftime("%Y-%m-%d %H:%M")
        held = " (held by another process)" if _held_elsewhere(row) else ""
        held += f" (fork of {row.forked_from[:13]})" if row.forked_from else ""
        goal = " ".join(row.query.split())[:60]
        lines.append(f"{row.run_id:42} {row.state.value:19} {started:17} {goal}{held}")
    call.face.say("\n".join(lines) if rows else "No runs are kept here yet.")
    return rows


def _held_elsewhere(row: Any) -> bool:
    from portia_nb.session.live import live_run
    from portia_nb.storage.owner import is_alive

    return row.owner is not None and is_alive(row.owner) and live_run(row.run_id) is None


async def _forget(call: Line) -> None:
    run_id = run_named(call.face, str(call.options.word))
    call.face.portia().store.delete_run(run_id)
    call.face.runs.pop(run_id, None)
    call.face.say(
        f"Run {run_id} is forgotten: nothing of it is kept. What cells have shown of it stays in "
        "the notebook until you clear their outputs."
    )


async def _tools(call: Line) -> list[str]:
    tools = list(call.face.portia().tools)
    width = max((len(tool.id) for tool in tools), default=0) + 2
    says = {True: "changes something", False: "only reads", None: "may change something"}
    lines = [
        f"{tool.id:{width}}{says[tool.side_effect]:22}{' '.join(tool.description.split())[:100]}"
        for tool in tools
    ]
    call.face.say("\n".join(lines) if lines else "This Portia has no tools.")
    return [tool.id for tool in tools]


async def _use(call: Line) -> Any:
    portia = call.face.use(str(call.options.word))
    from portia_nb.drawing.text import counted

    tools = counted(len(portia.tools), "tool")
    call.face.say(f"%%portia uses {call.options.word} from here on, with {tools}.")
    return portia


async def _doctor(call: Line) -> Any:
    from .doctor import examine

    report = await examine(call.face)
    call.face.show_bundle(report.bundle())
    return report


async def _why(call: Line) -> None:
    call.face.say(call.face.why())


def _unfinished(call: Line) -> str:
    """Name the latest run that can go on, where no run was asked for; ``""`` if there is none."""
    from portia_nb.model.run import PlanRunState

    if call.options.word is not None:
        return ""
    for row in call.face.portia().store.find_runs(limit=MAX_LISTED):
        if row.state is not PlanRunState.COMPLETE:
            return f" The latest that isn't ({row.state.value}): %portia resume {row.run_id}"
    return ""


def show_run(call: Line, run_id: str) -> PlanRun:
    """Show a whole run, with its plan and its times; a kept one is read from the store."""
    from portia_nb.session.opening import open_run

    from .static_record import run_bundle

    attended = call.face.runs.get(run_id)
    if attended is not None and attended.live.done.done():
        run = attended.live.run
    else:
        run = open_run(call.face.portia().store, run_id)
    # Its snapshot is shown with the plan, too, wherever it is shown later.
    call.face.remember_plan(run.plan)
    call.face.show_bundle(run_bundle(run))
    call.face.note_shown(run_id)
    plan_run = run.snapshot()
    call.face.give(call.options.one("output"), plan_run)
    return plan_run


def plan_named(face: Face, word: str) -> Plan:
    """Return the plan that a variable holds or an id names.

    Raises:
        InvalidOption: neither.
        PlanNotFoundError: the store holds no plan of this id.
    """
    from portia_nb.model.plan import Plan
    from portia_nb.planning.bound import built_plan

    value = face.shell.user_ns.get(word)
    if isinstance(value, Plan):
        return value
    if word in face.plans:
        return face.plans[word]
    if word.startswith("plan-"):
        kept = face.portia().store.load_plan(word)
        # As this process built it, where it did: then its functions are there.
        return built_plan(kept.content_hash()) or kept
    plans = [
        name
        for name, each in face.shell.user_ns.items()
        if isinstance(each, Plan) and not name.startswith("_")
    ]
    raise InvalidOption(f"{word!r} is no plan: {nearest(word, plans)}", option=word)


def run_named(face: Face, word: str | None) -> str:
    """Return the id of the run that a variable holds, an id's beginning names, or was last.

    Raises:
        PlanRunNotFoundError: there is none.
    """
    if word is None:
        last = next(reversed(face.runs), None)
        rows = [] if last else face.portia().store.find_runs(limit=1)
        if last is None and not rows:
            raise PlanRunNotFoundError("there is no run yet")
        return last or rows[0].run_id
    value = face.shell.user_ns.get(word)
    if value is not None and str(getattr(value, "id", "")).startswith("prun-"):
        return str(value.id)
    known = [*face.runs, *(row.run_id for row in face.portia().store.find_runs())]
    matching = {run_id for run_id in known if run_id.startswith(word)}
    if len(matching) > 1 and word not in matching:
        raise PlanRunNotFoundError(
            f"{word!r} is the beginning of {len(matching)} runs: {', '.join(sorted(matching)[:5])}"
        )
    if matching:
        return word if word in matching else matching.pop()
    if word.startswith("prun-") and len(word) == len("prun-") + 36:
        return word
    raise PlanRunNotFoundError(f"{word!r} is no run; %portia runs lists them", plan_run_id=word)


def values_of(call: Line, option: str) -> dict[str, Any]:
    """Return the values of ``NAME=EXPR`` options, evaluated as the notebook's own code.

    Raises:
        InvalidOption: an expression fails (chained).
    """
    found: dict[str, Any] = {}
    for name, expression in call.options.pairs(option).items():
        try:
            found[name] = call.face.shell.ev(expression)
        except Exception as error:
            raise InvalidOption(
                f"--{option} {name}={expression}: {type(error).__name__}: {error} (text goes in "
                "quotes)",
                option=f"--{option}",
            ) from error
    return found


_COMMANDS: dict[str, Callable[[Line], Awaitable[Any]]] = {
    "run": _run,
    "runs": _runs,
    "show": _show,
    "resume": _resume,
    "retry": _retry,
    "fork": _fork,
    "diff": _diff,
    "wait": _wait,
    "stop": _stop,
    "forget": _forget,
    "tools": _tools,
    "use": _use,
    "doctor": _doctor,
    "why": _why,
}
