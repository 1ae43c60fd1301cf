"""JSON in pieces is the same JSON."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from portia_nb.model import codecs, json_parts
from portia_nb.model.codecs_scalars import to_base64
from portia_nb.model.json_parts import JsonParts, holds_long_text

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(JSON, st.integers(1, 9), st.integers(0, 5))
def test_pieces_make_up_the_same_text(data: object, piece: int, long: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_parts, "_PIECE", piece)
        patch.setattr(json_parts, "LONG", long)
        pieces = list(JsonParts(data).pieces())
    assert "".join(pieces) == codecs.dumps(data)


def test_long_text_is_found_where_it_matters_and_is_not_copied():
    text = "x" * 1_000_000
    for data in (text, {"a": text}, [1, {"b": [text]}]):
        assert holds_long_text(data)
        assert JsonParts(data).is_longer_than(1_000_000)
        assert max(map(len, JsonParts(data).pieces())) <= 2**20
    for data in ("short", {"a": "short"}, list(range(100_000)), None):
        assert not holds_long_text(data)
        assert not JsonParts(data).is_longer_than(1_000_000)


@pytest.mark.parametrize("size", [0, 1, 3 * 2**18, 3 * 2**18 + 1, 2_000_000])
def test_many_bytes_come_back_and_so_does_what_was_written_as_one_text(size: int):
    value = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)
    assert codecs.decode(codecs.encode(value)) == value
    assert codecs.decode({"$": "bytes", "v": to_base64(value)}) == value
