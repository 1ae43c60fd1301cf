"""The commands that plan and run: `run`, `plan`, `run-plan`, `resume`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.text import plan_to_text
from portia_nb.errors import ApprovalRefused, InvalidAnswer, InvalidOption, WaitingForAnswer
from portia_nb.model.order import Waits, waits
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun
from portia_nb.session.answering import (
    read_typed,
    side_effect_of,
    side_effects,
)
from portia_nb.session.approvals import (
    Calls,
    approval_event,
    approval_question,
    approve_plan,
    standing_approval,
    whether_to_run,
)
from portia_nb.session.finding import find_run_id
from portia_nb.session.forking import fork_approval
from portia_nb.session.map_kept import map_named

from . import outcome
from .asking import Asking, prompt_for
from .attending import Relay, attend
from .settings import again
from .status import COMPLETE
from .terminal import Terminal
from .wiring import answers_of, is_kept, open_portia, pairs

if TYPE_CHECKING:
    from portia_nb.model.events import AnyEvent
    from portia_nb.session.forking import Fork
    from portia_nb.session.live import LiveRun
    from portia_nb.session.portia import Portia
    from portia_nb.tools.registry import ToolRegistry


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Plan a query and run the plan."""
    portia = open_portia(args, terminal)
    inputs = pairs("--input", args.input)
    made = _make_plan(args, terminal, portia, inputs)
    if args.plan_only:
        return _give_plan(terminal, portia, made)
    return Start(args, terminal, portia).run(made, inputs, words=["run-plan", str(made.id)])


def plan(args: argparse.Namespace, terminal: Terminal) -> int:
    """Make a plan for a query and show it."""
    portia = open_portia(args, terminal)
    made = _make_plan(args, terminal, portia, pairs("--input", args.input))
    status = _give_plan(terminal, portia, made)
    if is_kept(portia.config):
        words = ["run-plan", str(made.id), *again(args)]
        terminal.say((f"to run it: {outcome.command(*words)}", "dim"))
    return status


def run_plan(args: argparse.Namespace, terminal: Terminal) -> int:
    """Run a plan that was kept, or that a file holds."""
    portia = open_portia(args, terminal, all_tools=True)
    found = plan_named(portia, args.plan)
    inputs = pairs("--input", args.input)
    _refuse_inputs(found, inputs)
    return Start(args, terminal, portia).run(found, inputs, words=["run-plan", args.plan])


def resume(args: argparse.Namespace, terminal: Terminal) -> int:
    """Go on with a run, or a map."""
    from portia_nb.session.opening import open_run

    portia = open_portia(args, terminal, all_tools=True)
    if (map_id := map_named(portia.store, args.run)) is not None:
        from .maps import resume_map  # which builds on this module

        return resume_map(args, terminal, portia, map_id)
    run_id = find_run_id(portia.store, args.run)
    kept = open_run(portia.store, run_id)
    done = len(kept.snapshot().outputs.step_outputs)
    terminal.say(
        f"{kept.plan.plan_context.query or 'Plan'}: {done} of {len(kept.plan.steps)} steps are done"
    )
    return Start(args, terminal, portia).resume(run_id)


class Start:
    """One start or resumption of a run."""

    def __init__(self, args: argparse.Namespace, terminal: Terminal, portia: Portia) -> None:
        self._args, self._terminal, self._portia = args, terminal, portia
        self._declared = answers_of(args, portia.config)
        self._relay = Relay(terminal.width)
        self._asking = Asking(terminal, self._declared, yes=args.yes, hand_on=self._relay.hand_on)

    def run(self, plan: Plan, inputs: dict[str, Any], *, words: list[str]) -> int:
        """Show `plan`, have it approved where it changes something, run it, return the status."""
        self._terminal.say(_plan_text(plan, self._portia, self._terminal.width))
        effects = side_effects(plan, self._portia.tools)
        text, calls = whether_to_run(plan, effects, self._portia.tools)
        approved = self.approve(plan, text, calls, words)
        return self._start(partial(self._portia.start_run, plan, inputs), approved)

    def fork(self, fork: Fork, *, words: list[str]) -> int:
        """Say what a fork reuses, have approved what it would change, run it; return the status."""
        approved = self.approve(fork.plan, *fork_approval(fork), words)
        return self._start(partial(self._portia.start_fork, fork), approved)

    def _start(self, start: Callable[..., LiveRun], approved: Sequence[AnyEvent]) -> int:
        live = start(asker=self._asking, listeners=(self._relay.listen,), gate=True, first=approved)
        self._terminal.say((f"run {live.id}", "dim"))
        return self._attend(live)

    def resume(self, run_id: str) -> int:
        """Go on with a run and return the status."""
        found = self._portia.start_resume(
            run_id,
            asker=self._asking,
            listeners=(self._relay.listen,),
            gate=True,
            take_over=self._args.take_over,
        )
        return self._end(found) if isinstance(found, PlanRun) else self._attend(found)

    def _attend(self, live: LiveRun) -> int:
        if not attend(self._terminal, live, self._relay, self._asking):
            return outcome.leave(
                self._terminal,
                live.id,
                again(self._args),
                is_kept=is_kept(self._portia.config),
            )
        try:
            ended = live.done.result()
        except BaseException:
            self._terminal.say(
                f"to go on: {outcome.command('resume', live.id, *again(self._args))}"
            )
            raise
        # So that all is on disk, and nothing writes while the interpreter shuts down.
        self._portia.store.close()
        self._tell_unused()
        return self._end(ended)

    def _tell_unused(self) -> None:
        """Say what a replayed record holds beside what the run has asked for."""
        unused = self._portia.unused_calls()
        if unused:
            more = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
            listed = "; ".join(unused[:5])
            self._terminal.say((f"the record holds more than was asked for: {listed}{more}", "dim"))

    def _end(self, ended: PlanRun) -> int:
        return outcome.end(
            self._terminal,
            ended,
            settings=again(self._args),
            is_kept=is_kept(self._portia.config),
            debug=self._args.debug,
            unused=self._declared.unused(),
        )

    def approve(
        self,
        plan: Plan,
        text: str | None,
        calls: Calls,
        words: list[str],
        *,
        for_rows: bool = False,
    ) -> Sequence[AnyEvent]:
        """Ask `text`, whether `plan` may run, where a step of it changes something.

        What comes back is for the run to keep: who approved the plan, when and how.

        Args:
            plan: the plan.
            text: the question; None: nothing is to be asked.
            calls: what is shown with it, and approved by it.
            words: the command, without its settings.
            for_rows: True: for many rows, none of which asks again: an approval that stands for
                the plan is for runs that do.

        Raises:
            ApprovalRefused: the person said no.
            WaitingForAnswer: nobody can be asked.
        """
        if text is None or self._portia.config.replay is not None:
            return ()  # a replay makes no call that changes anything
        if self._args.yes:
            return self._approved(plan, calls, "--yes")
        standing = None if for_rows else standing_approval(self._portia.store, plan)
        if standing is not None:
            self._terminal.say((standing.sentence(), "dim"))
            return (approval_event(standing),)
        question = approval_question(plan, text, calls)
        while self._terminal.can_ask:
            try:
                agreed = read_typed(question, self._terminal.ask(prompt_for(question)))
            except EOFError:
                break
            except InvalidAnswer as error:
                self._terminal.say((str(error), "yellow"))
                continue
            if not agreed:
                raise ApprovalRefused("the plan was not approved; nothing was run", plan_id=plan.id)
            return self._approved(plan, calls, "typed")
        raise WaitingForAnswer(self._how_to_approve(plan, words), plan_id=plan.id)

    def _approved(self, plan: Plan, calls: Calls, how: str) -> Sequence[AnyEvent]:
        store = self._portia.store
        return (approval_event(approve_plan(store, plan, calls, by="", how=how, stands=False)),)

    def _how_to_approve(self, plan: Plan, words: list[str]) -> str:
        found = "the plan changes something and nobody can be asked to approve it here"
        if not is_kept(self._portia.config) and words[1] == plan.id:
            return f"{found}: look at it, then run the command with --yes"
        given = getattr(self._args, "input", ())
        inputs = [word for each in given for word in ("--input", each)]
        words = [*words, "--yes", *inputs, *again(self._args)]
        return f"{found}: look at it, then: {outcome.command(*words)}"


def _make_plan(
    args: argparse.Namespace, terminal: Terminal, portia: Portia, inputs: dict[str, Any]
) -> Plan:
    terminal.say(("planning…", "dim"))
    try:
        made = portia.plan(" ".join(args.query), plan_inputs=list(inputs) or None)
    except KeyboardInterrupt:
        terminal.say(("■ stopped while planning; nothing was run", "yellow"))
        raise
    if made.scripted:
        terminal.say(("scripted: this plan comes from a shipped record, no model was asked", "dim"))
    return made


def _give_plan(terminal: Terminal, portia: Portia, made: Plan) -> int:
    if terminal.as_json:
        terminal.give_json(made.model_dump_json())
    else:
        terminal.give(_plan_text(made, portia, terminal.width))
    portia.store.close()
    return COMPLETE


def _plan_text(plan: Plan, portia: Portia, width: int) -> str:
    return plan_to_text(plan, order=_order(plan, portia.tools, portia.config), width=width)


def _order(plan: Plan, tools: ToolRegistry, config: Any) -> dict[str, Waits] | None:
    """Return what each step waits for; None where a reference leads nowhere: the check says so."""
    with suppress(LookupError):
        return waits(
            plan,
            lambda step: side_effect_of(step, tools),
            assume_side_effects=config.assume_side_effects,
            sequential=config.max_parallel_steps == 1,
        )
    return None


def plan_named(portia: Portia, named: str) -> Plan:
    """Return the plan in a file, or the kept one with this id.

    Raises:
        InvalidOption: there is no such file, or it holds no plan.
        PlanNotFoundError: the store holds no such plan.
    """
    from pydantic import ValidationError

    path = Path(named)
    if named.startswith("plan-") and not path.exists():
        return portia.store.load_plan(named)
    try:
        text = sys.stdin.read() if named == "-" else path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise InvalidOption(
            f"{named}: no plan can be read there: {error}", option="plan"
        ) from error
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{named} holds no plan: {f'{where}: ' if where else ''}{first['msg']}"
        raise InvalidOption(message, option="plan") from error


def _refuse_inputs(plan: Plan, given: dict[str, Any]) -> None:
    """Refuse inputs that the plan doesn't take, and a run without one that it needs.

    Raises:
        InvalidOption: it says which, and what was probably meant.
    """
    known = {each.name.removeprefix("$"): each for each in plan.plan_inputs}
    for name in given:
        if name not in known:
            near = get_close_matches(name, list(known), n=1)
            takes = f"it takes: {', '.join(known)}" if known else "it takes none"
            hint = f"did you mean {near[0]!r}?" if near else takes
            raise InvalidOption(f"--input: the plan takes no input {name!r}: {hint}", option=name)
    missing = [n for n, each in known.items() if n not in given and each.value is None]
    if missing:
        raise InvalidOption(
            "the plan needs inputs: " + " ".join(f"--input {name}=VALUE" for name in missing),
            option="--input",
        )
