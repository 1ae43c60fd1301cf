"""Inputs of plans and of runs, in every shape that callers know."""

import logging

import pytest

from portia_nb.model.plan import Plan, PlanInput
from portia_nb.planning.inputs import read_plan_inputs, read_plan_run_inputs

PLAN = Plan(
    plan_inputs=[
        PlanInput(name="city", description="where"),
        PlanInput(name="$unit", value="°C"),
    ]
)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"city": "Oslo"}, {"city": "Oslo", "unit": "°C"}),
        ({"$city": "Oslo", "unit": "K"}, {"city": "Oslo", "unit": "K"}),
        ({"name": "city", "value": "Oslo"}, {"city": "Oslo", "unit": "°C"}),
        ([{"name": "$city", "value": "Oslo"}], {"city": "Oslo", "unit": "°C"}),
        (({"name": "city", "value": 1, "description": "d"},), {"city": 1, "unit": "°C"}),
        (PlanInput(name="city", value="Oslo"), {"city": "Oslo", "unit": "°C"}),
        ([PlanInput(name="city", value="Oslo"), PlanInput(name="unit")],
         {"city": "Oslo", "unit": "°C"}),
        ([PlanInput(name="city", value="O"), {"name": "unit", "value": "K"}],
         {"city": "O", "unit": "K"}),
        ({"city": None}, {"city": None, "unit": "°C"}),
        ([PlanInput(name="city", value=None)], {"city": None, "unit": "°C"}),
    ],
)  # fmt: skip
def test_values_are_read_in_every_shape(given, values):
    assert read_plan_run_inputs(given, PLAN) == values


def test_a_plan_without_inputs_needs_none():
    assert read_plan_run_inputs(None, Plan()) == {}


def test_inputs_that_are_called_name_and_value_are_read_by_name():
    plan = Plan(plan_inputs=[PlanInput(name="name"), PlanInput(name="value")])
    assert read_plan_run_inputs({"name": "a", "value": "b"}, plan) == {"name": "a", "value": "b"}


@pytest.mark.parametrize("given", [None, {}, [], {"unit": "K"}, [PlanInput(name="city")]])
def test_missing_inputs_are_listed(given):
    with pytest.raises(ValueError, match=r"'city' \(where\).*plan_run_inputs=\{'city': …\}"):
        read_plan_run_inputs(given, PLAN)


def test_unknown_inputs_are_logged_and_ignored(caplog):
    with caplog.at_level(logging.WARNING, logger="portia_nb"):
        found = read_plan_run_inputs({"city": "Oslo", "unitt": "K", "zzz": 1}, PLAN)
    assert found == {"city": "Oslo", "unit": "°C"}
    assert "'unitt' is ignored" in caplog.text
    assert "did you mean 'unit'?" in caplog.text
    assert "'zzz' is ignored: the plan takes 'city' (where), 'unit'" in caplog.text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("city", "not str"),
        (5, "not int"),
        ([5], "a list that holds 5"),
        ([{"city": "Oslo"}], "a list that holds"),
        ([{"name": "city"}], "without a 'value'"),
        ({1: "a"}, "an input's name is text"),
        ([{"name": None, "value": 1}], "an input's name is text"),
        ({"city": 1, "$city": 2}, "given twice"),
        ([{"name": "city", "value": 1}, PlanInput(name="city", value=2)], "given twice"),
    ],
)
def test_other_shapes_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        read_plan_run_inputs(given, PLAN)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, []),
        ("$city", ["city"]),
        (["a", "$b"], ["a", "b"]),
        ({"a": 1, "b": 2}, ["a", "b"]),
        ({"name": "a", "description": "d"}, ["a"]),
        ([{"name": "$a", "value": 5}], ["a"]),
        (PlanInput(name="$a"), ["a"]),
        ((PlanInput(name="a"), "b"), ["a", "b"]),
    ],
)
def test_inputs_are_declared_in_every_shape(given, names):
    assert [made.name for made in read_plan_inputs(given)] == names


def test_a_declared_input_keeps_its_description_and_default_and_no_other_value():
    one, two = read_plan_inputs(
        [PlanInput(name="a", description="d", value=1), {"name": "b", "value": 2}]
    )
    assert (one.description, one.value) == ("d", 1)
    assert two.value is None


@pytest.mark.parametrize("given", [5, [5], [{"city": 1}], [{"name": 3}], [None]])
def test_what_declares_no_input_is_refused(given):
    with pytest.raises(ValueError, match="input"):
        read_plan_inputs(given)
