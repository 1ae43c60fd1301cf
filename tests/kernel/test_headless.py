"""Notebooks that run with nobody there: nbclient, papermill, and what they leave behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat.v4 import new_code_cell, new_notebook

from tests.environment import is_private
from tests.kernel.conftest import ROOT
from tests.kernel.story import SETTING, calls

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder, with an environment for kernels that holds no key."""
    for name in filter(is_private, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
    return tmp_path


def notebook(*cells: str):
    return new_notebook(cells=[new_code_cell(cell) for cell in ("%load_ext portia_nb", *cells)])


def execute(folder: Path, *cells: str):
    """Execute a notebook as nbclient does; return it and the error that ended it, if one did."""
    client = nbclient.NotebookClient(
        notebook(SETTING, *cells),
        timeout=40,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        return client.execute(), None
    except nbclient.exceptions.CellExecutionError as error:
        return client.nb, error


def test_the_saved_notebook_holds_the_final_state_and_no_widget(alone: Path):
    done, error = execute(alone, "%portia run going", "portia.run_plan(going).state")
    assert error is None
    for cell in done.cells[2:]:
        shown = next(o for o in cell.outputs if o.output_type == "display_data")
        assert WIDGET not in shown.data
        assert "done" in shown.data["text/plain"]
        assert '<img src="data:image/svg+xml' in shown.data["text/html"]
    html, _ = HTMLExporter().from_notebook_node(done)
    assert "data:image/svg+xml" in html
    markdown, _ = MarkdownExporter().from_notebook_node(done)
    assert "awaited" in markdown


def test_a_question_that_nobody_can_answer_stops_the_notebook_at_once(alone: Path):
    """N24: and an answer whose name is misspelt is named beside the question."""
    line = "%portia run asking -o result --answer town=Oslo"
    done, error = execute(alone, line, "Path('never').touch()")
    assert error is not None
    assert error.ename == "WaitingForAnswer"
    assert "no question asked for town" in str(error)
    assert "%portia resume prun-" in str(error)
    assert not (alone / "never").exists()
    assert calls(alone) == ["quick"]
    assert "needs you" in str(done.cells[2].outputs)


def test_declared_answers_and_approval_let_it_run_through(alone: Path):
    done, error = execute(
        alone,
        "%portia run asking -o result --answer city=Oslo",
        "%portia run sending --yes",
        "print(result.outputs['city'].value)",
    )
    assert error is None
    assert calls(alone)[-1] == "send hello"
    assert done.cells[-1].outputs[0].text == "Oslo\n"


def test_a_questions_own_default_is_taken(alone: Path):
    _, error = execute(
        alone,
        "plan = PlanBuilderV2('x').user_input(message='Which?', step_name='q', default='mine')"
        ".build()\nresult = %portia run plan\nPath('answer').write_text(result.outputs['q'].value)",
    )
    assert error is None
    assert (alone / "answer").read_text() == "mine"


def test_the_environment_forces_headless_even_where_stdin_is_allowed(start_kernel):
    kernel = start_kernel(environment={"PORTIA_NO_ASK": "1"})
    kernel.run(f"%load_ext portia_nb\n{SETTING}").raise_for_error()
    done = kernel.run("%portia run asking", answers=[])
    assert done.ename == "WaitingForAnswer"
    assert done.seconds < 2.5


def write(folder: Path, name: str, *cells: str) -> Path:
    """Write a notebook with a cell of parameters, as papermill fills one in."""
    book = notebook(SETTING, *cells)
    parameters = new_code_cell("answers = {}", metadata={"tags": ["parameters"]})
    book.cells.insert(1, parameters)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(book, folder / name)
    return folder / name


def program(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Start one of the programs of this environment in `folder`."""
    place = Path(sys.executable).parent
    return subprocess.Popen(
        [str(place / words[0]), *words[1:]],
        cwd=folder,
        env={**os.environ, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(120)
def test_papermill_and_jupyter_execute_finish_with_answers_and_stop_without(alone: Path):
    """N24: by parameters, by the environment, and not at all; each program's own exit status."""
    show = "Path('answer').write_text(result.outputs['city'].value)"
    source = write(alone, "in.ipynb", "%portia run asking -o result --answers answers", show)
    folders = [alone / name for name in ("filled", "environment", "nobody")]
    for each in folders:
        each.mkdir()
        (each / "pyproject.toml").write_text("[project]\nname = 'trial'\nversion = '0'\n")
    filled, environment, nobody = folders
    copied = environment / "in.ipynb"
    copied.write_bytes(source.read_bytes())
    papermill = ("papermill", str(source), "out.ipynb", "--execution-timeout=90")
    processes = [
        program(filled, *papermill, "-y", "answers: {city: Oslo, colour: red}"),
        program(
            environment,
            *("jupyter-execute", "in.ipynb", "--inplace", "--timeout=90", "--kernel_name=python3"),
            PORTIA_ANSWERS='{"city": "Rome"}',
        ),
        program(nobody, *papermill),
    ]
    said = [each.communicate(timeout=110)[0] for each in processes]
    statuses = [each.returncode for each in processes]

    assert statuses[:2] == [0, 0], said
    assert (filled / "answer").read_text() == "Oslo"
    assert "No question asked for colour" in (filled / "out.ipynb").read_text()
    assert (environment / "answer").read_text() == "Rome"
    assert statuses[2] not in (0, None), said[2]
    assert not (nobody / "answer").exists()
    for text in (said[2], (nobody / "out.ipynb").read_text().replace('\\"', '"')):
        assert "WaitingForAnswer" in text
        assert re.search(r"%portia resume prun-[\w-]+ --answer city=VALUE", text)
        assert """PORTIA_ANSWERS='{"city": "VALUE"}'""" in text
