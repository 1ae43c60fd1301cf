"""From a goal or a plan in a cell to a run that a cell attends: plan, show, approve, start."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from portia_nb.config import Config
from portia_nb.errors import (
    ApprovalRefused,
    InvalidAnswer,
    InvalidConfigError,
    WaitingForAnswer,
)
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.session.answering import read_answers_file, standing_answers

from .approving import PlanApproval, approval_of, approval_of_fork, approved_before
from .asking import Ladder, Prompts, stdin_allowed
from .attending import Attended, until_done
from .commands.parsing import Options
from .viewing import open_view

if TYPE_CHECKING:
    from portia_nb.model.events import AnyEvent
    from portia_nb.model.plan import Plan
    from portia_nb.session.forking import Fork
    from portia_nb.session.live import LiveRun
    from portia_nb.session.portia import Portia

    from .face import Face
    from .widget import LiveView


class Start:
    """One start or resumption of a run from a cell."""

    def __init__(self, face: Face, portia: Portia, options: Options, prompts: Prompts) -> None:
        """Prepare; nothing is shown or run yet.

        Args:
            face: the notebook face.
            portia: which Portia runs it.
            options: those of the cell or line.
            prompts: questions for `input()`.

        Raises:
            InvalidOption: the answers can't be read.
            InvalidConfigError: those of the environment are no answers.
        """
        self._face = face
        self._portia = portia
        self._prompts = prompts
        self._yes = options.is_on("yes")
        self._background = options.is_on("background")
        self._budget = options.one("budget")
        self._live: LiveRun | None = None
        self._view: LiveView | None = None
        self._approval: PlanApproval | None = None
        self._given = {**self._answers_named(options.one("answers")), **options.pairs("answer")}
        self._standing = self._standing_answers()

    async def run(self, plan: Plan, inputs: dict[str, Any], *, serves: bool) -> Attended:
        """Show `plan`, have it approved where it changes the world, and start it.

        Raises:
            ApprovalRefused: the person said no.
            WaitingForAnswer: nobody could be asked.
        """
        start = partial(self._portia.start_run, plan, inputs)
        approval = partial(approval_of, self._portia, plan)
        return await self._start(plan, approval, start, serves)

    async def fork(self, fork: Fork, *, serves: bool) -> Attended:
        """Show what a fork reuses, have approved what it would change, and start it.

        Raises:
            ApprovalRefused: the person said no.
            WaitingForAnswer: nobody could be asked.
        """
        start = partial(self._portia.start_fork, fork)
        approval = partial(approval_of_fork, self._portia, fork)
        return await self._start(fork.plan, approval, start, serves)

    async def _start(
        self,
        plan: Plan,
        approval: Callable[[], PlanApproval | None],
        start: Callable[..., LiveRun],
        serves: bool,
    ) -> Attended:
        view = self._show(plan)
        try:
            approved = await self._approve(approval(), plan, view, serves)
            ladder = self._ladder(view)
            live = start(
                asker=ladder,
                listeners=(view.listen,),
                gate=True,
                caller=self._caller,
                first=approved,
            )
        except BaseException:
            view.finish()
            raise
        return self._attended(live, ladder, view)

    def resume(self, run_id: str, plan: Plan | None) -> Attended | PlanRun:
        """Go on with a kept run, shown live; a complete run is returned as it is.

        Raises:
            PortiaBaseError: it can't be resumed; the message says why and what to do.
        """
        from portia_nb.session.opening import open_run

        kept = open_run(self._portia.store, run_id, plan, tools=self._portia.tools)
        if kept.state is PlanRunState.COMPLETE:
            self._face.remember_plan(kept.plan)
            return kept.snapshot()
        view = self._show(kept.plan)
        ladder = self._ladder(view)
        try:
            live = self._portia.start_resume(
                run_id,
                plan,
                asker=ladder,
                listeners=(view.listen,),
                gate=True,
                caller=self._caller,
                budget=self._budget,
            )
        except BaseException:
            view.finish(kept)
            raise
        if isinstance(live, PlanRun):
            view.finish(kept)
            return live
        return self._attended(live, ladder, view)

    @property
    def _caller(self) -> asyncio.AbstractEventLoop | None:
        """The loop on which the user's coroutine functions run: the cell's, while it is there."""
        loop = asyncio.get_running_loop()
        own_thread = threading.current_thread() is not threading.main_thread()
        return None if self._background and own_thread else loop

    def _attended(self, live: LiveRun, ladder: Ladder, view: LiveView) -> Attended:
        self._live = live
        attended = Attended(self._portia, live, ladder, view)
        self._face.remember_run(attended)
        self._face.note_shown(live.id)
        return attended

    def _ladder(self, view: LiveView) -> Ladder:
        # A blocked cell's flow has a thread of its own.
        awaits = threading.current_thread() is threading.main_thread()
        # A program that runs the notebook, and has drawn no form so far, won't draw this one.
        is_alone = self._face.hearing.awaiting is False and not stdin_allowed(self._face.shell)
        return Ladder(
            declared={**self._standing, **self._given},
            given=frozenset(self._given),
            yes=self._yes,
            is_headless=self._is_headless,
            has_form=view.ready.is_set if self._may_have_form else None,
            form_time_s=0.0 if is_alone else self._face.settings.form_time_s,
            missed=lambda: self._face.hearing.note(awaits=awaits, reached=False),
            prompts=None if self._background else self._prompts,
        )

    def _answers_named(self, name: str | None) -> dict[str, Any]:
        """Return the answers that a variable holds, as papermill sets one, or else a file."""
        if name is None:
            return {}
        variable = self._face.shell.user_ns.get(name)
        if isinstance(variable, dict):
            return {str(key): value for key, value in variable.items()}
        return read_answers_file(name)

    def _standing_answers(self) -> dict[str, Any]:
        """Return the answers of the settings: this Portia's own, else the environment's."""
        config = self._portia.config
        if config.answers is None:
            try:
                config = Config.from_default()
            except InvalidConfigError as error:
                if error.facts.get("setting") == "answers":
                    raise
        return standing_answers(config)

    @property
    def _is_headless(self) -> bool:
        """Tell whether nobody is asked: by the Portia's settings, %config, or the environment."""
        if self._portia.config.no_ask or not self._face.settings.ask:
            return True
        try:
            return Config.from_default().no_ask
        except InvalidConfigError:
            # Some other setting of the environment is wrong, and this Portia doesn't use it.
            return False

    @property
    def _may_have_form(self) -> bool:
        """False in a terminal, where no page will ever draw one."""
        return getattr(self._face.shell, "kernel", None) is not None

    # -- the view --------------------------------------------------------------------------------

    def _show(self, plan: Plan) -> LiveView:
        self._face.remember_plan(plan)
        view = open_view(self._face, self._portia, plan, self._hear_answer, self._hear_stop)
        self._view = view
        return view

    def _hear_answer(self, question_id: str, response: Any) -> None:
        """Take an answer of the form. On the background loop; prints nothing, never raises."""
        if self._live is None:
            if self._approval is not None:
                self._approval.answer(question_id, response, by="form")
            return
        try:
            self._live.answer(question_id, response, by="form")
        except InvalidAnswer as error:
            if self._view is not None:
                self._view.refuse(question_id, str(error))

    def _hear_stop(self) -> None:
        if self._live is not None:
            self._live.stop("stopped in the view")
        elif self._approval is not None:
            self._approval.answer(str(self._approval.question.id), False, by="form")

    # -- approval --------------------------------------------------------------------------------

    async def approve_map(
        self, approval: PlanApproval, plan: Plan, *, serves: bool
    ) -> Sequence[AnyEvent]:
        """Show `plan`, ask once whether it may run for many rows, and return what is kept.

        An approval that stands for the plan is for runs that ask again for each call; no row does.

        Raises:
            ApprovalRefused: the person said no.
            WaitingForAnswer: nobody could be asked.
        """
        if self._yes:
            approval.answer(str(approval.question.id), True, by="--yes")
            return approval.keep(self._portia.store)
        view = self._show(plan)
        try:
            return await self._approve(approval, plan, view, serves, for_rows=True)
        finally:
            view.finish()

    async def _approve(
        self,
        approval: PlanApproval | None,
        plan: Plan,
        view: LiveView,
        serves: bool,
        *,
        for_rows: bool = False,
    ) -> Sequence[AnyEvent]:
        """Ask once whether `plan` may run, where it changes the world; return what is kept."""
        if self._portia.config.replay is not None:
            return ()  # no call that changes anything is made
        self._approval = approval
        if approval is None:
            return ()
        if not for_rows and (kept := approved_before(self._portia, plan)):
            return kept
        question = approval.question
        if self._yes:
            approval.answer(str(question.id), True, by="--yes")
            return approval.keep(self._portia.store)
        view.ask(question)
        try:
            await self._hear_approval(approval, view, serves)
        finally:
            view.withdraw(str(question.id))
        agreed = approval.agreed()
        if agreed is None:
            how = "Try it with --limit 1" if for_rows else "Look at the plan with --plan"
            raise WaitingForAnswer(
                f"nobody can be asked here: {question.user_guidance} {how}, then run it with --yes",
                plan_id=plan.id,
            )
        if not agreed:
            raise ApprovalRefused("the plan was not approved; nothing was run", plan_id=plan.id)
        return approval.keep(self._portia.store)

    async def _hear_approval(self, approval: PlanApproval, view: LiveView, serves: bool) -> None:
        """Return once it is answered, or nobody can be asked."""
        if self._is_headless:
            approval.nobody_answers("")
            return
        wait_s = self._face.settings.form_time_s if self._may_have_form else 0.0
        if not await view.until_ready(wait_s):
            offered = self._prompts.offer(
                approval, approval.question, lambda *_: approval.nobody_answers("")
            )
            if not offered:
                approval.nobody_answers("")
        await until_done(approval.done, self._prompts if serves else None)
