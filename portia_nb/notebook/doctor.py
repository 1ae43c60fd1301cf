"""``%portia doctor``: what works in this kernel, what doesn't, and what to do about it.

What there is without a notebook, `Portia.doctor` looks at; here it is how people can be asked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from portia_nb.errors import WaitingForAnswer
from portia_nb.session.examining import Finding, Report

from .asking import stdin_allowed
from .rungs import AWAITED, BLOCKED, Abilities, standing

if TYPE_CHECKING:
    from portia_nb.session.portia import Portia

    from .commands.call import Call
    from .face import Face

TOPIC = "Asking you"
GO_TO = "questions go to"
"""What the finding is called that names the rung of the ladder of `asking` that holds."""
GO_ELSEWHERE = "elsewhere, to"
"""The same for cells that can't await."""


async def examine(face: Face, tried: Sequence[Finding] = ()) -> Report:
    """Look at everything and return what was found; takes about half a second.

    Args:
        face: the notebook face.
        tried: what asking for once, as `try_asking` does, has shown.
    """
    return Report((*tried, *(await face.portia().adoctor()).findings))


def abilities(face: Face, portia: Portia) -> Abilities:
    """Return what this kernel and its front end are, and did so far."""
    off = ""
    if portia.config.no_ask:
        off = f"the setting no_ask ({portia.config.origin('no_ask')})"
    elif not face.settings.ask:
        off = "%config PortiaMagics.ask"
    elif _environment_is_headless():
        off = "PORTIA_NO_ASK in the environment"
    kernel = getattr(face.shell, "kernel", None)
    subshells = _subshells(kernel)
    delivery = face.detour.delivery()
    return Abilities(
        asking_is_off=off,
        ipykernel="" if kernel is None else _version("ipykernel"),
        delivery=delivery,
        has_subshells=subshells is not None,
        uses_subshells=bool(subshells),
        sends_back=delivery == "kernel",
        has_stdin=stdin_allowed(face.shell),
        awaiting=face.hearing.awaiting,
        blocked=face.hearing.blocked,
    )


def asking(face: Face, portia: Portia) -> Iterable[Finding]:
    """Say where questions go here, why, and what makes for a better way."""
    from portia_nb.errors import PortiaBaseError
    from portia_nb.session.answering import standing_answers

    found = abilities(face, portia)
    awaited, blocked = (standing(found, awaits=awaits) for awaits in (True, False))
    yield Finding(TOPIC, GO_TO, f"{awaited.rung}: {awaited.why}", _is_fine(awaited.rung))
    if awaited.better:
        yield Finding(TOPIC, "for a better way", awaited.better, None)
    yield Finding(TOPIC, "that is for", AWAITED, None)
    if not found.asking_is_off and found.ipykernel:
        yield Finding(TOPIC, GO_ELSEWHERE, f"{blocked.rung}: {blocked.why}", None)
        yield Finding(TOPIC, "that is for", BLOCKED, None)
        if blocked.better and blocked.rung != awaited.rung:
            yield Finding(TOPIC, "for a better way", blocked.better, None)
    says = "yes" if found.has_stdin else "no: this front end allows no stdin (nbclient, papermill)"
    yield Finding(TOPIC, "input()", says, found.has_stdin or None)
    try:
        names = ", ".join(standing_answers(portia.config)) or "none in the settings"
    except PortiaBaseError as error:
        yield Finding(TOPIC, "declared answers", str(error), False)
    else:
        yield Finding(TOPIC, "declared answers", f"{names}; --answer NAME=VALUE adds some", None)


async def try_asking(call: Call) -> tuple[Finding, ...]:
    """Ask the person one question as any run does, and say by which rung the answer came, and when.

    Raises:
        KeyboardInterrupt: the cell was interrupted.
    """
    from portia_nb.model.clarification import Clarification
    from portia_nb.planning.builder import PlanBuilderV2

    from .attending import attend
    from .starting import Start

    plan = (
        PlanBuilderV2("Can you be asked here?")
        .user_input(message="Can you read this?", options=["yes"], step_name="asked")
        .build()
    )
    portia = call.face.portia().with_config(store="memory", record=None, replay=None)
    began = time.monotonic()
    attended = await Start(call.face, portia, call.options, call.prompts).run(
        plan, {}, serves=call.serves
    )
    is_drawn = await attended.view.until_ready(call.face.settings.form_time_s)
    drawn_s = time.monotonic() - began
    try:
        run = await attend(call.face, attended, prompts=call.prompts, serves=call.serves)
    except WaitingForAnswer:
        return (Finding(TOPIC, "tried just now", "nobody could be asked", is_fine=False),)
    question: Clarification = run.outputs.clarifications[-1]
    heard = f"by {question.answered_by}, {time.monotonic() - began:.1f} s after it was asked"
    drawn = f"within {drawn_s:.1f} s" if is_drawn else f"not within {drawn_s:.1f} s"
    return (
        Finding(TOPIC, "tried just now", f"answered {heard}"),
        Finding(TOPIC, "the page drew it", drawn, is_drawn or None),
    )


def _is_fine(rung: str) -> bool | None:
    return True if rung == "the form" else None if rung == "input()" else False


def _environment_is_headless() -> bool:
    from portia_nb.config import Config
    from portia_nb.errors import InvalidConfigError

    try:
        return Config.from_default().no_ask
    except InvalidConfigError:
        return False


def _subshells(kernel: Any) -> Sequence[str] | None:
    """Return the subshells that the front end has asked for; None: the kernel has no such thing."""
    if not getattr(kernel, "_supports_kernel_subshells", False):
        return None
    manager = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    listed = getattr(manager, "list_subshell", None)
    return () if listed is None else tuple(listed())


def _version(package: str) -> str:
    module = sys.modules.get(package)
    return str(getattr(module, "__version__", "")) or "of an unknown version"
