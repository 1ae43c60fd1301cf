"""The old ``portia.storage``, over our stores and over the folders of old programs."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from portia_nb import PlanNotFoundError, PlanRunNotFoundError

PAGE = Path(__file__).parents[1] / "stories" / "page"
PLAN = "plan-1dcd74a4-0af5-490a-a7d0-0df4fd983977"
RUN = "prun-18d9aa91-0066-413f-af32-b979bce89821"


@pytest.fixture
def storage(portia: ModuleType) -> ModuleType:
    return importlib.import_module("portia.storage")


def test_a_disk_storage_finds_the_files_that_the_reference_wrote(
    storage: ModuleType, tmp_path: Path
):
    folder = shutil.copytree(PAGE, tmp_path / "runs")
    disk = storage.DiskFileStorage(storage_dir=str(folder))
    assert disk.get_plan(PLAN).plan_context.query.startswith("Which stock price grew faster")
    run = disk.get_plan_run(RUN)
    disk.close()
    assert json.loads(run.model_dump_json()) == json.loads((folder / f"{RUN}.json").read_text())


def test_a_disk_storage_and_a_disk_config_see_the_same_runs(
    portia: ModuleType, storage: ModuleType, tmp_path: Path
):
    config = portia.Config(storage_class=portia.StorageClass.DISK, storage_dir=str(tmp_path / "d"))
    runner = portia.Portia(config, tools=[])
    run = runner.run_plan(portia.PlanBuilderV2().function_step(function=lambda: 7).build())
    runner.store.close()
    disk = storage.DiskFileStorage(tmp_path / "d")
    assert disk.get_plan_run(run.id).outputs.final_output.value == 7
    disk.close()


def test_a_config_of_an_old_folder_says_how_its_files_are_taken_in(
    portia: ModuleType, tmp_path: Path
):
    folder = shutil.copytree(PAGE, tmp_path / "runs")
    config = portia.Config(storage_class=portia.StorageClass.DISK, storage_dir=folder)
    runner = portia.Portia(config, tools=[])
    with pytest.raises(PlanNotFoundError, match=f"{PLAN}.json beside it can be") as caught:
        runner.run_plan(PLAN)
    assert f"portia-nb store import {folder}" in str(caught.value)
    with pytest.raises(PlanRunNotFoundError, match=f"{RUN}.json beside it can be"):
        runner.get_run(RUN)
    with pytest.raises(PlanRunNotFoundError) as caught:
        runner.get_run(f"{RUN[:-1]}0")
    assert "beside" not in str(caught.value)
    runner.storage.import_folder(folder)
    assert runner.get_run(RUN).state == "COMPLETE"
    runner.store.close()


def test_a_disk_storage_without_a_folder_is_where_runs_are_kept(
    portia: ModuleType, storage: ModuleType, project: Path
):
    runner = portia.Portia(tools=[])
    run = runner.run_plan(portia.PlanBuilderV2().function_step(function=lambda: 7).build())
    disk = storage.DiskFileStorage()
    assert disk.get_plan_runs().results == [run]
    disk.close()
    runner.store.close()
    assert (project / ".portia" / "journal.sqlite").exists()


def test_a_storage_in_memory_keeps_what_it_is_given(portia: ModuleType, storage: ModuleType):
    memory = storage.InMemoryStorage()
    with pytest.raises(PlanNotFoundError):
        memory.get_plan(PLAN)
    plan = portia.Plan.model_validate_json((PAGE / f"{PLAN}.json").read_text())
    memory.save_plan(plan)
    assert memory.get_plan(PLAN) == plan
    run = portia.PlanRun.model_validate_json((PAGE / f"{RUN}.json").read_text())
    with pytest.raises(PlanRunNotFoundError):
        memory.get_plan_run(RUN)
    memory.save_plan_run(run)
    assert memory.get_plan_run(RUN) == run
    assert memory.get_plan_runs(portia.PlanRunState.COMPLETE).count == 1
