import pytest

from portia_nb.llm.wire import Unfit, parse_json


@pytest.mark.parametrize("text", ['{"x": NaN}', "[Infinity]", "-Infinity", "", "  ", "{'x': 1}"])
def test_what_python_takes_for_json_and_json_does_not_is_refused(text):
    with pytest.raises(Unfit):
        parse_json(text)


READABLE = {
    '{"x": 1}': {"x": 1},
    " [1, 2] ": [1, 2],
    "7": 7,
    'Sure! {"x": {"y": 1}} Done.': {"x": {"y": 1}},
    '```\n{"x": 1}\n```': {"x": 1},
    '{"a": "\\ud83d\\ude00"}': {"a": "😀"},
    '{"\\udfff": ["\\ud800!"]}': {"\ufffd": ["\ufffd!"]},
}


@pytest.mark.parametrize(("text", "value"), READABLE.items(), ids=range(len(READABLE)))
def test_json_is_read_wherever_it_stands(text, value):
    assert parse_json(text) == value
