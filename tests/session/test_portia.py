"""Starting, resuming and watching runs through `Portia`."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, Plan, PlanBuilderV2, Portia, StepOutput
from portia_nb.errors import PlanCheckError, PlanError, RunHeldElsewhere
from portia_nb.model.events import Recorded, RunCompleted, RunStarted, StepDone
from portia_nb.session import watchers
from portia_nb.session.live import LiveRun, live_run
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.owner import Owner

from .stage import Work, portia


def add(a: int, b: int) -> int:
    return a + b


def sum_plan() -> Any:
    return (
        PlanBuilderV2()
        .input(name="a", default_value=1)
        .function_step(function=lambda: 2, step_name="two")
        .function_step(
            function=add, args={"a": StepOutput("two"), "b": StepOutput(0)}, step_name="sum"
        )
        .build()
    )


def test_a_plan_runs_by_its_id() -> None:
    us, plan = portia(), sum_plan()
    us.run_plan(plan)
    assert us.run_plan(plan.id).outputs["sum"].value == 4


def test_a_schema_given_to_the_run_shapes_its_final_output_and_survives_a_resume() -> None:
    us = portia()
    broken = True

    def number() -> str:
        if broken:
            raise ValueError("broken")
        return "42"

    plan = PlanBuilderV2().function_step(function=number, step_name="n").build()
    run = us.run_plan(plan, structured_output_schema=int)
    assert run.state == "FAILED"
    broken = False
    run = us.resume(run)
    assert run.final_output is not None and run.final_output.value == 42


def test_a_complete_run_comes_back_as_it_is() -> None:
    us = portia()
    run = us.run_plan(sum_plan())
    assert us.resume(run) == run


def test_a_resume_with_another_plan_is_refused_with_the_difference() -> None:
    us = portia()

    def fail() -> None:
        raise ValueError

    run = us.run_plan(PlanBuilderV2().function_step(function=fail, step_name="a").build())
    other = PlanBuilderV2().function_step(function=fail, step_name="b").build()
    with pytest.raises(PlanError, match="no step 'a'"):
        us.resume(run, plan=other)
    assert us.resume(run).state == "FAILED", "it can still be resumed"


def test_tools_that_were_given_for_one_run_are_there_when_it_resumes() -> None:
    from portia_nb import tool

    broken = True

    @tool
    def extra() -> str:
        """Only offered for this run."""
        if broken:
            raise ValueError("broken")
        return "mended"

    us = portia()
    plan = PlanBuilderV2().invoke_tool_step(tool="extra", step_name="e").build()
    with pytest.raises(PlanCheckError):
        us.run_plan(plan)
    live = us.start_run(plan, tools=us._parts.offered([extra]))
    run = live.done.result(10)
    assert run.state == "FAILED"
    broken = False
    assert us.resume(run).outputs["e"].value == "mended"


def test_a_run_that_lives_is_not_started_twice() -> None:
    work, us = Work(is_async=True), portia()
    live = us.start_run(work.plan())
    assert work.started.wait(10)
    again = us.start_resume(live.id)
    assert again is live and live_run(live.id) is live
    work.gate.set()
    assert live.done.result(10).state == "COMPLETE"
    assert work.calls == ["early", "long", "late"]
    assert live_run(live.id) is None


def test_a_run_that_another_process_holds_is_refused_and_may_be_taken_over() -> None:
    us = portia()

    def fail() -> None:
        raise ValueError("broken")

    run = us.run_plan(PlanBuilderV2().function_step(function=fail, step_name="a").build())
    elsewhere = Owner("another-host", 1, "then")
    us.store.claim(run.id, owner=elsewhere)
    with pytest.raises(RunHeldElsewhere, match="another-host"):
        us.resume(run)
    taken = us.start_resume(run.id, take_over=True)
    assert isinstance(taken, LiveRun)
    assert taken.done.result(10).state == "FAILED"


def test_many_threads_resume_one_run_and_it_runs_once() -> None:
    """Whoever comes second goes along with the run that lives, or is told who holds it."""
    for _ in range(20):
        calls: list[int] = []
        broken = [True]

        def step(calls: list[int] = calls, broken: list[bool] = broken) -> str:
            if broken[0]:
                raise ValueError("broken")
            calls.append(1)
            return "once"

        us = portia()
        run = us.run_plan(PlanBuilderV2().function_step(function=step, step_name="a").build())
        broken[0] = False
        together = threading.Barrier(4)
        ended: list[str] = []

        def resume(
            us: Portia = us, run: Any = run, together: Any = together, ended: Any = ended
        ) -> None:
            together.wait(10)
            try:
                ended.append(us.resume(run).state)
            except RunHeldElsewhere:
                ended.append("held")

        threads = [threading.Thread(target=resume) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(ended) == 4 and set(ended) <= {"COMPLETE", "held"} and "COMPLETE" in ended
        assert calls == [1]


def test_a_run_that_another_process_completes_meanwhile_comes_back_complete() -> None:
    us = portia()

    def fail() -> None:
        raise ValueError("broken")

    run = us.run_plan(PlanBuilderV2().function_step(function=fail, step_name="a").build())

    class Busy(MemoryStore):
        def claim(self, run_id: str, **options: Any) -> Any:
            other = super().claim(run_id, **options)
            seq = len(self.load_events(run_id))
            for event in (RunStarted(), StepDone("a", 2, "done elsewhere"), RunCompleted("a")):
                seq += 1
                self.append(other, Recorded(seq, 1.0, run_id, event))
            self.release(other)
            return super().claim(run_id, **options)

    us.store.__class__ = Busy  # type: ignore[assignment]
    again = us.resume(run)
    assert (again.state, again.outputs["a"].value) == ("COMPLETE", "done elsewhere")
    assert us.store.find_run(run.id).owner is None, "and nobody holds it"


@pytest.mark.parametrize("after_s", [i / 400 for i in range(16)])
def test_an_interrupt_at_any_moment_leaves_a_run_that_resumes(after_s: float) -> None:
    calls: list[int] = []
    builder = PlanBuilderV2()
    for i in range(6):

        def step(number: int) -> None:
            calls.append(number)
            time.sleep(0.004)

        builder.function_step(function=step, args={"number": i}, step_name=f"s{i}")
    us, plan = portia(), builder.build()
    main = threading.main_thread().ident or 0
    timer = threading.Timer(after_s, signal.pthread_kill, (main, signal.SIGINT))
    interrupted_at: float | None = None
    try:
        timer.start()
        us.run_plan(plan)
        timer.join()
        time.sleep(0.01)  # let the interrupt come where the run was quicker
    except KeyboardInterrupt:
        interrupted_at = time.monotonic()
    timer.join()
    rows = us.store.find_runs()
    if not rows:
        return  # it came before there was a run
    run = us.resume(plan_run_id=rows[0].run_id)
    assert run.state == "COMPLETE", [e.event for e in us.store.load_events(run.id)]
    assert interrupted_at is not None
    assert sorted(set(calls)) == list(range(6))
    assert len(calls) <= 7, "at most the step that was under way ran again"


def test_watchers_are_told_of_python_calls_and_of_nothing_else() -> None:
    told: list[LiveRun] = []
    watchers.add_watcher(told.append)
    try:
        us = portia()
        run = us.run_plan(sum_plan())
        assert [live.id for live in told] == [run.id]
        us.start_run(sum_plan()).done.result(10)
        us.start_run(sum_plan(), asker=lambda *_: None).done.result(10)
        asyncio.run(us.arun_plan(sum_plan()))
        us.resume(run)
        assert len(told) == 2
    finally:
        watchers.remove_watcher(told.append)
        watchers._watchers.clear()


def test_a_watcher_or_a_listener_that_raises_stops_no_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("in the view")

    us = portia()
    logging.getLogger("portia_nb").propagate = True
    live = us.start_run(sum_plan(), listeners=(fail,))
    assert live.done.result(10).state == "COMPLETE"
    assert caplog.text.count("called no more") <= 1


def test_keys_stand_in_no_kept_error_and_in_no_log(tmp_path: Path) -> None:
    key = "sk-very-secret-0123456789"
    log = tmp_path / "run.log"
    us = Portia(
        Config(
            store=str(tmp_path / "store"),
            openai_api_key=key,
            default_log_level="DEBUG",
            default_log_sink=str(log),
        ),
        tools=[],
    )

    def fail() -> None:
        raise ValueError(f"401 for key {key}")

    run = us.run_plan(PlanBuilderV2().function_step(function=fail, step_name="a").build())
    assert run.error is not None and run.error.message == "401 for key ***"
    assert run.final_output is not None and run.final_output.value == "401 for key ***"
    us.store.close()
    found = [p for p in tmp_path.rglob("*") if p.is_file() and key.encode() in p.read_bytes()]
    assert found == []
    assert "401 for key ***" in log.read_text()


def test_the_memory_store_is_one_however_many_threads_come_first() -> None:
    us = portia()
    together = threading.Barrier(8)
    stores: list[Any] = []

    def look() -> None:
        together.wait(10)
        stores.append(us.store)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len({id(store) for store in stores}) == 1 and len(stores) == 8


def test_the_end_user_is_known_to_tools_also_after_a_resume() -> None:
    from portia_nb import ToolRunContext, tool

    seen: list[Any] = []

    @tool
    def who(ctx: ToolRunContext) -> str:
        """Say for whom."""
        seen.append(ctx.end_user)
        if len(seen) == 1:
            raise ValueError("broken")
        return "done"

    us = portia()
    plan = PlanBuilderV2().invoke_tool_step(tool=who, step_name="w").build()
    run = us.run_plan(plan, end_user="ada")
    assert run.end_user_id == "ada"
    assert us.resume(run).state == "COMPLETE"
    assert [user.external_id for user in seen] == ["ada", "ada"]


@pytest.mark.parametrize("is_given", [True, False])
def test_a_resume_calls_the_functions_of_the_plan_that_was_built_last(is_given: bool) -> None:
    def built(client: Any) -> Plan:
        def fetch() -> str:
            return client.upper()

        return PlanBuilderV2().function_step(function=fetch, step_name="fetched").build()

    us = portia()
    failed = us.run_plan(built(None))
    assert failed.state == "FAILED"
    mended = built("now")  # the same source, and so the same plan
    run = us.resume(failed, plan=mended if is_given else None)
    assert (run.state, run.plan_id) == ("COMPLETE", failed.plan_id)
    assert run.outputs["fetched"].value == "NOW"
