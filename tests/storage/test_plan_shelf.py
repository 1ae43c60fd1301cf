"""Names of plans, their versions, and approvals, in both stores."""

from __future__ import annotations

import pytest

from portia_nb import Plan, PlanNotFoundError
from portia_nb.model.approval import Approval
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.owner import this_process
from portia_nb.storage.store import Store


def plan(task: str) -> Plan:
    return Plan(plan_context={"query": f"about {task}"}, steps=[{"task": task, "output": "$a"}])


def tasks(store: Store, name: str) -> list[tuple[int, str, str, bool]]:
    return [
        (
            v.number,
            store.load_plan(v.plan_id, plan_hash=v.plan_hash).steps[0].task,
            v.change,
            v.is_current,
        )
        for v in store.find_versions(name)
    ]


def test_a_name_keeps_each_version_and_can_go_back_and_forth(store: Store):
    assert store.find_versions("trip") == []
    assert store.keep_version("trip", plan("one")) == 1
    assert store.keep_version("trip", plan("two"), "changed the task") == 2
    store.set_version("trip", 1)
    assert tasks(store, "trip") == [(1, "one", "", True), (2, "two", "changed the task", False)]
    store.set_version("trip", 2)
    assert [v.is_current for v in store.find_versions("trip")] == [False, True]


def test_what_was_undone_is_gone_once_something_else_is_done(store: Store):
    for task in ("one", "two", "three"):
        store.keep_version("trip", plan(task))
    store.set_version("trip", 1)
    assert store.keep_version("trip", plan("other")) == 2
    assert [task for _, task, _, _ in tasks(store, "trip")] == ["one", "other"]


def test_names_are_listed_with_what_they_mean_the_latest_first(store: Store):
    store.keep_version("b", plan("one"))
    store.keep_version("a", plan("two"))
    store.keep_version("a", plan("three"))
    found = store.find_versions()
    assert [(v.name, v.number, v.query) for v in found] == [
        ("a", 2, "about three"),
        ("b", 1, "about one"),
    ]


def test_a_plan_with_a_name_outlives_its_runs_and_goes_with_its_name(store: Store):
    made = plan("one")
    store.keep_version("trip", made)
    store.release(store.create_run("prun-1", made, owner=this_process()))
    store.delete_run("prun-1", force=True)
    assert store.load_plan(made.id) == made
    store.forget_name("trip")
    assert store.find_versions() == []
    with pytest.raises(PlanNotFoundError):
        store.load_plan(made.id)


def test_a_version_that_is_not_there_is_refused(store: Store):
    store.keep_version("trip", plan("one"))
    with pytest.raises(PlanNotFoundError, match="no version 2 of a plan called 'trip'"):
        store.set_version("trip", 2)


def test_approvals_are_found_by_content_and_by_id_the_latest_first(store: Store):
    made = plan("one")
    kept = Approval(made.id, made.content_hash(), "ada", "form", 1.5, False, {"pay": "ff"})
    later = Approval(made.id, made.content_hash(), "\ud800bob", "--yes", 2.5)
    store.keep_approval(kept)
    store.keep_approval(later)
    found = store.find_approvals(plan_hash=made.content_hash())
    assert [(a.how, a.at, a.stands) for a in found] == [("--yes", 2.5, True), ("form", 1.5, False)]
    assert store.find_approvals(approval_id=kept.id) == [kept]
    assert store.find_approvals(plan_hash="none") == []


def test_who_approved_one_run_is_forgotten_with_it(journal: JournalStore):
    made = plan("one")
    journal.release(journal.create_run("prun-1", made, owner=this_process()))
    journal.keep_approval(Approval(made.id, made.content_hash(), "ada", stands=False))
    journal.keep_approval(Approval(made.id, made.content_hash(), "bob"))
    journal.delete_run("prun-1", force=True)
    assert [a.by for a in journal.find_approvals()] == ["bob"]


def test_of_a_forgotten_name_nothing_is_left_on_disk(journal: JournalStore):
    journal.keep_version("trip", plan("the-secret-goal " * 20), "the-secret-change")
    journal.keep_version("other", plan("what stays"))
    journal.forget_name("trip")
    left = b"".join(path.read_bytes() for path in journal.folder.rglob("journal*"))
    assert b"the-secret" not in left
    assert b"what stays" in left
