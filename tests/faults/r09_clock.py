"""R9: the wall clock jumps while runs go on, and other processes have another time."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from portia_nb import Config, PlanBuilderV2, Portia, StepOutput, ToolSoftError
from portia_nb.notebook.static_record import run_bundle
from portia_nb.session.opening import open_run

from .clock import DAY, HOUR, JUMPS, jumping
from .r07_race import Racer, failed_run
from .racer import plan_of, portia_of
from .row import Facts, Row, Trial

TIMEOUT_S, RETRY_S = 0.3, 0.5
SLACK_S = 0.6
OFFSETS = (-DAY, -HOUR, HOUR, DAY)


def time_out(portia: Portia) -> float:
    """Let a step run out of time, and return how far from its limit it was ended."""

    async def hang() -> None:
        await asyncio.sleep(30)

    builder = PlanBuilderV2("hangs")
    builder.function_step(function=hang, step_name="hang", timeout_s=TIMEOUT_S)
    began = time.monotonic()
    run = portia.run_plan(builder.build())
    off_s = time.monotonic() - began - TIMEOUT_S
    assert run.error is not None
    assert run.error.type == "StepTimeout"
    assert 0 <= off_s < SLACK_S, f"ended {off_s:+.3f} s from its limit"
    return off_s


def retry(portia: Portia) -> str:
    """Let a step be tried again after its pause, and return the run's id."""
    tries: list[float] = []

    def flaky() -> str:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise ToolSoftError("not now")
        return "done"

    builder = PlanBuilderV2("flaky")
    builder.function_step(function=flaky, step_name="flaky", side_effect=False, retries=1)
    for place in range(10):
        builder.function_step(
            function=lambda before: before,
            args={"before": StepOutput(place)},
            step_name=f"then{place}",
        )
    run = portia.run_plan(builder.build())
    assert run.state == "COMPLETE", run.error
    pause_s = tries[1] - tries[0]
    assert RETRY_S <= pause_s < RETRY_S + SLACK_S, f"tried again after {pause_s:.3f} s"
    return str(run.id)


def check_record(portia: Portia, run_id: str) -> None:
    """Check that the events are in their order, and that what shows times can still be drawn."""
    events = portia.store.load_events(run_id)
    assert [recorded.seq for recorded in events] == list(range(1, len(events) + 1))
    run = open_run(portia.store, run_id)
    assert run.state == "COMPLETE"
    text = run_bundle(run)["text/plain"]
    assert "-" not in "".join(word for word in text.split() if word[1:2].isdigit()), text
    assert portia.timeline(run_id).svg().startswith("<svg")


@contextmanager
def other_clocks(trial: Trial) -> Iterator[list[Racer]]:
    """Yield processes whose clocks are off."""
    with ExitStack() as stack:
        racers = [
            stack.enter_context(Racer(trial.folder, "tests.faults.clock", str(offset)))
            for offset in OFFSETS
        ]
        for racer in racers:
            assert racer.listen() == "ready"
        yield racers


def keep_the_run(trial: Trial, racers: list[Racer]) -> int:
    """Let processes with other clocks ask for a run that lives here; return how many were told."""
    folder = trial.folder
    for name in ("may pass", "go on"):
        (folder / name).unlink(missing_ok=True)
    run_id = failed_run(folder)
    (folder / "may pass").touch()
    portia = portia_of(folder)
    live = portia.start_resume(run_id, plan_of(folder))
    for racer in racers:
        racer.tell(run_id)
        answer = json.loads(racer.listen())
        assert answer["error"] == "RunHeldElsewhere", f"stolen: {answer}"
    (folder / "go on").touch()
    assert live.done.result(20).state == "COMPLETE"
    check_record(portia, run_id)
    portia.store.close()
    return len(racers)


def jump(trial: Trial) -> Facts:
    """Let the clock jump while a step runs out of time, another is retried, and others ask."""
    slowest, told = 0.0, 0
    with other_clocks(trial) as racers:
        for number in trial.numbers:
            portia = Portia(Config(store=str(trial.folder / "store")), tools=[])
            with jumping(JUMPS[number % len(JUMPS)], random.Random(number)):
                slowest = max(slowest, time_out(portia))
                run_id = retry(portia)
                told += keep_the_run(trial, racers)
            check_record(portia, run_id)
            portia.store.close()
    return {"claims by processes an hour or a day off, refused": told, "max s late": slowest}


ROW = Row(
    id="R9",
    fault="the clock jumps by an hour, a day, an NTP step, daylight saving; the machine sleeps",
    full=100,
    batch=10,
    sample_batch=len(JUMPS),
    trial=jump,
    sample=(0,),
    jobs=1,
    trial_s=180,
    holds="limits and pauses as they were set, no run stolen, events in order",
)
