"""The file tools touch what is below their folder, and nothing else."""

from __future__ import annotations

import itertools
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from portia_nb.config import Config
from portia_nb.errors import ToolHardError
from portia_nb.tools import folder as folder_module
from portia_nb.tools.builtin.file_reader import FileReaderTool
from portia_nb.tools.builtin.file_writer import FileWriterTool
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.folder import GuardedFolder

SECRET = "the canary outside sings"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A root with files, links of every kind, and a secret beside it."""
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    (root / "data" / "deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    (tmp_path / "secret.txt").write_text(SECRET)
    (root / "notes.txt").write_text("hello")
    (root / "data" / "deep" / "a.csv").write_text("x,y\n1,2\n")
    (root / ".env").write_text(SECRET)
    (root / ".hidden" / "secret.txt").write_text(SECRET)
    (root / "link_in.txt").symlink_to(root / "notes.txt")
    (root / "link_relative.csv").symlink_to("data/deep/a.csv")
    (root / "folder_in").symlink_to(root / "data")
    (root / "link_out.txt").symlink_to(outside / "secret.txt")
    (root / "link_up.txt").symlink_to("../secret.txt")
    (root / "folder_out").symlink_to(outside)
    (root / "folder_up").symlink_to("..")
    (root / "link_dangling.txt").symlink_to(outside / "new.txt")
    (root / "link_hidden.txt").symlink_to(root / ".env")
    (root / "link_loop").symlink_to(root / "link_loop")
    (root / "link_device").symlink_to("/dev/zero")
    (root / "link_etc").symlink_to("/etc")
    os.link(outside / "secret.txt", root / "hard.txt")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture(params=[True, False], ids=["walking", "resolving"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also take the way of systems that can't open relative to a folder."""
    monkeypatch.setattr(folder_module, "_CAN_WALK", request.param)


def context(root: Path | None) -> ToolRunContext:
    return ToolRunContext(config=Config(file_root=root))


def read(root: Path, name: str) -> str:
    return FileReaderTool().run(context(root), name)


def write(root: Path, name: str, content: str = "new") -> str:
    return FileWriterTool().run(context(root), name, content)


_UPS = [
    "..",
    "...",
    "....",
    ". .",
    "..;",
    "%2e%2e",
    "%252e%252e",
    "..%00",
    "..%c0%af",
    "\uff0e\uff0e",
]
_SLASHES = ["/", "//", "\\", "\\\\", "/./", "%2f", "%5c", "\u2215", "\uff0f", "/\\"]
_TARGETS = ["secret.txt", "outside/secret.txt", "etc/passwd"]
TRAVERSALS = [
    (up + slash) * depth + target
    for up, slash, depth, target in itertools.product(_UPS, _SLASHES, (1, 2, 6), _TARGETS)
]
NAMES = [
    "",
    " ",
    ".",
    "..",
    "/",
    "//",
    "./",
    "/etc/passwd",
    "//etc/passwd",
    "///etc/passwd",
    "/etc//passwd",
    "/proc/self/environ",
    "/dev/null",
    "/dev/stdin",
    "file:///etc/passwd",
    "http://127.0.0.1/secret.txt",
    "\\\\127.0.0.1\\c$\\secret.txt",
    "//127.0.0.1/share/secret.txt",
    "C:\\Windows\\win.ini",
    "C:/Windows/win.ini",
    "notes.txt:stream",
    "notes.txt::$DATA",
    "~/secret.txt",
    "~root/.ssh/id_rsa",
    "$HOME/secret.txt",
    "${HOME}/secret.txt",
    "notes.txt\0.csv",
    "\0",
    "notes.txt\n",
    "notes\r.txt",
    "notes\u202etxt.",
    "notes\ud800.txt",
    "data/../notes.txt",
    "data/../../secret.txt",
    "data/deep/../../../outside/secret.txt",
    "./../secret.txt",
    "notes.txt/../../secret.txt",
    "notes.txt/",
    "notes.txt/x",
    "data",
    "data/",
    "data/deep",
    ".env",
    "./.env",
    "data/.env",
    ".hidden/secret.txt",
    ".git/config",
    ".portia/portia.db",
    ".ipynb_checkpoints/x.ipynb",
    "link_out.txt",
    "link_up.txt",
    "folder_out/secret.txt",
    "folder_up/secret.txt",
    "folder_up/outside/secret.txt",
    "folder_in/../../secret.txt",
    "link_dangling.txt",
    "link_hidden.txt",
    "link_loop",
    "link_device",
    "link_etc/passwd",
    "hard.txt",
    "pipe",
    "x" * 5_000,
    "x" * 300,
    "a/" * 600,
]
FIRST_ROUND = {"notes.txt/"}
"""Names that only look odd: a slash at the end says the same file."""


def everything(below: Path) -> dict[str, tuple[int, bytes | None]]:
    """Return each file's kind and content below a folder, so that two moments can be compared."""
    found: dict[str, tuple[int, bytes | None]] = {}
    for path in sorted(below.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(info.st_mode) else None
        found[str(path)] = (info.st_mode, content)
    return found


@pytest.mark.usefixtures("either_way")
def test_no_name_reads_what_is_outside_hidden_or_no_file(place: Path) -> None:
    assert len({*TRAVERSALS, *NAMES}) > 500
    for name in [*TRAVERSALS, *NAMES]:
        if name in FIRST_ROUND:
            assert read(place, name) == "hello"
            continue
        with pytest.raises(ToolHardError, match="file_reader_tool") as caught:
            read(place, name)
        assert SECRET not in str(caught.value)
        assert str(place.parent) not in str(caught.value).replace(name, "")


@pytest.mark.usefixtures("either_way")
def test_no_name_writes_outside_over_links_or_hidden_files(place: Path) -> None:
    before = everything(place.parent)
    made: set[str] = set()
    for name in [*TRAVERSALS, *NAMES]:
        try:
            write(place, name)
        except ToolHardError:
            continue
        # What looks like a way out in other systems' eyes is an ordinary name here.
        made.add(name)
    after = everything(place.parent)
    assert {path for path in after if after[path] != before.get(path)} <= {
        path for path in after if Path(path).is_relative_to(place)
    }
    unchanged = [path for path in before if not path.endswith("notes.txt")]
    assert {path: after[path] for path in unchanged} == {path: before[path] for path in unchanged}
    assert not any(name.startswith((".", "/", "~")) or ".." in name for name in made)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "./notes.txt",
        "data/deep/a.csv",
        "data//deep/a.csv",
        "link_in.txt",
        "link_relative.csv",
        "folder_in/deep/a.csv",
        "ABSOLUTE",
    ],
)
def test_a_name_below_the_folder_is_read(place: Path, name: str) -> None:
    asked = str(place / "notes.txt") if name == "ABSOLUTE" else name
    assert read(place, asked) in ("hello", "x,y\n1,2\n")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", ["new.txt", "made/on/the/way.md", "data/b.csv", "Grüße 世界.txt"])
def test_a_written_file_is_read_back(place: Path, name: str) -> None:
    assert write(place, name, "one\ntwo \N{SNOWMAN}\n") == f"Content written to {name}"
    assert read(place, name) == "one\ntwo \N{SNOWMAN}\n"
    assert not list(place.rglob("*.part"))


@pytest.mark.usefixtures("either_way")
def test_writing_replaces_the_content_keeps_the_permissions_and_follows_links_inside(
    place: Path,
) -> None:
    (place / "notes.txt").chmod(0o640)
    write(place, "link_in.txt", "replaced")
    assert (place / "notes.txt").read_text() == "replaced"
    assert stat.S_IMODE((place / "notes.txt").stat().st_mode) == 0o640
    assert (place / "link_in.txt").is_symlink()


@pytest.mark.usefixtures("either_way")
def test_a_write_that_fails_leaves_the_old_content_and_no_draft(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_module.os, "fsync", full)
    with pytest.raises(ToolHardError, match="no space left on device"):
        write(place, "notes.txt", "half")
    monkeypatch.undo()
    assert (place / "notes.txt").read_text() == "hello"
    assert not list(place.rglob("*.part"))


def test_a_folder_swapped_for_a_link_while_reading_leads_nowhere(place: Path) -> None:
    inside, outside = place / "race", place.parent / "outside"
    inside.mkdir()
    (inside / "secret.txt").write_text("harmless")
    parked, link = place / "parked", place / "link"
    link.symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            inside.rename(parked)
            link.rename(inside)
            inside.rename(link)
            parked.rename(inside)

    swapper = threading.Thread(target=swap, daemon=True)
    swapper.start()
    outcomes: set[str] = set()
    try:
        for _ in range(400):
            try:
                outcomes.add(read(place, "race/secret.txt"))
            except ToolHardError:
                outcomes.add("refused")
    finally:
        stop.set()
        swapper.join()
    assert SECRET not in outcomes
    assert "harmless" in outcomes
    assert outcomes <= {"harmless", "refused"}


def test_a_folder_swapped_for_a_link_between_check_and_walk_is_not_followed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "data" / "secret.txt").write_text("harmless")
    guarded = GuardedFolder.of(place, "test")
    parts = guarded._parts("data/secret.txt")
    (place / "data").rename(place / "elsewhere")
    (place / "data").symlink_to(place.parent / "outside")
    monkeypatch.setattr(GuardedFolder, "_parts", lambda *_: parts)
    with pytest.raises(ToolHardError, match="no folder, or is a link"):
        guarded.read("data/secret.txt", 1_000)
    with pytest.raises(ToolHardError, match="no folder, or is a link"):
        guarded.write("data/secret.txt", b"x")
    assert (place.parent / "outside" / "secret.txt").read_text() == SECRET


def test_a_pipe_and_a_socket_are_refused_at_once(place: Path) -> None:
    with pytest.raises(ToolHardError, match="no ordinary file"):
        read(place, "pipe")
    with pytest.raises(ToolHardError, match="no ordinary file"):
        write(place, "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(place)
        server.bind("sock")
        with pytest.raises(ToolHardError):
            read(place, "sock")


@pytest.fixture(autouse=True)
def _same_working_folder() -> Iterator[None]:
    before = Path.cwd()
    yield
    os.chdir(before)


def test_without_a_file_root_the_working_folder_is_used(place: Path) -> None:
    os.chdir(place)
    assert FileReaderTool().run(context(None), "notes.txt") == "hello"


def test_a_root_that_is_missing_or_a_file_is_an_error_that_names_the_setting(place: Path) -> None:
    for root in (place / "nowhere", place / "notes.txt"):
        with pytest.raises(ToolHardError, match="file_root"):
            read(root, "a.txt")


def test_the_messages_say_what_to_do(place: Path) -> None:
    told = {
        "missing.txt": "no such file",
        "data": "it is a folder",
        "../secret.txt": "may not stand in a name",
        "/etc/passwd": "use a name relative to it",
        "link_out.txt": "leads out of the folder",
        ".env": "starts with a dot",
        "hard.txt": "hard link",
        "a\\b": "use / between folders",
    }
    for name, words in told.items():
        with pytest.raises(ToolHardError) as caught:
            read(place, name)
        assert words in str(caught.value)
