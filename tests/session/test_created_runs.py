"""Runs that are made before they are started, and the end users whom runs are made for."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, Input, Plan, PlanBuilderV2, Portia, ToolRunContext, tool
from portia_nb.errors import PlanCheckError
from portia_nb.model.clarification import Clarification
from portia_nb.model.end_user import EndUser
from portia_nb.model.events import RunCreated, event_from_json

from .stage import portia

ADA = EndUser(external_id="u-1", name="Ada", email="ada@example.org", additional_data={"a": "b"})


class Greeting:
    """A plan whose one tool notes for whom it is called."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def plan(self) -> Plan:
        @tool
        def greet(ctx: ToolRunContext, word: str) -> str:
            """Greet the end user."""
            self.seen.append(ctx.end_user)
            return f"{word} {ctx.end_user.name}"

        return (
            PlanBuilderV2()
            .input(name="word")
            .invoke_tool_step(tool=greet, args={"word": Input("word")}, step_name="greeting")
            .build()
        )


@pytest.mark.parametrize("store", ["memory", "disk"])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_created_run_is_not_started_and_resume_starts_it(
    store: str, is_async: bool, tmp_path: Path
) -> None:
    greeting = Greeting()
    us = portia("memory" if store == "memory" else str(tmp_path))
    given: Any = (greeting.plan(), ADA, {"word": "hello"})
    run = await us.acreate_plan_run(*given) if is_async else us.create_plan_run(*given)
    assert (run.state, run.plan_run_inputs, run.end_user_id) == (
        "NOT_STARTED",
        {"word": "hello"},
        "u-1",
    )
    assert us.get_run(run.id).state == "NOT_STARTED" and greeting.seen == []
    assert us.store.find_run(run.id).owner is None, "whoever starts it may"
    run = us.resume(run)
    assert (run.state, run.outputs["greeting"].value) == ("COMPLETE", "hello Ada")
    assert greeting.seen == [ADA]


def test_another_portia_starts_a_created_run_with_all_that_is_known_of_its_end_user(
    tmp_path: Path,
) -> None:
    greeting = Greeting()
    plan = greeting.plan()
    made = portia(str(tmp_path)).create_plan_run(plan, ADA, {"word": "hi"})
    run = portia(str(tmp_path)).resume(plan_run_id=made.id, plan=plan)
    assert run.outputs["greeting"].value == "hi Ada"
    assert greeting.seen == [ADA] and greeting.seen[0] is not ADA


def test_what_can_not_run_is_not_created() -> None:
    us = portia()
    with pytest.raises(ValueError, match="word"):
        us.create_plan_run(Greeting().plan())
    plan = PlanBuilderV2().invoke_tool_step(tool="nowhere", step_name="x").build()
    with pytest.raises(PlanCheckError, match="nowhere"):
        us.create_plan_run(plan)
    assert us.store.find_runs() == []


def test_a_created_run_may_be_started_once_only() -> None:
    us = portia()
    run = us.create_plan_run(Greeting().plan(), plan_run_inputs={"word": "hi"})
    assert us.resume(run) == us.resume(run)


@pytest.mark.parametrize("given", ["ada", EndUser(external_id="ada"), None, ""], ids=repr)
def test_tools_see_an_end_user_whoever_is_given(given: Any) -> None:
    greeting = Greeting()
    run = portia().run_plan(greeting.plan(), given, {"word": "hi"})
    (seen,) = greeting.seen
    assert isinstance(seen, EndUser)
    assert seen.external_id == ("ada" if given else "portia:default_user")
    assert run.end_user_id == ("ada" if given else None)
    assert ("end_user_id" in run.model_dump()) is bool(given)


async def test_an_end_user_is_read_as_runs_read_it() -> None:
    us = portia()
    assert us.initialize_end_user(ADA) is ADA
    assert us.initialize_end_user("u") == await us.ainitialize_end_user("u")
    assert us.initialize_end_user().external_id == "portia:default_user"
    wrong: Any = 7
    with pytest.raises(TypeError, match="EndUser or the id of one, not a int"):
        us.initialize_end_user(wrong)


def test_an_end_user_is_in_the_journal_and_journals_with_an_id_alone_open(tmp_path: Path) -> None:
    greeting = Greeting()
    plan = greeting.plan()
    us = portia(str(tmp_path))
    us.create_plan_run(plan, ADA, {"word": "hi"})
    us.store.close()
    file = next(tmp_path.rglob("journal.sqlite"))
    with sqlite3.connect(file) as connection:
        (body,) = connection.execute("SELECT body FROM event").fetchone()
    data = json.loads(body)
    assert data["end_user"] == "u-1"
    assert data["end_user_data"] == {
        "name": "Ada",
        "email": "ada@example.org",
        "additional_data": {"a": "b"},
    }
    earlier = {name: value for name, value in data.items() if name != "end_user_data"}
    read = event_from_json({"kind": "run_created", **earlier})
    assert isinstance(read, RunCreated) and read.end_user_data is None


def test_what_a_later_version_knew_of_an_end_user_hinders_no_resume() -> None:
    from portia_nb.session.end_users import kept_end_user

    assert kept_end_user("u", {"name": "Ada", "shoe_size": 38}) == EndUser(
        external_id="u", name="Ada"
    )
    assert kept_end_user("u", {"name": ["not", "text"]}) == EndUser(external_id="u")
    assert kept_end_user(None, None).external_id == "portia:default_user"


def test_a_run_for_an_end_user_that_asks_keeps_them_through_the_answer() -> None:
    seen: list[str] = []

    @tool
    def ask(ctx: ToolRunContext) -> str | Clarification:
        """Ask the end user."""
        from portia_nb import InputClarification

        seen.append(ctx.end_user.email)
        if ctx.clarifications:
            return str(ctx.clarifications[0].response)
        return InputClarification(argument_name="x", user_guidance="?")

    us = Portia(Config(store="memory"), tools=[])
    plan = PlanBuilderV2().invoke_tool_step(tool=ask, step_name="ask").build()
    run = us.run_plan(plan, end_user=ADA)
    (question,) = run.get_outstanding_clarifications()
    run = us.resume(us.resolve_clarification(question, "42", run))
    assert (run.outputs["ask"].value, seen) == ("42", ["ada@example.org"] * 2)
