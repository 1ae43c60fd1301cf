"""`as_portia`: what old imports find, in which order runs go, and whose place is never taken."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

import portia_nb
from portia_nb import AliasRefused, LeftOut
from portia_nb.alias.finder import OldPaths, homes_of
from portia_nb.alias.left_out import LEFT_OUT
from portia_nb.alias.names import HOMES, MODULES
from tests.environment import public_environment

ROOT = Path(__file__).parents[2]


def program(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run `source` in `folder`, which comes first where modules are looked for."""
    (folder / "main.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-W", "error", "main.py"],
        cwd=folder,
        env={**public_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


REFUSED = """
from portia_nb import AliasRefused, as_portia
try:
    as_portia()
except AliasRefused as error:
    print(error)
"""


def test_nothing_is_called_portia_until_it_is_asked_for(tmp_path: Path):
    done = program(tmp_path, "import portia_nb\nportia_nb.Portia\nimport portia")
    assert done.returncode == 1
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'portia'\n")


def test_a_real_portia_that_could_be_imported_keeps_its_place(tmp_path: Path):
    (tmp_path / "portia.py").write_text("raise SystemExit('imported')")
    done = program(tmp_path, REFUSED)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "portia.py") in done.stdout
    assert "change the import to `portia_nb` instead" in done.stdout


def test_a_portia_that_is_imported_already_keeps_its_place(tmp_path: Path):
    (tmp_path / "portia.py").write_text("")
    done = program(tmp_path, f"import portia\n{REFUSED}\nprint(portia.__file__)")
    assert "is imported already" in done.stdout, done.stderr
    assert done.stdout.endswith("portia.py\n")


def test_an_installed_sdk_keeps_its_place_even_where_it_can_not_be_imported(tmp_path: Path):
    facts = tmp_path / "portia_sdk_python-0.9.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: portia-sdk-python\nVersion: 0.9.0"
    )
    done = program(tmp_path, REFUSED)
    assert "portia-sdk-python 0.9.0 is installed here" in done.stdout, done.stderr
    assert "pip uninstall portia-sdk-python" in done.stdout


def test_a_folder_that_happens_to_be_called_portia_is_in_nobody_s_way(tmp_path: Path):
    (tmp_path / "portia").mkdir()
    done = program(tmp_path, f"{REFUSED}\nfrom portia import Plan\nprint(Plan.__module__)")
    assert done.stdout == "portia_nb.model.plan\n", done.stderr


def test_asking_twice_is_asking_once(portia: ModuleType):
    assert portia_nb.as_portia() is portia
    assert sum(isinstance(finder, OldPaths) for finder in sys.meta_path) == 1


def test_old_imports_cost_nothing_before_a_name_is_used(tmp_path: Path):
    source = """
import sys
from portia_nb import as_portia
as_portia()
import portia.plan, portia.tool_registry, portia.open_source_tools.registry
print([name for name in ("pydantic", "openai", "portia_nb.model.plan") if name in sys.modules])
"""
    assert program(tmp_path, source).stdout == "[]\n"


@pytest.mark.parametrize("path", ["", *MODULES])
def test_every_old_path_offers_our_names(portia: ModuleType, path: str):
    module = importlib.import_module(f"portia.{path}".rstrip("."))
    assert sorted(module.__all__) == sorted(homes_of(path))
    for name in module.__all__:
        found = getattr(module, name)
        assert name in HOMES or found is getattr(portia_nb, name)
    assert set(module.__all__) <= set(dir(module))


def test_a_star_import_brings_every_public_name(portia: ModuleType):
    assert set(portia_nb.__all__) - set(portia.__all__) == {
        "as_portia",
        "load_ipython_extension",
        "unload_ipython_extension",
    }
    assert portia.__version__ == portia_nb.__version__


def test_a_module_of_the_same_name_does_not_hide_the_decorator(portia: ModuleType):
    importlib.import_module("portia.tool")
    importlib.import_module("portia.logger")
    importlib.import_module("portia.portia")
    assert portia.tool is portia_nb.tool
    assert portia.logger() is portia.logger
    assert sys.modules["portia.tool"].Tool is portia_nb.Tool


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_what_is_left_out_says_so_and_why(portia: ModuleType, name: str):
    with pytest.raises(ImportError, match="is left out: ") as caught:
        importlib.import_module(f"portia.{name}")
    assert isinstance(caught.value, LeftOut)
    assert LEFT_OUT[name] in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("from portia import SUPPORTED_OPENAI_MODELS", "no list of models is kept"),
        ("from portia.config import SUPPORTED_MISTRALAI_MODELS", "no list of models is kept"),
        ("from portia.model import OpenAIGenerativeModel", "give the model as text"),
        ("from portia.storage import PortiaCloudStorage", "a cloud service that is closed"),
        ("import portia.cloud.client", "a cloud service that is closed"),
        ("from portia import Plann", "did you mean 'Plan'?"),
        ("from portia.plan import PlanUID", "did you mean 'PlanUUID'?"),
        ("from portia.tools_registry import ToolRegistry", "did you mean 'tool_registry'?"),
        ("from portia import quite_another_thing", "docs/migrating.md lists what there is"),
    ],
)
def test_an_import_of_what_is_not_here_says_why_in_the_import_error(
    tmp_path: Path, statement: str, said: str
):
    done = program(tmp_path, f"from portia_nb import as_portia\nas_portia()\n{statement}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("portia_nb.errors.LeftOut: portia.")
    assert said in last


def test_looking_for_a_name_that_is_not_there_is_no_import_error(portia: ModuleType):
    assert not hasattr(portia, "Plann")
    with pytest.raises(AttributeError, match="did you mean 'Plan'"):
        _ = portia.Plann


def test_old_code_may_fall_back_on_something_else(portia: ModuleType):
    with pytest.raises(ImportError):
        importlib.import_module("portia.telemetry.telemetry_service")
    assert not issubclass(AliasRefused, AttributeError)


def test_runs_made_through_old_names_go_in_the_order_of_the_plan(portia: ModuleType):
    running: list[str] = []
    together: list[list[str]] = []
    both = threading.Barrier(2)

    def note(name: str) -> str:
        running.append(name)
        if portia_parallel:
            both.wait(5)
        together.append(list(running))
        running.remove(name)
        return name

    def plan() -> portia_nb.Plan:
        builder = portia.PlanBuilderV2()
        for name in "ab":
            builder.function_step(function=note, args={"name": name}, side_effect=False)
        return builder.build()

    portia_parallel = False
    run = portia.Portia(portia.Config(store="memory"), tools=[]).run_plan(plan())
    assert run.state == portia.PlanRunState.COMPLETE
    assert together == [["a"], ["b"]]

    together.clear()
    portia_parallel = True
    config = portia.Config(store="memory", max_parallel_steps=2)
    assert portia.Portia(config, tools=[]).run_plan(plan()).state == "COMPLETE"
    assert [len(names) for names in together] == [2, 1] or [len(n) for n in together] == [2, 2]


def test_settings_made_through_old_names_run_one_step_at_a_time_unless_they_say_otherwise(
    portia: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    for config in (
        portia.Config(),
        portia.Config.from_default(),
        portia.default_config(),
        portia.Portia().config,
        portia.Portia().with_config(no_ask=True).config,
    ):
        assert config.max_parallel_steps == 1
        assert isinstance(config, portia_nb.Config)
    assert portia.Config(max_parallel_steps=3).max_parallel_steps == 3
    assert portia.Portia(portia_nb.Config()).config.max_parallel_steps == 64
    monkeypatch.setenv("PORTIA_MAX_PARALLEL_STEPS", "5")
    assert portia.Portia().config.max_parallel_steps == 5
    assert portia_nb.Config().max_parallel_steps == 64


def test_the_old_logger_is_called_or_not_as_old_code_likes(
    portia: ModuleType, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(5, logger="portia_nb"):
        logging.getLogger("portia_nb").propagate = True
        portia.logger().info("one %d", 1)
        importlib.import_module("portia.logger").logger.trace("two")
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [(20, "one 1"), (5, "two")]
