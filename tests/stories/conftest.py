"""A project in which something was already done before the bad thing happens."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, PlanBuilderV2, PlanRun, Portia
from portia_nb.model.plan import Plan
from tests.servers.openai_server import OpenAIServer

EARLY = {"found": "before the bad thing", "rows": [1, 2, 3]}
KEY = "sk-story-0123456789"


class Story:
    """One user's project: its Portias, the step that is done early, and what was said."""

    def __init__(self, folder: Path, record: Callable[[str], None]) -> None:
        self.folder = folder
        self.early_calls = 0
        self._record = record
        self._portias: list[Portia] = []

    def portia(self, openai: OpenAIServer | str | None = None, **settings: Any) -> Portia:
        """Return a new Portia with the default store, that asks `openai` with a key."""
        if openai is not None:
            url = openai if isinstance(openai, str) else openai.url
            settings = {"base_url": url, "openai_api_key": KEY, "model_retries": 1, **settings}
        tools = settings.pop("tools", [])
        made = Portia(Config.from_default(**settings), tools=tools)
        self._portias.append(made)
        return made

    def builder(self) -> PlanBuilderV2:
        """Return a plan that begins with a step whose output must never be lost."""

        def look_up() -> dict[str, Any]:
            self.early_calls += 1
            return EARLY

        return PlanBuilderV2("a story").function_step(function=look_up, step_name="early")

    def then(self, function: Callable[..., Any], **settings: Any) -> Plan:
        """Return a plan whose second step, ``act``, calls `function` after the early one."""
        return self.builder().function_step(function=function, step_name="act", **settings).build()

    def says(self, error: object, *facts: str) -> str:
        """Check that a message names each of `facts`, and return it."""
        message = str(error)
        self._record(message)
        assert [fact for fact in facts if fact not in message] == [], message
        assert KEY not in message
        return message

    def failed(self, run: PlanRun, kind: str, step: str, *facts: str) -> str:
        """Check that `run` failed in `step` with an error of this class that says `facts`."""
        assert run.state == "FAILED"
        assert run.error is not None
        assert (run.error.type, run.error.step) == (kind, step), run.error
        self.still_keeps_the_early_output(run)
        return self.says(run.error.message, *facts)

    def still_keeps_the_early_output(self, run: PlanRun) -> PlanRun:
        """Check that the journal is sound, and that who opens it anew finds `run` as it is here."""
        journal = self.folder / ".portia" / "journal.sqlite"
        with contextlib.closing(sqlite3.connect(journal)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        again = self.portia().get_run(run.id)
        assert again.outputs["early"].value == EARLY
        assert again.state == run.state
        assert again.error == run.error
        assert again.outputs.step_outputs.keys() == run.outputs.step_outputs.keys()
        return again

    def goes_on(self, portia: Portia, run: PlanRun) -> PlanRun:
        """Resume a run whose trouble is over: it completes, and the early step isn't repeated."""
        self._portias.append(portia)
        ended = portia.resume(run)
        assert ended.state == "COMPLETE", ended.error
        assert self.early_calls == 1
        return ended

    def close(self) -> None:
        for portia in self._portias:
            portia.store.close()


def then(story: Story, function: Callable[..., Any], **settings: Any) -> Plan:
    """Return a plan whose second step, ``act``, calls `function` after the early one."""
    return story.builder().function_step(function=function, step_name="act", **settings).build()


@pytest.fixture
def story(project: Path, request: pytest.FixtureRequest) -> Iterator[Story]:
    """Return a user's project; messages that it checks stand in the test report."""
    said = request.node.user_properties
    made = Story(project, lambda message: said.append(("message", message)))
    yield made
    made.close()
