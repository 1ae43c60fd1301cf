"""References and literals: found where a person wrote them, never in data."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from portia_nb.model.reference import (
    DictOf,
    Input,
    ListOf,
    Parts,
    StepOutput,
    Value,
    read_argument,
    references,
    show,
    split_text,
    to_argument,
    with_step_names,
    write_argument,
)


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ("plain", Value("plain")),
        (7, Value(7)),
        (None, Value(None)),
        ([1, "a"], Value([1, "a"])),
        ((1, 2), Value((1, 2))),
        ({"a": 1}, Value({"a": 1})),
        ({1: "a"}, Value({1: "a"})),
        ({1, 2}, Value({1, 2})),
        (StepOutput("a"), StepOutput("a")),
        (Input("b", path="c.0"), Input("b", path="c.0")),
        (f"{StepOutput('a')}", Parts((StepOutput("a"),))),
        (f"x {Input('b')} y", Parts(("x ", Input("b"), " y"))),
        (f"{StepOutput(-1, path='p', full=True)}!", Parts((StepOutput(-1, "p", True), "!"))),
        (f"{StepOutput('a'):>9}", Parts((StepOutput("a"),))),
        ([1, StepOutput("a")], ListOf((Value(1), StepOutput("a")))),
        ({"k": [Input("b")]}, DictOf({"k": ListOf((Input("b"),))})),
        ([Value(1)], ListOf((Value(1),))),
    ],
    # A number, since a reference in text is written differently in each process.
    ids=range(17),
)
def test_to_argument_finds_references_wherever_they_are_written(given, argument):
    assert to_argument(given) == argument


def test_a_literal_stays_the_object_that_was_given():
    rows = [{"a": 1}]
    assert to_argument(rows).value is rows


@pytest.mark.parametrize(
    "given",
    [{1: StepOutput("a")}, {StepOutput("a"): 1}, {f"{StepOutput('a')}": 1}, {StepOutput("a")},
     {"x": {2: [Input("b")]}}],
)  # fmt: skip
def test_a_reference_that_would_never_be_looked_up_is_refused(given):
    with pytest.raises(ValueError, match="can't be looked up"):
        to_argument(given)


names = st.text(max_size=30)
paths = st.none() | st.text(min_size=1, max_size=20)
step_outputs = st.builds(StepOutput, names | st.integers(), paths, st.booleans())
refs = step_outputs | st.builds(Input, names, paths)


@given(st.lists(st.text(max_size=20) | refs, max_size=6))
def test_references_come_back_out_of_text_whatever_they_are_called(parts):
    text = "".join(part if isinstance(part, str) else f"{part}" for part in parts)
    found = split_text(text)
    assert [p for p in found if not isinstance(p, str)] == [
        p for p in parts if not isinstance(p, str)
    ]
    assert "".join(p if isinstance(p, str) else str(p) for p in found) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
arguments = st.recursive(
    st.builds(Value, json_values)
    | st.builds(StepOutput, names, paths, st.booleans())
    | st.builds(Input, names, paths),
    lambda inner: (
        st.builds(lambda items: ListOf(tuple(items)), st.lists(inner, max_size=3))
        | st.builds(DictOf, st.dictionaries(st.text(), inner, max_size=3))
    ),
    max_leaves=6,
)


@given(arguments)
def test_arguments_round_trip_through_json(argument):
    assert read_argument(json.loads(json.dumps(write_argument(argument)))) == argument


@given(st.lists(st.text() | refs.filter(lambda r: isinstance(r, Input)), max_size=4))
def test_text_with_references_round_trips_through_json(parts):
    argument = Parts(tuple(parts))
    assert read_argument(json.loads(json.dumps(write_argument(argument)))) == argument


@pytest.mark.parametrize("value", [(1, 2), b"x", Decimal("0.1"), float("nan"), {1: "a"}, {"$": 1}])
def test_values_beyond_json_are_kept_by_their_codec(value):
    written = write_argument(Value(value))
    assert written["codec"] is True
    back = read_argument(json.loads(json.dumps(written))).value
    assert repr(back) == repr(value)


class Loud:
    def __eq__(self, other):
        raise RuntimeError("compared")

    __hash__ = None


def test_writing_a_value_never_compares_it():
    assert write_argument(Value(Loud()))["codec"] is True


FORGERIES = [
    "{{ StepOutput('x') }}",
    "{{ StepOutput('x')# }}",
    "{{ StepOutput('x')#000000000000 }}",
    "{{ Input('key')#deadbeefcafe }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "${7*7} #{7*7} <%= 7*7 %> {0.__class__} {self} %(x)s",
    '{"step": "x"}',
    '{"input": "x", "path": "y"}',
]


@pytest.mark.parametrize("text", FORGERIES)
def test_data_that_looks_like_a_reference_stays_text(text):
    assert to_argument(text) == Value(text)
    # Neither does a true reference beside it make it one.
    parts = to_argument(f"{StepOutput('a')}{text}").parts
    assert parts == (StepOutput("a"), text)


@given(json_values)
def test_no_data_becomes_a_reference(data):
    assert list(references(to_argument(data))) == []


@pytest.mark.parametrize(
    "data",
    [{"step": "x"}, {"input": "x"}, {"parts": ["a"]}, {"list": []}, {"value": {"step": "x"}}],
)
def test_a_literal_dict_that_looks_like_an_argument_stays_a_literal(data):
    argument = to_argument(data)
    assert argument == Value(data)
    assert read_argument(write_argument(argument)) == Value(data)
    assert list(references(argument)) == []


@given(st.text(alphabet="{} StepOutput()Input#'\\\"0123456789abcdef", max_size=80))
def test_text_made_of_the_pieces_of_a_token_stays_text(text):
    assert to_argument(text) == Value(text)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("x", "an argument is a dict"),
        (7, "an argument is a dict"),
        ({}, "found none"),
        ({"value": 1, "step": "a"}, "found 'step', 'value'"),
        ({"value": 1, "codec": False}, "exactly one"),
        ({"step": 3}, "a name is text"),
        ({"step": "a", "path": 3}, "a name is text"),
        ({"input": None}, "a name is text"),
        ({"parts": 5}, "a list is needed"),
        ({"parts": [{"value": 1}]}, "only text and references"),
        ({"list": {"a": 1}}, "a list is needed"),
        ({"dict": [1]}, "a dict is needed"),
        ({"dict": {"a": 1}}, "an argument is a dict"),
        ({"template": "{{x}}"}, "exactly one"),
    ],
)
def test_anything_else_is_no_argument(data, says):
    with pytest.raises(ValueError, match=says):
        read_argument(data)


def test_steps_are_renamed_everywhere():
    before = to_argument({"a": [StepOutput(0), f"x {StepOutput(0)}"], "b": Input("i"), "c": 1})
    after = with_step_names(before, lambda step: f"named_{step}")
    assert [r.step for r in references(after) if isinstance(r, StepOutput)] == ["named_0"] * 2
    assert after.entries["b"] == Input("i")


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (StepOutput("a", path="b.0"), "$a.b.0"),
        (StepOutput("a", full=True), "$a[*]"),
        (Input("$a"), "$a"),
        (Parts(("in ", Input("a"), "!")), "in $a!"),
        (ListOf((Value(1), StepOutput("a"))), "[1, $a]"),
        (DictOf({"k": Value("v")}), "{k: v}"),
        (Value(None), "None"),
    ],
)
def test_arguments_show_themselves_to_people(argument, text):
    assert show(argument) == text
