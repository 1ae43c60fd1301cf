"""How a command that runs a plan ends: the result, what to do next, and the exit status."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from portia_nb.drawing.text import short_text
from portia_nb.model.plain import to_plain_json
from portia_nb.model.refusal import EXPIRED, refused_by
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.session.answering import is_approval, name_of

from .hints import HINTS
from .parser import PROG
from .status import COMPLETE, FAILED, INTERRUPTED, WAITING
from .terminal import Terminal

if TYPE_CHECKING:
    from portia_nb.model.clarification import Clarification

_STATES = {
    PlanRunState.COMPLETE: COMPLETE,
    PlanRunState.FAILED: FAILED,
    PlanRunState.NEED_CLARIFICATION: WAITING,
}


def end(
    terminal: Terminal,
    run: PlanRun,
    *,
    settings: Sequence[str],
    is_kept: bool,
    debug: bool = False,
    unused: Sequence[str] = (),
) -> int:
    """Print a run's result, or what it needs to go on, and return the exit status.

    Args:
        terminal: where to print.
        run: the run as it ended.
        settings: options that the next command has to repeat.
        is_kept: whether the run outlives this process.
        debug: show where a step failed.
        unused: names of declared answers that met no question.
    """
    if terminal.as_json:
        terminal.give_json(run.model_dump_json())
    match run.state:
        case PlanRunState.COMPLETE:
            terminal.say(("✓ complete", "green"), f"  run {run.id}")
            _give_final(terminal, run)
        case PlanRunState.FAILED if question := refused_by(run.error, run.outputs.clarifications):
            asked = f"the answer to {question.user_guidance!r} was no"
            terminal.say(("■ ended by a no", "yellow"), f"  step {question.path!r}: {asked}")
            _say_next(terminal, run, "to be asked again", [], settings, is_kept)
        case PlanRunState.FAILED:
            _say_error(terminal, run, debug)
            is_expired = run.error is not None and run.error.type == EXPIRED
            why = "to be asked again" if is_expired else "mend it, then"
            _say_next(terminal, run, why, [], settings, is_kept)
        case PlanRunState.NEED_CLARIFICATION:
            _say_questions(terminal, run, unused)
            answers = [_answer_option(q) for q in run.get_outstanding_clarifications()]
            words = [word for answer in dict.fromkeys(answers) for word in answer]
            _say_next(terminal, run, "to answer and go on", words, settings, is_kept)
        case _:
            terminal.say(("■ stopped", "yellow"), f"  run {run.id}")
            _say_next(terminal, run, "to go on", [], settings, is_kept)
    return _STATES.get(run.state, INTERRUPTED)


def leave(terminal: Terminal, run_id: str, settings: Sequence[str], *, is_kept: bool) -> int:
    """Say that a run was left before it ended, and return the exit status."""
    terminal.say(("■ left", "yellow"), f"  run {run_id}, in the midst of a step")
    if is_kept:
        terminal.say(f"to go on: {command('resume', run_id, *settings)}")
    return INTERRUPTED


def command(*words: str) -> str:
    """Return a `portia-nb` command as one can type it.

    >>> command("resume", "prun-1", "--answer", "city=New York")
    "portia-nb resume prun-1 --answer 'city=New York'"
    """
    return shlex.join([PROG, *words])


def value_text(value: object) -> str:
    """Return a run's output as text: text as it is, anything else as JSON, indented."""
    if isinstance(value, str):
        return value
    return json.dumps(to_plain_json(value), indent=2, ensure_ascii=False, allow_nan=False)


def _give_final(terminal: Terminal, run: PlanRun) -> None:
    final = run.final_output
    if terminal.as_json or final is None:
        return
    terminal.give(value_text(final.value))
    if final.summary and final.summary != final.value:
        terminal.say(("summary", "dim"), f": {final.summary}")


def _say_error(terminal: Terminal, run: PlanRun, debug: bool) -> None:
    error = run.error
    if error is None:
        terminal.say(("✗ failed", "red"), f"  run {run.id}")
        return
    if debug and error.traceback:
        terminal.say(error.traceback.rstrip())
    where = f"step {error.step!r}: " if error.step else ""
    terminal.say(("✗ failed", "red"), f"  {where}{error.type}: {error.message}")
    if error.type in HINTS:
        terminal.say(HINTS[error.type])


def _say_questions(terminal: Terminal, run: PlanRun, unused: Sequence[str]) -> None:
    questions = run.get_outstanding_clarifications()
    for question in questions:
        who = f"{question.path} asks: " if question.path else ""
        options = getattr(question, "options", ())
        offered = f" ({', '.join(short_text(each) for each in options)})" if options else ""
        terminal.say(("? waiting", "yellow"), f"  {who}{question.user_guidance}{offered}")
    if unused:
        names = ", ".join(dict.fromkeys(name_of(q) for q in questions if not is_approval(q)))
        open_ones = f"; answers are awaited for: {names}" if names else ""
        terminal.say(f"no question was called {', '.join(unused)}{open_ones}")


def _answer_option(question: Clarification) -> tuple[str, ...]:
    if is_approval(question):
        return ("--yes",)
    return "--answer", f"{name_of(question)}=VALUE"


def _say_next(
    terminal: Terminal,
    run: PlanRun,
    why: str,
    words: Sequence[str],
    settings: Sequence[str],
    is_kept: bool,
) -> None:
    done = len(run.outputs.step_outputs)
    steps = "1 finished step" if done == 1 else f"{done} finished steps"
    if not is_kept:
        terminal.say(
            "runs in memory end with this process: with --store FOLDER this one could go on"
        )
        return
    terminal.say(f"kept: {steps} of run {run.id}")
    terminal.say(f"{why}: {command('resume', str(run.id), *words, *settings)}")
