"""The Python of README.md, run from top to bottom as a reader would, in one namespace."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.servers.openai_server import OpenAIServer
from tests.servers.tavily_server import TavilyServer

from .programs import ROOT, environment_of, output_of
from .test_the_page import answer

README = ROOT / "README.md"


def python_of(text: str) -> str:
    """Return the blocks marked as Python, each line where it stands in `text`."""
    lines: list[str] = []
    is_python = False
    for line in text.splitlines():
        if re.match(r"\s*```", line):
            is_python = not is_python and line.strip() == "```python"
            line = ""
        lines.append(line if is_python else "")
    return "\n".join(lines) + "\n"


def test_only_python_is_taken_and_stays_on_its_line():
    text = "# a\n```console\n$ make\n```\n```python\nb = 1\n```\nc\n```python\nd = b\n```\n"
    assert python_of(text).splitlines() == ["", "", "", "", "", "b = 1", "", "", "", "d = b", ""]


@pytest.mark.timeout(60)
def test_the_examples_of_the_readme_run_and_print_what_they_promise(project: Path):
    source = python_of(README.read_text(encoding="utf-8"))
    assert source.count("portia.run_plan(") >= 2, "the examples were found"
    with OpenAIServer(answer) as openai, TavilyServer() as tavily:
        out = output_of(project, source, variables=environment_of(openai, tavily))
        assert len(openai.requests) == 3
        assert len(tavily.requests) == 2
    run, end = json.JSONDecoder().raw_decode(out)
    assert run["state"] == "COMPLETE"
    assert list(run["outputs"]["step_outputs"]) == [f"$step_{i}_output" for i in range(3)]
    assert [float(each) for each in out[end:].split()] == pytest.approx([109, 1406.1, 1362.5])
