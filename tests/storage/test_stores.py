"""One suite that every store passes: the journal in both its modes, and memory."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import threading
import time
from decimal import Decimal
from typing import Any

import pytest

from portia_nb.errors import (
    PlanNotFoundError,
    PlanRunNotFoundError,
    RunHeldElsewhere,
    StaleOwner,
    StorageError,
)
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    ModelReplied,
    Recorded,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepUncertain,
    TextStreamed,
    ToolCalled,
    ToolReturned,
)
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.language import Usage
from portia_nb.model.run import PlanRunState
from portia_nb.storage.owner import Owner
from portia_nb.storage.store import Store

from .stories import OWNER, Run, new_run, plan, step

DEAD = Owner(OWNER.host, OWNER.pid, "another start", "a dead kernel")


def test_what_was_appended_comes_back_in_order(store: Store):
    error = ErrorRecord("ToolHardError", "no", "s1")
    run = new_run(store).add(
        ModelReplied("", "planning", "a/b", 0.5, Usage(1, 2, 3)),
        StepStarted("s0"),
        ToolCalled("s0", 1, "search", {"q": "x", "since": dt.date(2024, 1, 1)}, False, "key"),
        ToolReturned("s0", 1, "search", 0.25),
        StepDone("s0", 1, {"price": Decimal("1.10"), "raw": b"\0"}, "a summary"),
        StepStarted("s1"),
        StepFailed("s1", 1, error, 2.0),
        StepStarted("s1", 2),
        StepCancelled("s1", 2),
        StepUncertain("s1", 2, "mail", {"to": "a"}),
        StepSkipped("s2", "not needed"),
        RunFailed(error),
        RunCompleted("s0"),
    )
    run.kept()
    assert store.load_events(run.id) == run.appended
    assert store.load_events(run.id, after_seq=5) == run.appended[5:]
    assert store.load_events(run.id, after_seq=1_000) == []


def test_a_question_comes_back_as_it_was_asked(store: Store):
    asked = InputClarification(
        user_guidance="Which currency?", argument_name="currency", plan_run_id=None, step=0
    )
    run = new_run(store).add(
        ClarificationRaised("s0", asked), ClarificationResolved(asked.id, (1, 2), "form")
    )
    run.kept()
    assert store.load_events(run.id)[2:] == run.appended[2:]


def test_streamed_text_is_not_kept(store: Store):
    run = new_run(store).add(*step("s0"), TextStreamed("s0", "once upon"), *step("s1")).kept()
    assert [type(r.event) for r in store.load_events(run.id)].count(TextStreamed) == 0
    assert store.load_events(run.id) == run.appended


async def test_kept_returns_once_everything_is_kept_in_whatever_loop(store: Store):
    run = new_run(store)
    for i in range(20):
        run.add(*step(f"s{i}"))
        await store.kept(run.hold)
        assert len(store.load_events(run.id)) == run.seq

    def in_another_loop() -> None:
        asyncio.run(store.kept(run.add(*step("last")).hold))

    await asyncio.to_thread(in_another_loop)
    assert store.load_events(run.id) == run.appended


async def test_waiting_may_be_cancelled_and_done_again(store: Store):
    run = new_run(store)
    waiting = asyncio.ensure_future(store.kept(run.hold))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await store.kept(run.add(*step("s0")).hold)
    assert store.load_events(run.id) == run.appended


def test_many_runs_from_many_threads_keep_their_own_order(store: Store):
    runs = [new_run(store) for _ in range(8)]

    def write(run: Run) -> None:
        for i in range(25):
            run.add(*step(f"s{i}", i))
        run.kept()

    threads = [threading.Thread(target=write, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        assert store.load_events(run.id) == run.appended


def test_a_plan_comes_back_by_its_id_and_by_its_content(store: Store):
    first = plan("one \ud800\0")
    changed = first.model_copy(update={"steps": plan(steps=3).steps})
    store.save_plan(first)
    store.save_plan(changed)
    store.save_plan(first)
    assert store.load_plan(first.id) == changed
    again = store.load_plan(first.id, plan_hash=first.content_hash())
    assert again == first
    assert [row.plan_hash for row in store.find_plans()] == [
        changed.content_hash(),
        first.content_hash(),
    ]
    assert len(store.find_plans(limit=1)) == 1


def test_a_run_keeps_its_plan(store: Store):
    made = plan()
    run = new_run(store, made).kept()
    row = store.find_run(run.id)
    assert store.load_plan(row.plan_id, plan_hash=row.plan_hash) == made


def test_what_is_not_there_is_said_by_name(store: Store):
    with pytest.raises(PlanNotFoundError, match="plan-1"):
        store.load_plan("plan-1")
    for ask in (
        store.load_events,
        store.find_run,
        store.delete_run,
        lambda run_id: store.claim(run_id, owner=OWNER),
    ):
        with pytest.raises(PlanRunNotFoundError, match="prun-1"):
            ask("prun-1")
    assert store.find_runs() == []


STATES: list[tuple[Any, PlanRunState]] = [
    (None, PlanRunState.IN_PROGRESS),
    (RunWaiting(), PlanRunState.NEED_CLARIFICATION),
    (RunCompleted(value=1), PlanRunState.COMPLETE),
    (RunFailed(ErrorRecord("E", "m")), PlanRunState.FAILED),
    (RunStopped(), PlanRunState.READY_TO_RESUME),
]


@pytest.mark.parametrize(("event", "state"), STATES, ids=lambda x: getattr(x, "kind", None))
def test_a_list_of_runs_says_each_runs_state(store: Store, event: Any, state: PlanRunState):
    run = new_run(store).add(*([event] if event else [])).kept()
    other = new_run(store, plan("another")).kept()
    assert [row.run_id for row in store.find_runs()] == [other.id, run.id]
    row = next(row for row in store.find_runs(state=state) if row.run_id == run.id)
    assert (row.state, row.query, row.owner) == (state, "Which grew faster?", OWNER)
    assert row.updated_at == run.appended[-1].at
    assert [r.run_id for r in store.find_runs(plan_id=row.plan_id)] == [run.id]
    assert [r.run_id for r in store.find_runs(limit=1)] == [other.id]


def test_a_waiting_run_is_ready_once_its_last_question_is_answered(store: Store):
    asked = [
        InputClarification(user_guidance="?", argument_name=name, plan_run_id=None, step=0)
        for name in "ab"
    ]
    run = new_run(store).add(*(ClarificationRaised("s0", a) for a in asked), RunWaiting())
    run.add(ClarificationResolved(asked[0].id, 1)).kept()
    assert store.find_run(run.id).state is PlanRunState.NEED_CLARIFICATION
    run.add(ClarificationResolved(asked[1].id, 2)).kept()
    assert store.find_run(run.id).state is PlanRunState.READY_TO_RESUME


def test_a_run_that_a_live_process_holds_is_refused_and_says_who(store: Store):
    run = new_run(store).kept()
    with pytest.raises(RunHeldElsewhere, match=rf"process {OWNER.pid} on .* since 20") as caught:
        store.claim(run.id, owner=OWNER)
    assert caught.value.owner == OWNER
    with pytest.raises(RunHeldElsewhere):
        store.delete_run(run.id)
    elsewhere = new_run(store, owner=Owner("another-host", 1, "")).kept()
    with pytest.raises(RunHeldElsewhere, match="another-host"):
        store.claim(elsewhere.id, owner=OWNER)


def test_a_run_that_was_released_or_whose_process_died_is_free(store: Store):
    released = new_run(store)
    store.release(released.hold)
    store.release(released.hold)
    dead = new_run(store, owner=DEAD).kept()
    for run in (released, dead):
        hold = store.claim(run.id, owner=OWNER)
        assert hold.fence == 2
        again = Run(store, hold, start=run.seq).add(*step("s0")).kept()
        assert store.load_events(run.id) == run.appended + again.appended
        assert store.find_run(run.id).owner == OWNER


def test_a_run_that_was_taken_over_takes_no_more_from_its_old_owner(store: Store):
    old = new_run(store).kept()
    new = Run(store, store.claim(old.id, owner=DEAD, take_over=True), start=old.seq)
    kept = list(old.appended)
    old.add(*step("stale"))
    for _ in range(2):
        with pytest.raises(StaleOwner, match="taken over by a dead kernel"):
            old.add(*step("staler")).kept()
    store.release(old.hold)
    new.add(*step("s0")).kept()
    assert store.load_events(old.id) == kept + new.appended
    assert store.find_run(old.id).owner == DEAD


def test_a_step_is_recorded_as_done_once(store: Store):
    run = new_run(store).add(*step("s0", 1)).kept()
    run.add(StepDone("s0", 2, 2))
    with pytest.raises(StorageError, match=r"'s0' .* already recorded as done"):
        run.add(*step("s1")).kept()
    assert store.load_events(run.id) == run.appended[: len(store.load_events(run.id))]
    assert [r.event.value for r in store.load_events(run.id) if type(r.event) is StepDone] == [1]


def test_the_order_of_a_run_has_no_gap_and_no_twin(store: Store):
    for seq in (2, 4):
        run = new_run(store).kept()
        store.append(run.hold, Recorded(seq, 0.0, run.id, RunStarted()))
        with pytest.raises(StorageError, match=f"event {seq} of run .* doesn't come next"):
            run.kept()
        assert store.load_events(run.id) == run.appended


def test_a_run_id_is_used_once(store: Store):
    run = new_run(store).kept()
    twin = Run(store, store.create_run(run.id, plan(), owner=OWNER)).add(RunStarted())
    with pytest.raises(StorageError, match="already kept"):
        twin.kept()
    assert store.load_events(run.id) == run.appended


def test_a_run_begins_with_its_first_events(store: Store):
    made, run_id = plan(), PlanRunUUID.new()
    events = [RunCreated(made.id, {"a": 1}, None, "prun-1"), *step("s0", "x" * 2_000_000)]
    first = [Recorded(n, 1.0 + n, run_id, event) for n, event in enumerate(events, 1)]
    run = Run(store, store.create_run(run_id, made, owner=OWNER, first=first), start=3)
    run.add(*step("s1")).kept()
    assert store.load_events(run_id) == [*first, *run.appended]
    assert store.find_run(run_id).forked_from == "prun-1"
    assert store.check().findings == ()


def test_of_a_run_whose_first_events_are_refused_nothing_is_kept(store: Store):
    other, made, run_id = new_run(store), plan("refused"), PlanRunUUID.new()
    other.add(StepDone("cached", 1, "c", cache_key="k")).kept()
    done = StepDone("s0", 1, "a", cache_key="k")
    events = [RunCreated(made.id, {}), done, StepDone("s0", 2, "b")]
    first = [Recorded(n, 1.0, run_id, event) for n, event in enumerate(events, 1)]
    refused = Run(store, store.create_run(run_id, made, owner=OWNER, first=first), start=3)
    other.add(*step("s0")).kept()
    with pytest.raises(StorageError, match="already recorded as done"):
        refused.add(RunStarted()).kept()
    assert [row.run_id for row in store.find_runs()] == [other.id]
    assert "refused" not in [row.query for row in store.find_plans()]
    assert store.find_cached("k") == other.appended[2]

    gap = [first[1], first[0]]
    with pytest.raises(StorageError, match="doesn't come next"):
        Run(store, store.create_run(run_id, made, owner=OWNER, first=gap)).kept()
    again = Run(store, store.create_run(run_id, made, owner=OWNER, first=first[:2]), start=2).kept()
    assert store.load_events(again.id) == first[:2]


def test_one_runs_failure_is_not_anothers(store: Store):
    good, bad = new_run(store), new_run(store)
    bad.add(*step("s0"), StepDone("s0", 2))
    good.add(*step("s0"))
    good.kept()
    with pytest.raises(StorageError):
        bad.kept()
    assert store.load_events(good.id) == good.appended


def test_a_deleted_run_is_gone_with_its_plan_unless_another_run_has_it(store: Store):
    shared, alone = plan("shared"), plan("alone")
    first, second, third = (new_run(store, p) for p in (shared, shared, alone))
    for run in (first, second, third):
        store.release(run.kept().hold)
    store.delete_run(first.id)
    store.delete_run(third.id)
    assert [row.run_id for row in store.find_runs()] == [second.id]
    assert [row.query for row in store.find_plans()] == ["shared"]
    with pytest.raises(PlanRunNotFoundError):
        store.load_events(first.id)
    assert store.load_events(second.id) == second.appended


def test_a_closed_store_opens_again_at_the_next_use(store: Store):
    run = new_run(store).kept()
    store.close()
    store.close()
    run.add(*step("s0")).kept()
    assert store.load_events(run.id) == run.appended


def test_a_value_that_cannot_be_kept_fails_nothing(store: Store):
    run = new_run(store).add(*step("s0", threading.Lock()), *step("s1", float("nan"))).kept()
    assert len(store.load_events(run.id)) == run.seq


def test_ids_may_be_of_the_models_own_type(store: Store):
    run_id = PlanRunUUID.new()
    hold = store.create_run(run_id, plan(), owner=dataclasses.replace(OWNER, label="\ud800\0"))
    Run(store, hold).add(RunStarted()).kept()
    assert store.find_run(run_id).run_id == run_id


def test_an_output_is_found_by_its_cache_key_until_its_run_is_deleted(store: Store):
    run = new_run(store).add(StepStarted("s0"), StepDone("s0", 1, {"n": 1}, cache_key="k")).kept()
    found = store.find_cached("k")
    assert found is not None
    assert found == run.appended[-1]
    assert store.find_cached("other") is None
    store.release(run.hold)
    store.delete_run(run.id)
    assert store.find_cached("k") is None


def test_the_latest_executed_output_of_a_cache_key_stands(store: Store):
    first, second, third = (new_run(store) for _ in range(3))
    first.add(StepDone("s0", 1, "old", cache_key="k")).kept()
    second.add(StepDone("s0", 1, "new", cache_key="k")).kept()
    third.add(StepDone("s0", 1, "taken over", reused="cache", cache_key="k")).kept()
    found = store.find_cached("k")
    assert found is not None
    assert isinstance(found.event, StepDone)
    assert (found.run_id, found.event.value) == (second.id, "new")


def test_a_cached_output_has_an_age(store: Store):
    run = new_run(store)
    aged = dataclasses.replace(StepDone("s0", 1, 1), cache_key="k")
    store.append(run.hold, Recorded(run.seq + 1, time.time() - 100, run.id, aged))
    store.kept_blocking(run.hold)
    assert store.find_cached("k", max_age_s=1_000) is not None
    assert store.find_cached("k", max_age_s=50) is None


def test_a_list_of_runs_says_what_each_was_forked_from(store: Store):
    made = plan()
    run_id = PlanRunUUID.new()
    run = Run(store, store.create_run(run_id, made, owner=OWNER))
    run.add(RunCreated(made.id, {}, None, "prun-1", "s0", ["s0.task"])).kept()
    assert store.find_run(run_id).forked_from == "prun-1"
    assert store.load_events(run_id) == run.appended
    assert store.find_run(new_run(store).kept().id).forked_from is None
