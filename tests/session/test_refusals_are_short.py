"""A call that is refused says why in its message, and shows the caller's own line above it."""

from __future__ import annotations

import traceback

import pytest

from portia_nb import Config, Input, PlanBuilderV2, Portia, ToolHardError, tool
from portia_nb.errors import (
    InputsMissing,
    PlanCheckError,
    PlanError,
    PlanNotFoundError,
    PortiaBaseError,
)

MOST_FRAMES = 3
"""The caller's, the method's, and the one in which all wait for a run."""


@tool(side_effect=False)
def rate(currency: str) -> float:
    """Tell a rate."""
    if currency == "XXX":
        raise ToolHardError("no such currency")
    return 1.09


def plan_of(tool_id: str = "rate"):
    return (
        PlanBuilderV2()
        .input(name="currency")
        .invoke_tool_step(tool=tool_id, args={"currency": Input("currency")}, step_name="rate")
        .build()
    )


@pytest.fixture
def portia() -> Portia:
    return Portia(Config(store="memory"), tools=[rate()])


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda portia: portia.run_plan(plan_of("rat")), PlanCheckError),
        (lambda portia: portia.run_plan(plan_of()), InputsMissing),
        (lambda portia: portia.run_plan("plan-nope"), PlanNotFoundError),
        (lambda portia: portia.fork("prun-nope", "rate"), PortiaBaseError),
        (lambda portia: portia.resume("prun-nope"), PortiaBaseError),
    ],
)
def test_a_refused_call_shows_no_inner_frames(portia, call, kind):
    with pytest.raises(kind) as caught:
        call(portia)
    inner = [f for f in traceback.extract_tb(caught.value.__traceback__) if "portia_nb/" in f[0]]
    assert len([f for f in inner if "tests/" not in f.filename]) < MOST_FRAMES


def test_the_cause_of_a_refusal_is_named_without_its_frames(portia):
    run = portia.run_plan(plan_of(), plan_run_inputs={"currency": "EUR"})
    with pytest.raises(PlanError, match="retries can't be that") as caught:
        portia.fork(run, "rate", retries="many")
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is None


async def test_an_async_call_that_is_refused_shows_no_inner_frames(portia):
    with pytest.raises(PlanCheckError) as caught:
        await portia.arun_plan(plan_of("rat"))
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "check_plan" not in names


def test_the_log_has_the_frames_at_debug(tmp_path):
    log = tmp_path / "log.txt"
    config = Config(store="memory", default_log_level="DEBUG", default_log_sink=str(log))
    with pytest.raises(PlanCheckError):
        Portia(config, tools=[rate()]).run_plan(plan_of("rat"))
    assert "in check_plan" in log.read_text(encoding="utf-8")


def test_missing_inputs_are_named_and_count_as_a_value_error(portia):
    with pytest.raises(ValueError, match="the plan needs 'currency', and none came") as caught:
        portia.run_plan(plan_of())
    assert isinstance(caught.value, InputsMissing)
    assert caught.value.facts["missing"] == ("currency",)


def test_a_run_given_for_a_plan_is_told_apart_and_resume_named(portia):
    made = portia.create_plan_run(plan_of(), plan_run_inputs={"currency": "EUR"})
    for given in (made, made.id, str(made.id)):
        with pytest.raises(PlanNotFoundError, match=r"is a run, and a plan is needed") as caught:
            portia.run_plan(given)
        assert f"portia.resume(plan_run_id={str(made.id)!r})" in str(caught.value)
    assert portia.resume(str(made.id)).outputs["rate"].value == 1.09


def test_retry_takes_inputs_of_the_plan_as_fork_does(portia):
    failed = portia.run_plan(plan_of(), plan_run_inputs={"currency": "XXX"})
    assert failed.state == "FAILED"
    again = portia.retry(failed, inputs={"currency": "EUR"})
    assert (again.state, again.forked_from) == ("COMPLETE", failed.id)


async def test_aretry_takes_inputs_of_the_plan_as_afork_does(portia):
    failed = await portia.arun_plan(plan_of(), plan_run_inputs={"currency": "XXX"})
    again = await portia.aretry(failed, inputs={"currency": "EUR"})
    assert again.outputs["rate"].value == 1.09


def test_an_index_beyond_the_plan_is_refused_with_the_steps_counted_from_0(portia):
    run = portia.run_plan(plan_of(), plan_run_inputs={"currency": "EUR"})
    with pytest.raises(PortiaBaseError, match=r"no step 1 in this plan, counted from 0: 0 rate"):
        portia.fork(run, 1)
