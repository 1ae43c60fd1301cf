"""N24: answers that the settings give, to calls in Python too."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, InvalidConfigError, Plan, PlanBuilderV2, PlanRunState
from portia_nb.errors import InvalidOption
from portia_nb.session.answering import standing_answers
from tests.session.stage import portia


def asking() -> Plan:
    return (
        PlanBuilderV2()
        .user_input(message="Which?", options=["Rome", "Oslo"], step_name="city")
        .user_input(message="How many?", answer_type=int, step_name="count")
        .build()
    )


@pytest.mark.parametrize("kind", ["dict", "json", "file"])
def test_a_python_call_takes_the_answers_of_its_settings(tmp_path: Path, kind: str):
    answers = {"city": "Oslo", "count": "3"}
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(answers))
    given: Any = {"dict": answers, "json": json.dumps(answers), "file": str(file)}[kind]
    run = portia(answers=given).run_plan(asking())
    assert run.state is PlanRunState.COMPLETE
    assert run.outputs["city"].value == "Oslo" and run.outputs["count"].value == 3
    heard = [each.answered_by for each in run.outputs.clarifications]
    assert heard == ["the setting answers"] * 2


def test_a_waiting_run_is_resumed_with_them(tmp_path: Path):
    run = portia(str(tmp_path)).run_plan(asking())
    assert run.state is PlanRunState.NEED_CLARIFICATION
    later = portia(str(tmp_path), answers={"city": "Oslo", "count": 3})
    assert later.resume(run, plan=asking()).state is PlanRunState.COMPLETE


def test_one_that_does_not_fit_leaves_the_question_open_and_is_not_shown(
    caplog: pytest.LogCaptureFixture,
):
    with caplog.at_level(logging.WARNING, logger="portia_nb"):
        run = portia(answers={"city": "Berne"}).run_plan(asking())
    assert run.state is PlanRunState.NEED_CLARIFICATION
    assert "the answer declared for city doesn't fit" in caplog.text
    assert "Berne" not in caplog.text


def test_the_environment_gives_them_too_and_what_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PORTIA_ANSWERS", '{"city": "Oslo"}')
    assert standing_answers(Config.from_default()) == {"city": "Oslo"}
    monkeypatch.setenv("PORTIA_ANSWERS", '{"city": ')
    with pytest.raises(InvalidConfigError, match="PORTIA_ANSWERS in the environment"):
        Config.from_default()
    monkeypatch.setenv("PORTIA_ANSWERS", str(tmp_path / "none.json"))
    with pytest.raises(InvalidOption, match="PORTIA_ANSWERS in the environment"):
        standing_answers(Config.from_default())
