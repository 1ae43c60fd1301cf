"""An approval counts for who gave it: a store that somebody sends approves nothing."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from portia_nb import Config, Plan, PlanBuilderV2, Portia, tool
from portia_nb.session.approvals import standing_approval
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.seal import KEY_FILE, is_sealed, sealed


@tool(side_effect=True)
def pay(to: str) -> str:
    """Pay."""
    return to


def payment() -> Plan:
    return PlanBuilderV2("Report").invoke_tool_step(tool="pay", args={"to": "mallory"}).build()


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Be this person from now on, at home in a folder of their own."""

    def become(name: str) -> Path:
        home = tmp_path / f"home of {name}"
        monkeypatch.setenv("PORTIA_CONFIG_FILE", str(home / "config.toml"))
        return home

    return become


def approved(folder: Path) -> Plan:
    portia = Portia(Config(store=str(folder)), tools=[pay()])
    plan = payment()
    portia.approve(plan, by="you")
    portia.store.close()
    return plan


def test_an_approval_in_a_store_that_somebody_sent_lets_nothing_through(person, tmp_path: Path):
    person("mallory")
    plan = approved(tmp_path / "sent")
    store = JournalStore(tmp_path / "sent")
    assert standing_approval(store, plan) is not None
    person("ada")
    assert standing_approval(store, plan) is None
    store.close()
    # What ada approves herself stands, in another process, too.
    approved_by_ada = approved(tmp_path / "sent")
    assert standing_approval(JournalStore(tmp_path / "sent"), approved_by_ada) is not None


def test_a_key_is_this_persons_alone_and_made_once(person, tmp_path: Path):
    home = person("ada")
    approved(tmp_path / "store")
    (key,) = home.iterdir()
    assert (key.name, stat.S_IMODE(key.stat().st_mode)) == (KEY_FILE, 0o600)
    before = key.read_bytes()
    approved(tmp_path / "store")
    assert (key.read_bytes(), len(before)) == (before, 32)


def test_a_seal_is_of_everything_that_an_approval_lets_through(person, tmp_path: Path):
    person("ada")
    plan = approved(tmp_path / "store")
    store = JournalStore(tmp_path / "store")
    (given,) = store.find_approvals(plan_hash=plan.content_hash())
    store.close()
    assert is_sealed(given)
    assert sealed(given).id == sealed(given).id
    for change in (
        {"plan_hash": "other"},
        {"stands": False},
        {"calls": {"pay": "other"}},
        {"at": given.at + 1},
        {"id": given.id[:-1]},
        {"id": ""},
        {"id": "é\ud800"},
    ):
        assert not is_sealed(replace(given, **change)), change


def test_without_a_place_for_a_key_an_approval_stands_for_this_process(
    person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = person("ada")
    home.write_text("a file where the folder would be")
    plan = approved(tmp_path / "store")
    store = JournalStore(tmp_path / "store")
    assert standing_approval(store, plan) is not None
    monkeypatch.setattr("portia_nb.storage.seal._process_key", lambda: b"of another process")
    assert standing_approval(store, plan) is None
    store.close()


def test_an_approval_taken_over_on_purpose_is_under_ones_own_seal(person, tmp_path: Path):
    person("ada on her laptop")
    plan = approved(tmp_path / "laptop")
    JournalStore(tmp_path / "laptop").export_to(tmp_path / "a.jsonl")
    person("ada on the server")
    store = JournalStore(tmp_path / "server")
    store.import_from(tmp_path / "a.jsonl")
    assert standing_approval(store, plan) is None
    store.import_from(tmp_path / "a.jsonl", approvals=True)
    assert standing_approval(store, plan) is not None
    again = store.import_from(tmp_path / "a.jsonl", approvals=True)
    assert (again.approvals, len(store.find_approvals())) == (0, 1)
    store.close()
