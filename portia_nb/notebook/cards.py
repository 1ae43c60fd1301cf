"""Errors as one short card: what failed, where, and the command that goes on.

The exception that is raised stays the real one, so that Run All stops and `except` finds its class;
only its way of showing itself changes. The full traceback is a command away: ``%portia why``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from portia_nb.errors import BudgetReached, InputsMissing, PlanRunFailed, WaitingForAnswer

if TYPE_CHECKING:
    from portia_nb.model.clarification import Clarification
    from portia_nb.model.run import PlanRun

MAX_MESSAGE_CHARS = 1_500
_LABEL_WIDTH = 6

_DOCTOR = "%portia doctor shows what is set, and model servers on this machine"
_PACKAGE = "a package is missing in this kernel's environment"
_CAUSES = {
    "NoModelKey": "no key for a model is set",
    "ConfigNotFoundError": "a setting is missing",
    "ModelKeyRefused": "the key is wrong, expired, or of another provider",
    "ModelNotFound": "the name is misspelt, or this key may not use that model",
    "ModelUnreachable": "no network, a wrong base_url, or a server that is down",
    "ModelRateLimited": "too many calls at once, or no credit is left",
    "ModelServerError": "the provider has trouble of its own",
    "PlanNotFeasibleError": "the tools can't do it, or the goal leaves too much open",
    "StepTimeout": "the call hangs, or needs a larger timeout_s",
    "StoreUnwritable": "the folder can't be made or written to",
    "StoreFull": "the disk is full",
    "StoreLocked": "another process is writing there",
    "RunHeldElsewhere": "another notebook or program has this run open",
    "FunctionsMissing": "the kernel was restarted, and the plan holds functions of yours",
    "RecordDrift": "the goal, a tool or a prompt is not what it was when this was recorded",
    "ImportError": _PACKAGE,
    "ModuleNotFoundError": _PACKAGE,
}
_NEXT = {
    "NoModelKey": f"set a key, then run this cell again; {_DOCTOR}",
    "ConfigNotFoundError": f"set it, then run this cell again; {_DOCTOR}",
    "ModelKeyRefused": f"mend the key, then run this cell again; {_DOCTOR}",
    "ModelNotFound": "give another with --model PROVIDER/NAME",
    "ModelUnreachable": f"run this cell again once it is reached; {_DOCTOR}",
    "ModelRateLimited": "wait a little, then run this cell again",
    "ModelServerError": "run this cell again later, or give another model with --model",
    "PlanNotFeasibleError": "say more in the goal, or offer more tools; %portia tools lists them",
    "ToolNotFoundError": "%portia tools lists the tools",
    "StoreUnwritable": "Config(store='memory') keeps runs in memory",
    "StoreFull": "free some space, then run this cell again; what is kept stays",
    "RunHeldElsewhere": "%portia wait RUN waits for it, or end the other process",
    "FunctionsMissing": "run the cell that builds the plan, then this one again",
    "RecordDrift": "--record FILE records anew, with a key",
}
"""What to do, where the cell that failed is what goes on. A run that failed says so itself."""
_NEXT_IN_CODE = _NEXT | {
    "ModelNotFound": "name another: Config(default_model='PROVIDER/NAME')",
    "ModelServerError": "run this cell again later, or name another model",
    "ToolNotFoundError": "",
    "RecordDrift": "Config(record=FILE) records anew, with a key",
}
"""The same where Python code was called, which takes none of the options of the magics."""

E = TypeVar("E", bound=BaseException)
Facts = Sequence[tuple[str, str]]


def dress(error: E, facts: Facts = ()) -> E:
    """Make `error` show itself as a card with `facts` below its message, and return it.

    Args:
        error: any exception; one that is dressed already keeps its card.
        facts: labels and texts, e.g. ``("next", "%portia resume prun-1")``.
    """
    if not hasattr(error, "_render_traceback_"):
        lines = card_lines(error, facts)
        try:
            # IPython asks the exception itself before it makes a traceback.
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        except AttributeError:
            # An exception with slots: its traceback is shown as it is.
            return error
    return error


def card_lines(error: BaseException, facts: Facts = ()) -> list[str]:
    """Return the card's lines, coloured as IPython colours errors."""
    from .visible_text import visible

    name = type(error).__name__
    message = visible(str(error)[:MAX_MESSAGE_CHARS])
    cause = of_kind(error, _CAUSES)
    if isinstance(error, PlanRunFailed):
        cause = _CAUSES.get(str(getattr(error, "failed_with", "")))
    # Bold, since plain red and cyan are too faint on the red ground that notebooks give to errors.
    name = f"\x1b[1;31m{name}\x1b[0m"
    lines = [f"{name}: {message}" if message else name]
    lines += [fact_line(*each) for each in [*([("cause", cause)] if cause else []), *facts]]
    return lines


def fact_line(label: str, text: str) -> str:
    """Return one line below an error's message."""
    from .visible_text import visible

    return f"  \x1b[1m{label:{_LABEL_WIDTH}}\x1b[0m {visible(text)}"


def of_kind(error: BaseException, texts: Mapping[str, str]) -> str | None:
    """Return what `texts` says of the class of `error`, or of the nearest that it is one of."""
    return next((texts[c.__name__] for c in type(error).__mro__ if c.__name__ in texts), None)


def next_command(error: BaseException) -> str | None:
    """Return what goes on after an error before any run, None where the message says it all."""
    missing = getattr(error, "missing", None)
    if isinstance(error, InputsMissing) and missing:
        names = [str(name).removeprefix("$") for name in missing]
        options = " ".join(f"--in {name}=VALUE" for name in names)
        if getattr(error, "columns", None):
            columns = " ".join(f"--column {name}=COLUMN" for name in names)
            return f"add {columns} to the line, or for one value in all rows {options}"
        return f"add {options} to the line"
    if getattr(error, "changed", None):
        return f"%portia fork {getattr(error, 'run_id', 'RUN')} --plan PLAN"
    return of_kind(error, _NEXT)


def next_in_code(error: BaseException) -> str | None:
    """Return what goes on after an error of a Python call, None where the message says it all."""
    return of_kind(error, _NEXT_IN_CODE) or None


def failed(plan_run: PlanRun) -> PlanRunFailed:
    """Return the error of a failed run, as a card."""
    from portia_nb.model.refusal import ENDED_BY_NO, EXPIRED, refused_by

    record = plan_run.error
    if question := refused_by(record, plan_run.outputs.clarifications):
        return dress(
            PlanRunFailed(
                f"step {question.path!r} ended the run: the answer to "
                f"{question.user_guidance!r} was no",
                plan_run=plan_run,
                step=question.path,
                failed_with=ENDED_BY_NO,
            ),
            [("kept", _kept(plan_run)), ("next", f"%portia resume {plan_run.id} asks again")],
        )
    again = f"%portia resume {plan_run.id}"
    is_expired = record is not None and record.type == EXPIRED
    command = f"{again} asks again" if is_expired else f"mend it, then: {again}"
    facts = [("kept", _kept(plan_run)), ("next", command)]
    if record is None:
        return dress(PlanRunFailed("the run failed", plan_run=plan_run), facts)
    where = f"step {record.step!r} failed: " if record.step else ""
    error = PlanRunFailed(
        f"{where}{record.type}: {record.message}",
        plan_run=plan_run,
        step=record.step,
        failed_with=record.type,
    )
    return dress(
        error, [*facts, ("more", "%portia why shows the traceback")] if record.traceback else facts
    )


def waiting(
    plan_run: PlanRun, *, unused: Sequence[str] = (), is_headless: bool = False
) -> WaitingForAnswer:
    """Return the error of a run that waits for an answer nobody here could give, as a card.

    Args:
        plan_run: the run.
        unused: names of declared answers that met no question; a misspelt one is seen here.
        is_headless: whether a program runs the notebook, which can be told the answers.
    """
    from portia_nb.session.answering import is_approval, name_of

    questions = plan_run.get_outstanding_clarifications()
    asked = "; ".join(_question(question) for question in questions) or "an answer is missing"
    options = [
        "--yes" if is_approval(question) else f"--answer {name_of(question)}=VALUE"
        for question in questions
    ]
    command = " ".join(["%portia resume", str(plan_run.id), *dict.fromkeys(options)])
    facts = [("kept", _kept(plan_run)), ("next", command)]
    if unused:
        facts.insert(1, ("unused", f"no question asked for {', '.join(unused)}"))
    if is_headless and (names := [name_of(each) for each in questions if not is_approval(each)]):
        answers = json.dumps(dict.fromkeys(names, "VALUE"), ensure_ascii=False)
        facts.append(("or", f"run the notebook again with PORTIA_ANSWERS={shlex.quote(answers)}"))
    return dress(
        WaitingForAnswer(f"the run waits: {asked}", plan_run=plan_run, run_id=str(plan_run.id)),
        facts,
    )


def stopped(run_id: str | None, *, cleaning_up: bool = False) -> KeyboardInterrupt:
    """Return what an interrupted cell raises, as a card.

    Args:
        run_id: the run that was stopped; None: nothing had run yet.
        cleaning_up: True where the run still ends itself in the background.
    """
    if run_id is None:
        return dress(KeyboardInterrupt("stopped; nothing was run"))
    said = "stopped; state saved"
    if cleaning_up:
        said = "stopped; a step is still cleaning up in the background, its state will be saved"
    return dress(KeyboardInterrupt(said), [("next", f"%portia resume {run_id}")])


def budget_reached(plan_run: PlanRun) -> BudgetReached:
    """Return what a cell raises whose run was stopped by its budget, as a card."""
    said, _, how = plan_run.stop_reason.partition("; what is done is kept")
    larger = how.partition("budget='")[2].rpartition("'")[0] or "…"
    following = f'%portia resume {plan_run.id} --budget "{larger}"'
    return dress(BudgetReached(f"{said}; {_kept(plan_run)} are kept"), [("next", following)])


def left(run_id: str) -> KeyboardInterrupt:
    """Return what an interrupted ``%portia wait`` raises, as a card: the run itself goes on."""
    return dress(
        KeyboardInterrupt("no longer waiting; the run goes on in the background"),
        [("next", f"%portia wait {run_id}, or %portia cancel {run_id}")],
    )


def _kept(plan_run: PlanRun) -> str:
    done = len(plan_run.outputs.step_outputs)
    return f"{done} finished {'step' if done == 1 else 'steps'} of run {plan_run.id}"


def _question(question: Clarification) -> str:
    options = getattr(question, "options", None)
    offered = f" ({', '.join(str(each) for each in options[:20])})" if options else ""
    step = f"{question.path} asks " if question.path else ""
    return f"{step}{question.user_guidance!r}{offered}"
