"""Approvals: by hash, kept with who and how, and covering only what the plan spells out (N13)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from portia_nb import Config, Plan, PlanBuilderV2, PlanRun, Portia, StepOutput, tool
from portia_nb.errors import ApprovalRefused
from portia_nb.model.clarification import UserVerificationClarification
from portia_nb.model.events import ClarificationRaised, PlanApproved
from portia_nb.session.answering import plan_approval_text, side_effects
from portia_nb.session.approvals import spelt_out_calls
from portia_nb.session.live import LiveRun

SENT: list[tuple[str, str]] = []


@tool(side_effect=True)
def send(to: str, text: str = "Hello") -> str:
    """Send a mail."""
    SENT.append((to, text))
    return f"sent to {to}"


@tool(side_effect=False)
def look_up(name: str) -> str:
    """Look up an address."""
    return f"{name}@example.org"


def two_mails() -> Plan:
    """Return a plan that sends one mail that it spells out, and one to whom a step finds."""
    return (
        PlanBuilderV2("Send mails")
        .invoke_tool_step(tool="send", args={"to": "ada@example.org"}, step_name="first")
        .invoke_tool_step(tool="look_up", args={"name": "bob"}, step_name="who")
        .invoke_tool_step(tool="send", args={"to": StepOutput("who")}, step_name="second")
        .build()
    )


class Asker:
    """Says yes to every question, and remembers them."""

    def __init__(self, answer: bool = True) -> None:
        self.asked: list[UserVerificationClarification] = []
        self._answer = answer

    def __call__(self, live: LiveRun, question: Any) -> None:
        self.asked.append(question)
        live.answer(question.id, self._answer, by="test")


def us() -> Portia:
    SENT.clear()
    return Portia(Config(store="memory"), tools=[send, look_up])


def run(portia: Portia, plan: Plan, asker: Asker, first: Iterable[Any] = ()) -> PlanRun:
    live = portia.start_run(plan, asker=asker, gate=True, first=tuple(first))
    return live.done.result(timeout=10)


def approved(portia: Portia, plan: Plan) -> tuple[Any, ...]:
    from portia_nb.notebook.approving import approved_before

    return approved_before(portia, plan)


def test_the_calls_that_a_plan_spells_out_are_those_without_reference_loop_or_agent():
    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2], step_name="each"):
        builder.invoke_tool_step(tool="send", args={"to": "a"}, step_name="often")
    builder.single_tool_agent_step(tool="send", task="Send it", step_name="agent")
    builder.invoke_tool_step(tool="look_up", args={"name": "x"}, step_name="read")
    plan = builder.build()
    plan = plan.insert(two_mails().steps[0]).insert(
        two_mails().steps[0].model_copy(update={"name": "off", "output": "$off", "disabled": True})
    )
    portia = us()
    calls = spelt_out_calls(plan, side_effects(plan, portia.tools), portia.tools)
    assert list(calls) == ["first"]
    # with what the tool itself adds: that is what will be called
    assert calls["first"]["arguments"] == {"to": "ada@example.org", "text": "Hello"}


def test_a_call_that_the_approved_plan_spells_out_is_not_asked_about_again_others_are():
    portia, plan, asker = us(), two_mails(), Asker()
    portia.approve(plan, by="ada")
    assert run(portia, plan, asker, approved(portia, plan)).state.value == "COMPLETE"
    assert len(SENT) == 2
    (asked,) = asker.asked
    assert asked.path == "second"
    assert asked.subject["arguments"] == {"to": "bob@example.org", "text": "Hello"}


def test_without_an_approval_each_call_is_asked_about():
    portia, plan, asker = us(), two_mails(), Asker()
    run(portia, plan, asker)
    assert [asked.path for asked in asker.asked] == ["first", "second"]


def test_an_approval_is_kept_with_hash_who_when_and_how_and_the_run_tells_it():
    portia, plan = us(), two_mails()
    approval = portia.approve(plan, by="ada")
    assert portia.approvals(plan) == [approval]
    assert (approval.by, approval.how, approval.plan_hash) == ("ada", "python", plan.content_hash())
    ended = run(portia, plan, Asker(), approved(portia, plan))
    events = [r.event for r in portia.store.load_events(str(ended.id))]
    (told,) = [event for event in events if isinstance(event, PlanApproved)]
    assert (told.by, told.how, told.plan_hash) == ("ada", "python", plan.content_hash())
    assert (told.covers, told.approved_at) == (["first"], approval.at)


def test_an_approval_is_of_what_the_plan_says_and_of_nothing_else():
    portia, plan = us(), two_mails()
    portia.approve(plan)
    changed = plan.edit("first", args={"to": "eve@example.org"})
    assert approved(portia, changed) == ()
    # the same content again, with another id, is the same plan
    assert approved(portia, two_mails())
    # and an approval of one plan lets no call of another one through
    asker = Asker(answer=False)
    run(portia, changed, asker, approved(portia, plan))
    assert SENT == []
    assert asker.asked[0].path == "first"


def test_events_alone_approve_nothing_what_counts_is_the_stores_own_note():
    portia, plan, asker = us(), two_mails(), Asker(answer=False)
    forged = PlanApproved(plan.content_hash(), "ada", "form", 1.0, "no-such-note", ["first"])
    run(portia, plan, asker, [forged])
    assert SENT == []
    assert [asked.path for asked in asker.asked] == ["first"]


def test_a_tool_that_would_be_called_with_other_arguments_than_were_shown_is_asked_about():
    portia, plan = us(), two_mails()
    portia.approve(plan)

    @tool(id="send", side_effect=True)
    def send_more(to: str, text: str = "Give me money") -> str:
        """Send a mail."""
        SENT.append((to, text))
        return "sent"

    other = Portia(Config(store="memory"), tools=[send_more, look_up])
    other._parts.share(portia._parts)
    asker = Asker(answer=False)
    run(other, plan, asker, approved(portia, plan))
    assert SENT == []
    assert asker.asked[0].subject["arguments"]["text"] == "Give me money"


def test_a_call_that_failed_is_asked_about_before_it_is_made_again():
    calls: list[str] = []

    @tool(side_effect=True)
    def pay(amount: int) -> str:
        """Pay."""
        calls.append("pay")
        raise ConnectionError("gone")

    portia = Portia(Config(store="memory"), tools=[pay])
    plan = PlanBuilderV2().invoke_tool_step(tool="pay", args={"amount": 5}, step_name="pay").build()
    portia.approve(plan)
    asker = Asker(answer=False)
    failed = run(portia, plan, asker, approved(portia, plan))
    assert (calls, asker.asked) == (["pay"], [])
    again = portia.start_resume(failed.id, asker=asker, gate=True).done.result(timeout=10)
    assert calls == ["pay"]
    assert len(asker.asked) == 1
    assert again.error.type == ApprovalRefused.__name__


def test_the_question_shows_the_calls_that_a_yes_covers_and_what_is_too_long_is_not_covered():
    portia, plan = us(), two_mails()
    effects = side_effects(plan, portia.tools)
    calls = spelt_out_calls(plan, effects, portia.tools)
    text = plan_approval_text(plan, effects, tuple(calls))
    assert "With it you approve the exact call of first, shown here; each other one" in text
    alone = plan.remove("second")
    text = plan_approval_text(alone, side_effects(alone, portia.tools), ["first"])
    assert text.endswith("With it you approve the exact call shown here.")
    long = plan.edit("first", args={"to": "x" * 20_000})
    assert spelt_out_calls(long, effects, portia.tools) == {}


def test_yes_and_forms_are_for_one_run_and_the_record_says_which_it_was():
    from portia_nb.notebook.approving import approval_of

    portia, plan = us(), two_mails()
    asked = approval_of(portia, plan)
    assert json.dumps(asked.question.subject["calls"]["first"]["arguments"])
    asked.answer(asked.question.id, True, by="--yes")
    events = asked.keep(portia.store)
    assert approved(portia, plan) == ()
    assert [e.kind for e in events][-1] == "plan_approved"
    asker = Asker()
    ended = run(portia, plan, asker, events)
    assert [a.path for a in asker.asked] == ["second"]
    kept = [r.event for r in portia.store.load_events(str(ended.id))]
    assert [e.how for e in kept if isinstance(e, PlanApproved)] == ["--yes"]
    assert isinstance(next(e for e in kept if isinstance(e, ClarificationRaised)), object)
