"""Which store a config asks for, where it is, and what is known of processes and file systems."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from portia_nb.config import Config
from portia_nb.errors import InvalidConfigError
from portia_nb.storage import filesystem, owner
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.place import find_place, open_store


def test_a_store_lies_beside_the_nearest_project(tmp_path: Path):
    inner = tmp_path / "project" / "notebooks" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    assert find_place(inner) == tmp_path / ".portia"
    (tmp_path / "project" / "pyproject.toml").write_text("")
    assert find_place(inner) == tmp_path / "project" / ".portia"


def test_without_a_project_a_store_lies_in_the_working_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert find_place(Path("/some/where")) == Path("/some/where/.portia")


def test_the_settings_choose_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    places = {
        tmp_path / ".portia": Config(),
        tmp_path / "a": Config(store="a"),
        tmp_path / "b": Config(storage_class="DISK", storage_dir=Path("b")),
        tmp_path / "c": Config(storage_class="MEMORY", store=str(tmp_path / "c")),
    }
    for folder, config in places.items():
        store = open_store(config)
        assert isinstance(store, JournalStore)
        assert store.folder == folder
    for config in (Config(store="memory"), Config(storage_class="MEMORY")):
        assert isinstance(open_store(config), MemoryStore)
    assert [p.name for p in tmp_path.iterdir()] == ["pyproject.toml"]


def test_a_store_that_is_not_to_be_had_is_refused():
    with pytest.raises(InvalidConfigError, match="service behind it is closed; use DISK"):
        open_store(Config(storage_class="CLOUD"))
    with pytest.raises(InvalidConfigError, match="store= takes a folder, or 'memory'"):
        open_store(Config(store="postgresql://db/runs"))


def test_a_process_is_alive_until_it_ends_whatever_has_its_number_then():
    here = owner.this_process("a kernel")
    assert owner.is_alive(here)
    assert str(here) == f"a kernel, process {os.getpid()} on {here.host}"
    assert not owner.is_alive(replace(here, process_started="before"))
    assert owner.is_alive(replace(here, host="another", process_started="unknown"))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    other = owner.Owner(here.host, child.pid, owner.process_start(child.pid) or "")
    assert owner.is_alive(other)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not owner.is_alive(other)  # a zombie
    child.communicate()
    assert not owner.is_alive(other)


def test_a_process_that_lies_about_its_name_is_still_read(tmp_path: Path):
    rename = "import ctypes; ctypes.CDLL(None).prctl(15, b') Z 1 (', 0, 0, 0)"
    script = f"{rename}; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        before = owner.process_start(child.pid)
        assert child.stdout is not None
        child.stdout.readline()
        assert owner.process_start(child.pid) == before is not None
        child.kill()


MOUNTS = """\
21 1 0:20 / / rw - ext4 /dev/sda1 rw
22 21 0:21 / {home} rw shared:1 - {type} server:/export rw
23 21 0:22 / /elsewhere rw - cifs //server/share rw
24 22 0:23 / {home}/with\\040space rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("nfs4", True),
        ("ext4", False),
        ("virtiofs", True),
        ("fakeowner", True),
        ("fuse", True),
        ("fuseblk", False),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(
    tmp_path: Path, kind: str, network: bool
):
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS.replace("{home}", str(tmp_path)).replace("{type}", kind))
    (tmp_path / "with space").mkdir()
    (tmp_path / "work").mkdir()
    found = filesystem.linux_type(tmp_path / "work", table)
    assert (found, filesystem.is_network_type(found)) == (kind, network)
    assert filesystem.linux_type(tmp_path / "with space", table) == "fuse.sshfs"
    assert filesystem.is_network_type("fuse.sshfs")
    assert filesystem.linux_type(tmp_path / "work", tmp_path / "missing") == ""


def test_this_machines_own_disk_is_known_to_be_local(tmp_path: Path):
    assert not filesystem.is_on_network(tmp_path)
