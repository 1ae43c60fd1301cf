import json
import sys
import unicodedata

import pytest

from portia_nb.notebook.visible_text import cut_to_bytes, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("windows\r\nline", "windows\nline"),
        ("\x00\x07\x1b]8;;javascript:x\x07", "␀␇␛]8;;javascript:x␇"),
        ("safe\u202etxt.exe", "safe⟨U+202E⟩txt.exe"),
        ("\u2066\u200b\ufeff\x9b", "⟨U+2066⟩⟨U+200B⟩⟨U+FEFF⟩⟨U+009B⟩"),
        ("half \ud800 pair", "half ⟨U+D800⟩ pair"),
        ("\u0645\u06cc\u200c\u062e 👩\u200d🔬", "\u0645\u06cc\u200c\u062e 👩\u200d🔬"),
    ],
)
def test_what_a_screen_would_obey_is_shown_instead(text: str, shown: str):
    assert visible(text) == shown


def test_where_text_is_approved_joiners_are_seen_too():
    assert visible("a\u200db", exact=True) == "a⟨U+200D⟩b"


def test_no_code_point_passes_that_moves_or_breaks_text():
    shown = visible("".join(map(chr, range(sys.maxunicode + 1))))
    left = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert left == {"\n", "\t", "\u200c", "\u200d"}
    shown.encode()


@pytest.mark.parametrize("char", ["a", "é", "\n", '"', "\\", "😀", "\u202e", "\x1b"])
def test_cut_text_fits_as_json_and_the_rest_is_counted(char: str):
    shown, left = cut_to_bytes(char * 5_000, 2_000)
    assert 1_900 < len(json.dumps(shown, ensure_ascii=False).encode()) - 2 <= 2_000
    taken, nothing = cut_to_bytes(char * (5_000 - left), 10_000)
    assert taken == shown and nothing == 0


def test_one_line_is_cut_with_an_ellipsis():
    assert one_line("many words " * 100, 20) == "many words many wor…"
