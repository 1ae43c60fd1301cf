"""From a goal or a plan in a cell to a run that a cell attends: plan, show, approve, start."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from portia_nb.config import Config
from portia_nb.errors import (
    ApprovalRefused,
    InvalidAnswer,
    InvalidConfigError,
    WaitingForAnswer,
)
from portia_nb.model.clarification import UserVerificationClarification
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.running.calls import APPROVAL
from portia_nb.session.answering import plan_approval_text, read_answers_file, side_effects

from .arguments import Options
from .asking import Ladder, Prompts
from .attending import Attended, until_done
from .viewing import note_shown, open_view

if TYPE_CHECKING:
    from portia_nb.model.clarification import Clarification
    from portia_nb.model.plan import Plan
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
            InvalidOption: the answers file can't be read.
        """
        self._face = face
        self._portia = portia
        self._prompts = prompts
        self._yes = options.is_on("yes")
        self._background = options.is_on("background")
        self._live: LiveRun | None = None
        self._view: LiveView | None = None
        self._approval: tuple[str, concurrent.futures.Future[bool]] | None = None
        answers = options.one("answers")
        self._declared = {
            **(read_answers_file(answers) if answers else {}),
            **options.pairs("answer"),
        }

    async def run(self, plan: Plan, inputs: dict[str, Any], *, serves: bool) -> Attended:
        """Show `plan`, have it approved where it changes the world, and start it.

        Raises:
            ApprovalRefused: the person said no.
            WaitingForAnswer: nobody could be asked.
        """
        view = self._show(plan)
        try:
            await self._approve(plan, view, serves)
        except BaseException:
            view.finish()
            raise
        ladder = self._ladder(view)
        try:
            live = self._portia.start_run(
                plan,
                inputs,
                asker=ladder,
                listeners=(view.listen,),
                gate=True,
                caller=self._caller,
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

        kept = open_run(self._portia.store, run_id, plan)
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
        note_shown(self._face, live.id)
        return attended

    def _ladder(self, view: LiveView) -> Ladder:
        return Ladder(
            declared=self._declared,
            yes=self._yes,
            is_headless=self._is_headless,
            has_form=view.ready.is_set if self._may_have_form else None,
            form_time_s=self._face.settings.form_time_s,
            prompts=None if self._background else self._prompts,
        )

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
        approval = self._approval
        if approval is not None and question_id == approval[0]:
            if not approval[1].done():
                approval[1].set_result(response is True)
            return
        if self._live is None:
            return
        try:
            self._live.answer(question_id, response, by="form")
        except InvalidAnswer as error:
            if self._view is not None:
                self._view.refuse(question_id, str(error))

    def _hear_stop(self) -> None:
        if self._live is not None:
            self._live.stop("stopped in the view")
        elif self._approval is not None and not self._approval[1].done():
            self._approval[1].set_result(False)

    # -- approval --------------------------------------------------------------------------------

    async def _approve(self, plan: Plan, view: LiveView, serves: bool) -> None:
        """Ask once whether `plan` may run, where a step of it changes the world."""
        effects = side_effects(plan, self._portia.tools)
        text = plan_approval_text(plan, effects)
        if text is None or self._yes or self._portia.config.approve is not None:
            return
        plan_hash = plan.content_hash()
        question = UserVerificationClarification(user_guidance=text, source=APPROVAL)
        answer: concurrent.futures.Future[bool] = concurrent.futures.Future()
        self._approval = (str(question.id), answer)
        view.ask(question)
        try:
            agreed = await self._hear_approval(question, view, answer, serves)
        finally:
            view.withdraw(str(question.id))
        if agreed is None:
            raise WaitingForAnswer(
                f"nobody can be asked here: {text} Look at the plan with --plan, then run it "
                "with --yes",
                plan_id=plan.id,
            )
        if not agreed:
            raise ApprovalRefused("the plan was not approved; nothing was run", plan_id=plan.id)
        if plan.content_hash() != plan_hash:
            raise ApprovalRefused("the plan is no longer the one that was shown", plan_id=plan.id)

    async def _hear_approval(
        self,
        question: Clarification,
        view: LiveView,
        answer: concurrent.futures.Future[bool],
        serves: bool,
    ) -> bool | None:
        """Return yes or no, None where nobody can be asked."""
        if self._is_headless:
            return None
        wait_s = self._face.settings.form_time_s if self._may_have_form else 0.0
        if not await view.until_ready(wait_s):
            asked = _PlanQuestion(answer)
            if not self._prompts.offer(asked, question, lambda *_: asked.nobody_answers("")):
                return None
        await until_done(answer, self._prompts if serves else None)
        with suppress(concurrent.futures.CancelledError):
            return answer.result(timeout=0)
        return None


class _PlanQuestion:
    """Stands where a run stands in `Prompts`, while there is no run yet."""

    def __init__(self, done: concurrent.futures.Future[bool]) -> None:
        self.done = done

    def answer(self, clarification_id: str, response: Any, by: str = "") -> None:
        if not self.done.done():
            self.done.set_result(response is True)

    def nobody_answers(self, clarification_id: str) -> None:
        self.done.cancel()
