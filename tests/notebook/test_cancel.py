"""What `%portia cancel` says of a run that ends while it is being stopped."""

from types import SimpleNamespace
from typing import Any

import pytest

from portia_nb.model.run import PlanRunState
from portia_nb.notebook.commands.running import cancel


async def test_a_run_that_is_done_before_it_stops_is_not_said_to_have_stopped(
    monkeypatch: pytest.MonkeyPatch,
):
    run = SimpleNamespace(state=PlanRunState.COMPLETE)
    said: list[str] = []

    async def acancel(run_id: str, reason: str) -> Any:
        return run

    portia = SimpleNamespace(acancel=acancel)
    face = SimpleNamespace(portia=lambda: portia, say=said.append)
    call: Any = SimpleNamespace(face=face, options=SimpleNamespace(word=None))
    monkeypatch.setattr("portia_nb.session.live.live_run", lambda _: SimpleNamespace())
    monkeypatch.setattr("portia_nb.notebook.commands.running.run_named", lambda *_: "prun-1")
    monkeypatch.setattr("portia_nb.notebook.commands.running.map_named", lambda *_: None)
    assert await cancel(call) is run
    assert said == ["Run prun-1 was done before it could be stopped."]
