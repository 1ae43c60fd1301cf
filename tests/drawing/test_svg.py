"""The SVG: always well-formed, nothing active, readable without colour, small."""

from __future__ import annotations

import math
import random
import re
from itertools import combinations
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings, strategies as st

from portia_nb.drawing.clean import MAX_MARKS, clean, cut_to_width, esc, width_of
from portia_nb.drawing.looks import LINE_INK, LOOKS, NAME_INK, NOTE_INK
from portia_nb.drawing.picture import Card, Frame, Line, Picture, place
from portia_nb.drawing.svg import data_uri, describe, draw_svg
from portia_nb.drawing.svg_check import SVG, UnsafeSvg, check_svg

from .hostile import PAYLOADS, texts

FORBIDDEN = {"a", "image", "style", "script", "foreignObject", "animate", "set", "iframe"}


def one_of_each(name: str = "step", note: str = "tool", task: str = "task") -> Picture:
    cards = tuple(Card(f"n{i}", name, note, state, task) for i, state in enumerate(LOOKS))
    inside = Card("n90", name, note, "done", task, frame="f0")
    return Picture(
        (*cards, inside),
        (Line("n0", "n1"), Line("n1", "n2", "after"), Line("n2", "f0", "place")),
        (Frame("f0", name or "frame", note, "running"),),
    )


def elements(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter())


def assert_harmless(svg: str) -> None:
    check_svg(svg)
    for element in elements(svg):
        assert element.tag.removeprefix(SVG) not in FORBIDDEN
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            if name == "href":
                assert value.startswith("#")
            assert name == "aria-label" or "://" not in value


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_gets_out_of_a_label(payload):
    assert_harmless(draw_svg(one_of_each(payload, payload, payload)))


@given(texts, texts, texts)
@settings(max_examples=200, deadline=None)
def test_any_text_gives_well_formed_harmless_svg(name, note, task):
    svg = draw_svg(one_of_each(name, note, task))
    assert_harmless(svg)
    svg.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", svg)


def test_text_is_shown_letter_for_letter():
    svg = draw_svg(Picture((Card("n0", "<b>&\"'", "x < y", task="a > b"),)))
    shown = [element.text for element in elements(svg) if element.text]
    assert "<b>&\"'" in shown
    assert "x < y" in shown
    assert "<b>&\"' · x < y: a > b" in shown


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        ("<a href='#x'/>", "'a'"),
        ("<script>1</script>", "'script'"),
        ("<style>x</style>", "'style'"),
        ("<image/>", "'image'"),
        ("<foreignObject/>", "'foreignObject'"),
        ("<g xmlns='http://www.w3.org/1999/xhtml'/>", "xhtml"),
        ("<g onload='x()'/>", "onload"),
        ("<g style='fill:red'/>", "style"),
        ("<use href='https://evil.example/#x'/>", "href"),
        ("<use href='data:image/svg+xml,x'/>", "href"),
        ("<use xmlns:x='http://www.w3.org/1999/xlink' x:href='#a'/>", "xlink"),
        ("<path marker-end='url(https://evil.example)'/>", "marker-end"),
        ("<rect fill='url(https://evil.example)'/>", "fill"),
        ("<rect width='calc(1px)'/>", "width"),
        ("<g>text</g>", "text inside"),
        ("<g/>text", "text after"),
        ("<!-- c -->", "declaration"),
        ("<g", "well-formed"),
    ],
)
def test_the_check_refuses_what_we_never_draw(inside, found):
    with pytest.raises(UnsafeSvg, match=re.escape(found)):
        check_svg(f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>')


def test_each_card_and_frame_is_found_by_its_id_and_shows_its_state_once():
    picture = one_of_each()
    root = ElementTree.fromstring(draw_svg(picture, prefix="r7"))
    for item in (*picture.cards, *picture.frames):
        (group,) = root.findall(f".//*[@id='r7{item.id}']")
        assert group.get("class") == item.state
        target = group.find(f".//{SVG}use").get("href")
        assert target == ("#r7-f-" if isinstance(item, Frame) else "#r7-") + item.state
        assert root.find(f".//*[@id='{target[1:]}']") is not None


def test_a_live_picture_holds_the_looks_of_all_states():
    svg = draw_svg(Picture((Card("n0", "a", "b"),)), live=True)
    assert all(f'id="p-{state}"' in svg for state in LOOKS)
    assert 'id="p-done"' not in draw_svg(Picture((Card("n0", "a", "b"),)))


@pytest.mark.parametrize("prefix", ["", "1a", "a-b", 'a"', "é", "a b"])
def test_a_prefix_that_could_break_an_id_is_refused(prefix):
    with pytest.raises(ValueError, match="prefix"):
        draw_svg(one_of_each(), prefix=prefix)


def test_kept_places_are_drawn_differently_and_explained():
    svg = draw_svg(one_of_each())
    assert 'class="place"' in svg
    assert "keeps its place" in svg
    assert "keeps its place" not in draw_svg(Picture((Card("n0", "a", "b"),)))


def test_a_picture_of_500_cards_stays_under_115_kb():
    rng = random.Random(3)
    cards = tuple(
        Card(
            f"n{i}", f"step_name_{i}", rng.choice(["search_tool", "llm", "mail"]), task="long " * 9
        )
        for i in range(500)
    )
    lines = tuple(
        Line(f"n{tail}", f"n{head}")
        for head in range(1, 500)
        for tail in {rng.randrange(max(0, head - 12), head) for _ in range(rng.choice([1, 1, 2]))}
    )
    svg = draw_svg(Picture(cards, lines))
    assert len(svg.encode()) <= 115_000
    assert len(data_uri(svg)) <= 150_000


def test_an_empty_plan_is_a_picture_too():
    svg = draw_svg(Picture(()))
    assert_harmless(svg)
    assert 'aria-label="Plan of 0 steps"' in svg


def test_the_label_for_those_who_do_not_see_it_counts_the_states():
    assert describe(one_of_each()).startswith("Plan of 9 steps: 2 done, 1 skipped, 1 running")


def test_positions_given_are_used():
    picture = one_of_each()
    assert draw_svg(picture, place(picture)) == draw_svg(picture)


@pytest.mark.parametrize("payload", [*PAYLOADS[:30], "100% #1 'quoted' \"twice\" é"])
def test_the_data_uri_is_ascii_and_decodes_to_the_same_picture(payload):
    svg = draw_svg(Picture((Card("n0", payload, payload),)))
    uri = data_uri(svg)
    assert re.fullmatch(r"data:image/svg\+xml,[\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]*", uri)
    assert "#" not in uri
    back = unquote(uri.partition(",")[2])
    assert ElementTree.canonicalize(back) == ElementTree.canonicalize(svg)


# -- looks -----------------------------------------------------------------------------------


def linear_rgb(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def luminance(colour: str) -> float:
    linear = linear_rgb(colour)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("state", LOOKS)
def test_words_are_readable_and_borders_visible(state):
    look = LOOKS[state]
    assert contrast(look.ink, look.fill) >= 4.5
    assert contrast(NAME_INK, look.fill) >= 7
    assert contrast(NOTE_INK, look.fill) >= 4.5
    assert contrast(look.ink, "#ffffff") >= 3


def test_lines_are_visible_on_light_and_dark_pages():
    assert contrast(LINE_INK, "#ffffff") >= 3
    assert contrast(LINE_INK, "#111111") >= 3


# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
SIGHT = {
    "typical": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritan": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def seen(colour: str, sight: str) -> tuple[float, float, float]:
    """Return a colour's CIE L*a*b* as someone with that sight sees it."""
    rgb = linear_rgb(colour)
    r, g, b = (
        min(1, max(0, sum(k * v for k, v in zip(row, rgb, strict=True)))) for row in SIGHT[sight]
    )
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("sight", SIGHT)
def test_no_two_states_colours_look_alike_to_anyone_who_sees_colours(sight):
    for one, other in combinations(LOOKS.values(), 2):
        assert math.dist(seen(one.ink, sight), seen(other.ink, sight)) >= 8


def test_no_two_states_share_a_word_a_shape_a_symbol_or_a_colour():
    for part in ("word", "icon", "symbol", "ink", "fill"):
        assert len({getattr(look, part) for look in LOOKS.values()}) == len(LOOKS)
    # Without any colour, shapes alone must differ: compare icons with colours taken out.
    shapes = {re.sub(r'(fill|stroke)="[^"]*"', "", look.icon) for look in LOOKS.values()}
    assert len(shapes) == len(LOOKS)


# -- text ------------------------------------------------------------------------------------


@given(texts)
@settings(max_examples=300, deadline=None)
def test_clean_text_holds_nothing_that_a_screen_obeys(text):
    for keep_lines in (False, True):
        shown = clean(text, keep_lines=keep_lines)
        shown.encode()
        assert not re.search(
            r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u206f\ufeff]", shown
        )
        assert keep_lines or "\n" not in shown
        assert clean(shown, keep_lines=keep_lines) == shown


def test_ordinary_text_is_left_as_it_is():
    for text in (
        "plain",
        "naïve café",
        "日本語",
        "हिन्दी",
        "👩‍👩‍👧",
        "\u0646\u06cc\u0645\u200c\u0641",
        "a  b",
    ):
        assert clean(text) == text


def test_terminal_sequences_go_whole_and_the_text_between_stays():
    assert (
        clean("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x1b\\ end") == "red link end"
    )


def test_stacked_accents_are_limited():
    assert len(clean("z" + "\u0301" * 500)) == 1 + MAX_MARKS


@given(st.text(max_size=200), st.integers(20, 300))
def test_a_cut_text_fits_and_begins_like_the_whole(text, room):
    cut = cut_to_width(text, room, 13)
    assert width_of(cut, 13) <= room
    assert cut == text or text.startswith(cut.removesuffix("…"))


def test_escaping_leaves_no_delimiter():
    assert not set("<>\"'") & set(esc("<>\"'&"))
