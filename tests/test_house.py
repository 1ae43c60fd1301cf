"""What the project promises about itself: its map is true, and on CI nothing is skipped."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_architecture_lists_every_file_with_its_own_first_line():
    command = [sys.executable, "scripts/architecture.py", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("on_ci", "exit_code"), [(False, 0), (True, 1)])
def test_a_skipped_test_fails_on_ci_only(tmp_path: Path, on_ci: bool, exit_code: int):
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "conftest.py", tmp_path)
    shutil.copy(ROOT / "tests" / "environment.py", tmp_path / "tests")
    (tmp_path / "test_trial.py").write_text(
        "import pytest\ndef test_it():\n    pytest.skip('the moon is missing')\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | (
        {"CI": "1"} if on_ci else {}
    )
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "the moon is missing" in done.stdout


def test_tests_see_no_keys(tmp_path: Path):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "environment.py", tmp_path / "tests")
    (tmp_path / "test_trial.py").write_text(
        "import os\ndef test_it():\n"
        "    assert not {'TAVILY_API_KEY', 'PORTIA_STORE', 'OPENAI_BASE_URL'} & set(os.environ)\n"
    )
    keys = {"TAVILY_API_KEY": "tvly-1", "PORTIA_STORE": "memory", "OPENAI_BASE_URL": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path, env=os.environ | keys, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_try_has_a_limit_as_the_first_has(tmp_path: Path):
    (tmp_path / "tests" / "cli").mkdir(parents=True)
    shutil.copy(ROOT / "conftest.py", tmp_path)
    shutil.copy(ROOT / "tests" / "environment.py", tmp_path / "tests")
    (tmp_path / "tests" / "cli" / "test_trial.py").write_text(
        "import time\ndef test_it():\n    time.sleep(15)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--timeout=0.3", "-raR"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 rerun" in done.stdout
