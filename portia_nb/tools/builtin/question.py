"""Find the one arithmetic expression in a question that people or models write.

Words around an expression are passed over, words inside it are not: a number that is silently left
out makes a wrong answer, so everything that could be read in two ways is refused with a reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from portia_nb.errors import ToolHardError

MAX_QUESTION_CHARS = 1_000
MAX_DIGITS = 400
"""Most digits of one number, and most zeros that an exponent such as e12 may add."""

Kind = Literal["number", "operator", "open", "close", "percent", "word", "break"]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the question."""

    kind: Kind
    text: str
    number: Fraction = Fraction(0)
    """The value, for a number."""


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_CHARACTERS = str.maketrans(
    {
        "\N{MULTIPLICATION SIGN}": "*",
        "\N{MIDDLE DOT}": "*",
        "\N{DOT OPERATOR}": "*",
        "\N{ASTERISK OPERATOR}": "*",
        "\N{DIVISION SIGN}": "/",
        "\N{DIVISION SLASH}": "/",
        "\N{MINUS SIGN}": "-",
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    }
)
_DASH = "\N{EN DASH}"
# Longer wordings first, since the first that matches counts.
_WORDED = (
    (r"to the power of|raised to(?: the power of)?", "**"),
    (r"multiplied by|times", "*"),
    (r"divided by|over", "/"),
    (r"modulo|mod", "%"),
    (r"plus", "+"),
    (r"minus", "-"),
)
_POSTFIX_WORDS = {"squared": 2, "cubed": 3}
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_TOKEN = re.compile(
    r"""
      (?P<space>\s+|[$€£¥])
    | (?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+(?:_\d+)*)(?:\.\d+)?(?:[eE][+-]?\d+(?![\w.]))?
                |\.\d+(?:[eE][+-]?\d+(?![\w.]))?)
    | (?P<percent>%|(?:percent|per\ cent)\b)
    | (?P<worded>(?:to\ the\ power\ of|raised\ to(?:\ the\ power\ of)?|multiplied\ by|divided\ by
                |times|over|modulo|mod|plus|minus)\b)
    | (?P<operator>\*\*|//|[-+*/^]|\N{EN DASH})
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<word>(?u:[^\W\d_]+(?:'[^\W\d_]+)*))
    | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII | re.DOTALL,
)
_POWER = re.compile(r"([⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """
        sqrt cbrt root log ln exp sin cos tan asin acos atan abs round floor ceil min max factorial
        sum average mean median mode logarithm sine cosine tangent half third quarter twice double
        triple square cube inverse reciprocal
        """,
    )
)
"""Words that change the value of what follows them."""


def refuse(message: str, question: str) -> ToolHardError:
    """Return the error for a question that can't be worked out."""
    shown = question if len(question) <= 100 else question[:99] + "…"
    return ToolHardError(
        f"calculator_tool: {message}; the question was {shown!r}", question=question
    )


def find_expression(question: str) -> list[Token]:
    """Return the tokens of the one expression in `question`, in order.

    Raises:
        ToolHardError: there is none, more than one, or something that could be read in two ways.

    >>> [token.text for token in find_expression("What is 3 * (4 + 5)?")]
    ['3', '*', '(', '4', '+', '5', ')']
    """
    if len(question) > MAX_QUESTION_CHARS:
        raise refuse(
            f"the question has {len(question):,} characters, {MAX_QUESTION_CHARS:,} are allowed",
            question,
        )
    tokens = _mark_words(_split(question), question)
    runs = _runs(tokens)
    with_operator = [run for run in runs if _says_something(tokens[run])]
    if len(with_operator) > 1:
        shown = " and ".join(repr(_shown(tokens[run])) for run in with_operator[:3])
        raise refuse(f"there is more than one expression, {shown}: ask for one at a time", question)
    if not with_operator:
        return _lone_number(tokens, question)
    chosen = with_operator[0]
    _check_surroundings(tokens, chosen, runs, question)
    return tokens[chosen]


def _split(question: str) -> list[Token]:
    text = _POWER.sub(lambda m: f"**{m[1].translate(_SUPERSCRIPTS)} ", question)
    text = text.translate(_CHARACTERS)
    tokens: list[Token] = []
    end_of_number = -1
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup, match[0]
        if kind == "number":
            if end_of_number == match.start():
                raise refuse(f"{_around(text, match.start())!r} is not a number", question)
            end_of_number = match.end()
            tokens.append(Token("number", piece, _read_number(piece, question)))
        elif kind == "other":
            tokens.append(_read_other(text, match.start(), end_of_number, question))
        elif kind == "word":
            glued = end_of_number == match.start()
            tokens.append(_read_word(text, match, glued, tokens, question))
        elif kind != "space":
            tokens.append(_read_sign(kind or "", piece, tokens))
    return tokens


def _read_sign(kind: str, piece: str, before: list[Token]) -> Token:
    if kind == "worded":
        for words, sign in _WORDED:
            if re.fullmatch(words, piece.lower()):
                return Token("operator", sign)
    if kind == "percent":
        return Token("percent", "%")
    if kind == "open" or kind == "close":
        return Token(kind, "(" if kind == "open" else ")")
    if piece == _DASH and not (before and before[-1].kind in ("number", "close", "percent")):
        # A dash between words, not a minus.
        return Token("break", piece)
    return Token("operator", {"^": "**", _DASH: "-"}.get(piece, piece))


def _read_other(text: str, at: int, end_of_number: int, question: str) -> Token:
    character = text[at]
    following = text[at + 1 : at + 2]
    if character.isnumeric():
        raise _foreign_digit(character, question)
    if character == "," and end_of_number == at and following.isdigit():
        raise refuse(
            f"{_around(text, at)!r} can be read in two ways: write 1234.5 or 1,234.5", question
        )
    if character == "!" and end_of_number == at:
        raise refuse("factorials are not known here: write the product", question)
    return Token("break", character)


def _read_word(
    text: str, match: re.Match[str], glued: bool, before: list[Token], question: str
) -> Token:
    word = match[0].lower()
    if foreign := next((character for character in word if character.isnumeric()), None):
        raise _foreign_digit(foreign, question)
    rest = text[match.end() :].lstrip()
    after_operand = bool(before) and before[-1].kind in ("number", "close", "percent")
    if word == "x" and after_operand and rest[:1] in tuple("0123456789.(-"):
        return Token("operator", "*")
    if glued:
        raise refuse(
            f"{_around(text, match.start())!r} has letters at a number: write units apart, and "
            "factors in full (2 * n, 3000)",
            question,
        )
    return Token("word", word)


def _foreign_digit(character: str, question: str) -> ToolHardError:
    return refuse(f"{character!r} is no digit from 0 to 9: write numbers with those", question)


def _read_number(piece: str, question: str) -> Fraction:
    plain = piece.replace(",", "").replace("_", "")
    digits, _, exponent = plain.lower().partition("e")
    if len(digits) > MAX_DIGITS or (exponent and abs(int(exponent[:9])) > MAX_DIGITS):
        raise refuse(
            f"{piece[:40]!r}… is too long a number, {MAX_DIGITS} digits are allowed", question
        )
    if re.match(r"0\d", plain):
        raise refuse(
            f"{piece!r} starts with 0, which numbers here don't: write 1000 for 1 000, no dates",
            question,
        )
    return Fraction(plain)


def _mark_words(tokens: list[Token], question: str) -> list[Token]:
    """Turn words that have a meaning after an operand into operators: squared, million, % of."""
    marked: list[Token] = []
    for token in tokens:
        before = marked[-1].kind if marked else "break"
        if token.kind == "word" and before in ("number", "close"):
            if token.text in _POSTFIX_WORDS:
                power = _POSTFIX_WORDS[token.text]
                marked += [Token("operator", "**"), Token("number", str(power), Fraction(power))]
                continue
            if token.text in _SCALES:
                if before != "number":
                    raise refuse(f"{token.text!r} may follow a number only", question)
                number = marked.pop()
                value = number.number * 10 ** _SCALES[token.text]
                marked.append(Token("number", f"{number.text} {token.text}", value))
                continue
        if token.kind == "word" and token.text == "of" and before == "percent":
            marked.append(Token("operator", "of"))
            continue
        marked.append(token)
    return marked


def _runs(tokens: list[Token]) -> list[slice]:
    """Return where the stretches without words and punctuation are."""
    runs: list[slice] = []
    start = 0
    for index in range(len(tokens) + 1):
        if index == len(tokens) or tokens[index].kind in ("word", "break"):
            if index > start:
                runs.append(slice(start, index))
            start = index + 1
    return runs


def _says_something(tokens: list[Token]) -> bool:
    has_number = any(token.kind == "number" for token in tokens)
    return has_number and any(token.kind in ("operator", "percent") for token in tokens)


def _lone_number(tokens: list[Token], question: str) -> list[Token]:
    """Return the number that is the whole question, if it is one."""
    rest = [token for token in tokens if token.kind != "break"]
    if len(rest) == 1 and rest[0].kind == "number":
        return rest
    raise refuse("there is no expression to work out: write one such as 3 * (4 + 5)", question)


def _check_surroundings(
    tokens: list[Token], chosen: slice, runs: list[slice], question: str
) -> None:
    """Refuse an expression that goes on beyond a word, or to which a function is applied."""
    first, last = tokens[chosen][0], tokens[chosen][-1]
    for run in runs:
        if run == chosen or not any(token.kind == "number" for token in tokens[run]):
            continue
        between = (
            tokens[run.stop : chosen.start]
            if run.stop <= chosen.start
            else tokens[chosen.stop : run.start]
        )
        joined = not any(token.kind == "break" for token in between)
        if joined or first.kind == "operator" or last.kind == "operator":
            words = " ".join(token.text for token in between)
            raise refuse(
                f"{words!r} stands between numbers, and its meaning here isn't known: write one "
                "expression with numbers and + - * / ** only",
                question,
            )
    head = [token.text if token.kind == "word" else "" for token in tokens[: chosen.start]]
    last_words = [word for word in head if word != "the"][-2:]
    named = last_words[:-1] if last_words[-1:] == ["of"] else last_words[-1:]
    function = next((word for word in named if word in _FUNCTIONS), None)
    if function:
        raise refuse(
            f"{function!r} is not known here: write it with + - * / ** (a square root is ** 0.5)",
            question,
        )


def _shown(tokens: list[Token]) -> str:
    return " ".join(token.text for token in tokens)[:40]


def _around(text: str, at: int) -> str:
    start = at
    while start > 0 and not text[start - 1].isspace() and at - start < 20:
        start -= 1
    return re.split(r"\s", text[start : at + 20])[0]
