"""Which steps a step waits for."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from portia_nb.errors import StepNotFoundError
from portia_nb.model.order import Waits, effective_side_effect, waits
from portia_nb.model.plan import (
    InvokeToolStep,
    LLMStep,
    Plan,
    PlanInput,
    UserInputStep,
    UserVerifyStep,
    Variable,
)
from portia_nb.model.reference import StepOutput, Value


def step(name, *needs, side_effect=None, after=()):
    args = {f"a{i}": StepOutput(other) for i, other in enumerate(needs)}
    return InvokeToolStep(name=name, tool_id="t", args=args, side_effect=side_effect, after=after)


def reader(name, *needs, **more):
    return step(name, *needs, side_effect=False, **more)


def waits_of(*steps, **options):
    return waits(Plan(steps=steps), lambda s: effective_side_effect(s, None), **options)


@pytest.mark.parametrize(
    ("own", "declared", "effective"),
    [
        (None, None, None),
        (None, True, True),
        (None, False, False),
        (True, None, True),
        (True, False, True),
        (False, None, False),
        (False, True, True),  # a plan can't talk a tool down
    ],
)
def test_a_step_can_say_more_than_its_tool_but_not_less(own, declared, effective):
    assert effective_side_effect(step("s", side_effect=own), declared) is effective


def test_model_steps_and_questions_only_read():
    assert effective_side_effect(LLMStep(task="t", output="$x"), None) is False
    assert effective_side_effect(LLMStep(task="t", output="$x", side_effect=True), None) is True
    assert effective_side_effect(UserVerifyStep(output="$x", message=Value("?")), True) is False


def test_readers_wait_only_for_what_they_refer_to():
    found = waits_of(reader("a"), reader("b"), reader("c", "b", "a"), reader("d", after=("b",)))
    assert found == {
        "a": Waits((), ()),
        "b": Waits((), ()),
        "c": Waits(("a", "b"), ()),
        "d": Waits(("b",), ()),
    }


@pytest.mark.parametrize("side_effect", [None, True])
def test_a_step_that_may_change_the_world_keeps_its_place(side_effect):
    found = waits_of(reader("a"), reader("b"), step("w", side_effect=side_effect), reader("c"))
    assert found["w"] == Waits((), ("a", "b"))
    assert found["c"] == Waits((), ("w",))


def test_questions_keep_their_place_even_where_nothing_is_assumed():
    ask = UserVerifyStep(name="ok", message=Value("?"))
    pick = UserInputStep(name="pick", message=Value("?"))
    found = waits_of(reader("a"), ask, reader("b"), pick, assume_side_effects=False)
    assert found["ok"].place == ("a",)
    assert found["b"].place == ("ok",)
    assert found["pick"].place == ("b",)


def test_undeclared_steps_are_free_where_side_effects_are_not_assumed():
    found = waits_of(step("a"), step("b"), assume_side_effects=False)
    assert found["b"] == Waits((), ())
    found = waits_of(step("a"), step("b", side_effect=True), assume_side_effects=False)
    assert found["b"] == Waits((), ("a",))


def test_sequential_makes_every_step_wait_for_the_one_before():
    found = waits_of(reader("a"), reader("b"), reader("c", "a"), sequential=True)
    assert [w.place for w in found.values()] == [(), ("a",), ("b",)]


def test_places_that_data_implies_are_not_named_again():
    found = waits_of(step("w"), reader("a", "w"), reader("b", "a"), step("x", "b"))
    assert found["a"] == Waits(("w",), ())
    assert found["b"] == Waits(("a",), ())  # a waits for w already
    assert found["x"] == Waits(("b",), ())


def test_names_of_plan_inputs_are_no_steps():
    plan = Plan(
        steps=[LLMStep(task="t", output="$x", inputs=(Variable(name="$city"),))],
        plan_inputs=[PlanInput(name="city")],
    )
    assert waits(plan, lambda _: False)["x"] == Waits((), ())


def test_a_name_of_nothing_is_refused():
    with pytest.raises(StepNotFoundError, match="'x' refers to 'nobody'"):
        waits_of(reader("x", "nobody"))
    with pytest.raises(StepNotFoundError, match="'city'"):
        plan = Plan(steps=[reader("x", after=("city",))], plan_inputs=[PlanInput(name="city")])
        waits(plan, lambda _: False)


@st.composite
def random_steps(draw):
    count = draw(st.integers(1, 12))
    made = []
    for i in range(count):
        needs = draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else []
        made.append(
            step(
                f"s{i}", *(f"s{n}" for n in needs), side_effect=draw(st.sampled_from([None, False]))
            )
        )
    return made


@given(random_steps())
def test_few_places_say_the_same_as_the_whole_rule(steps):
    found = waits_of(*steps)
    reach: dict[str, set[str]] = {}
    for name, w in found.items():
        reach[name] = {*w.data, *w.place}.union(*(reach[o] for o in (*w.data, *w.place)))
    for i, later in enumerate(steps):
        for earlier in steps[:i]:
            if later.side_effect is None or earlier.side_effect is None:
                assert earlier.name in reach[later.name]
    for name, w in found.items():
        for place in w.place:  # none is implied by another
            others = {*w.data, *w.place} - {place}
            assert not any(place in reach[other] for other in others), name


@pytest.mark.parametrize("side_effect", [None, False])
def test_ten_thousand_steps_are_ordered_in_linear_time(side_effect):
    def seconds(count):
        chain = [step(f"s{i}", *([f"s{i - 1}"] if i else []), side_effect=side_effect)
                 for i in range(count)]  # fmt: skip
        plan = Plan(steps=chain)
        times = []
        for _ in range(5):
            began = time.process_time()
            found = waits(plan, lambda _: side_effect)
            times.append(time.process_time() - began)
        assert all(found[b.name].data == (a.name,) for a, b in pairwise(chain))
        return min(times)

    # 50 ms is the promise on an idle machine; quadratic work would take seconds on any.
    assert seconds(10_000) < 0.15
