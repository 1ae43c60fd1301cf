"""A run or a fork whose process dies while it begins is kept with its beginning, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portia_nb.errors import InvalidPlanRunStateError
from portia_nb.model.events import Recorded, RunCreated
from portia_nb.storage.owner import this_process

from .stage import Work, portia

ROOT = Path(__file__).parents[2]
SENT = ["send Ada", "send sent Ada"]


def killed_at_each_commit(folder: Path, what: str, commits: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.session.beginnings", str(folder), what, str(commits)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_run_killed_at_each_commit_of_its_beginning_is_resumed_with_its_inputs(tmp_path: Path):
    found = killed_at_each_commit(tmp_path, "run", 2)
    assert [each["kept"] is None for each in found] == [True, True, *[False] * 4]
    for each in found:
        if each["kept"] is None:
            assert each["calls"] == [], each
        else:
            assert each["kept"][0] == "run_created", each
            assert each["done"] == ["COMPLETE", "sent Ada, sent sent Ada"], each
            assert each["calls"] == [*SENT, "last"], each


def test_a_fork_killed_at_each_commit_of_its_beginning_repeats_nothing(tmp_path: Path):
    found = killed_at_each_commit(tmp_path, "fork", 2)
    assert [each["kept"] is None for each in found] == [True, True, *[False] * 4]
    for each in found:
        assert each["calls"][:3] == [*SENT, "last"], each
        assert set(each["calls"][3:]) <= {"last"}, each
        if each["kept"] is not None:
            assert each["kept"][:3] == ["run_created", "step_done", "step_done"], each
            assert each["done"] == ["COMPLETE", "sent Ada, sent sent Ada"], each


@pytest.mark.parametrize("kind", ["journal", "memory"])
def test_a_fork_that_is_whole_and_never_ran_goes_on(tmp_path: Path, kind: str):
    work = Work(is_async=False)
    work.gate.set()
    home = portia("memory" if kind == "memory" else str(tmp_path))
    fork = home.work_out_fork(home.run_plan(work.plan()), "late")
    first = [Recorded(n, 1.0, fork.run_id, event) for n, event in enumerate(fork.first, 1)]
    hold = home.store.create_run(fork.run_id, fork.plan, owner=this_process(), first=first)
    home.store.release(hold)
    assert home.resume(plan_run_id=fork.run_id).final_output.value == "early, long, late"
    assert work.calls == ["early", "long", "late", "late"]


@pytest.mark.parametrize("has_beginning", [False, True])
def test_what_an_older_version_left_half_made_is_refused(has_beginning: bool):
    work = Work(is_async=False)
    work.gate.set()
    home = portia()
    fork = home.work_out_fork(home.run_plan(work.plan()), "late")
    hold = home.store.create_run(fork.run_id, fork.plan, owner=this_process())
    if has_beginning:
        created = RunCreated(fork.plan.id, {}, forked_from=fork.forked_from)
        home.store.append(hold, Recorded(1, 1.0, fork.run_id, created))
    home.store.release(hold)
    says = f"fork run {fork.forked_from} again" if has_beginning else "run its plan again"
    with pytest.raises(InvalidPlanRunStateError, match=says):
        home.resume(plan_run_id=fork.run_id)
    assert work.calls == ["early", "long", "late"]
