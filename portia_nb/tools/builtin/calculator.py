"""`calculator_tool`: exact arithmetic with a small grammar of its own, and no `eval` anywhere."""

from __future__ import annotations

from fractions import Fraction

from pydantic import BaseModel, Field

from portia_nb.errors import ToolHardError
from portia_nb.tools.base import Tool
from portia_nb.tools.context import ToolRunContext

from .question import MAX_QUESTION_CHARS, Token, find_expression, refuse

MAX_BITS = 4_096
"""Largest numerator or denominator on the way: about 1,200 digits, so that no sum takes long."""
MAX_DEPTH = 50
"""Most parentheses within each other."""
_EXACT_FLOAT = 2**53

# How strongly operators bind; a unary sign stands between products and powers: -2 ** 2 is -4.
_STRENGTH = {"+": 10, "-": 10, "*": 20, "of": 20, "/": 20, "//": 20, "%": 20, "**": 40}
_SIGN_STRENGTH = 30


class CalculatorArguments(BaseModel):
    """What to work out."""

    math_question: str = Field(
        min_length=1,
        max_length=MAX_QUESTION_CHARS,
        description=(
            "The expression to work out, with numbers and + - * / // % ** and parentheses, "
            "e.g. (214.10 - 151.94) / 151.94 * 100"
        ),
    )


class CalculatorTool(Tool[int | float]):
    """Work out an arithmetic expression."""

    id: str = "calculator_tool"
    name: str = "Calculator Tool"
    description: str = (
        "Works out one arithmetic expression exactly: + - * / // % ** and parentheses, percentages "
        "such as 17% of 340. It needs numbers, not words for numbers."
    )
    args_schema: type[BaseModel] = CalculatorArguments
    output_schema: tuple[str, str] = ("float", "The result, an int where it is whole.")
    side_effect: bool | None = False

    def run(self, ctx: ToolRunContext, math_question: str) -> int | float:
        """Work out the expression in `math_question`.

        Raises:
            ToolHardError: there is no expression or more than one, a division by zero, or a result
                out of range.
        """
        return calculate(math_question)


def calculate(question: str) -> int | float:
    """Return the value of the one arithmetic expression in `question`.

    Fractions are exact on the way (``0.1 + 0.2`` is 0.3); only powers with broken exponents are
    rounded. Length of the question and size of numbers bound the time: below 100 ms.

    Raises:
        ToolHardError: it can't be worked out; the message says why.

    >>> calculate("What is 17% of 340?")
    57.8
    >>> calculate("2 ** 10 - 1")
    1023
    """
    reader = _Expression(find_expression(question), question)
    return reader.result()


class _Expression:
    """Read tokens from left to right and work them out on the way (precedence climbing)."""

    def __init__(self, tokens: list[Token], question: str) -> None:
        self._tokens = tokens
        self._question = question
        self._at = 0
        self._is_exact = True

    def result(self) -> int | float:
        value = self._read(0, 0)
        if (token := self._peek()) is not None:
            if token.kind == "close":
                raise self._refuse("there is a ')' without its '('")
            raise self._refuse(f"there is no operator before {token.text!r}: write * to multiply")
        if value.denominator == 1 and (self._is_exact or abs(value) < _EXACT_FLOAT):
            return int(value)
        return self._to_float(value)

    def _read(self, least: int, depth: int) -> Fraction:
        """Read an operand, and operators that bind more strongly than `least` with theirs."""
        left = self._read_operand(depth)
        while True:
            percent = self._read_percent(left, least)
            if percent is not None:
                left = percent
                continue
            token = self._peek()
            sign = "%" if token is not None and token.kind == "percent" else token and token.text
            if token is None or token.kind not in ("operator", "percent") or sign is None:
                return left
            strength = _STRENGTH[sign]
            if strength <= least:
                return left
            self._at += 1
            # Powers go from right to left: what follows may bind as strongly.
            right = self._read(strength - 1 if sign == "**" else strength, depth + (sign == "**"))
            left = self._apply(sign, left, right)

    def _read_operand(self, depth: int) -> Fraction:
        if depth > MAX_DEPTH:
            raise self._refuse(
                f"more than {MAX_DEPTH} parentheses or powers stand within each other"
            )
        token = self._peek()
        if token is None:
            raise self._refuse("the expression ends where a number should stand")
        self._at += 1
        if token.kind == "number":
            return token.number
        if token.kind == "open":
            value = self._read(0, depth + 1)
            closing = self._peek()
            if closing is None or closing.kind != "close":
                found = "at the end" if closing is None else f"before {closing.text!r}"
                raise self._refuse(f"a ')' is missing {found}")
            self._at += 1
            return value
        if token.text in ("+", "-"):
            value = self._read(_SIGN_STRENGTH, depth + 1)
            return -value if token.text == "-" else value
        raise self._refuse(f"a number should stand where {token.text!r} is")

    def _read_percent(self, value: Fraction, least: int) -> Fraction | None:
        """Read a '%' that means hundredths; one between two operands is the remainder operator."""
        token = self._peek()
        if token is None or token.kind != "percent":
            return None
        following = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else None
        if following is not None and following.kind in ("number", "open"):
            return None
        is_of = following is not None and following.text == "of"
        if least == _STRENGTH["+"] and not is_of and not self._all_percent():
            raise self._refuse(
                "a percentage after + or - can be read in two ways: write 200 * 1.10 or 200 + 0.10"
            )
        self._at += 1
        return value / 100

    def _all_percent(self) -> bool:
        """Say whether every number of the expression is a percentage."""
        following = [*self._tokens[1:], None]
        pairs = zip(self._tokens, following, strict=True)
        return all(
            after is not None and after.kind == "percent"
            for token, after in pairs
            if token.kind == "number"
        )

    def _apply(self, sign: str, left: Fraction, right: Fraction) -> Fraction:
        if sign in ("/", "//", "%") and right == 0:
            raise self._refuse("division by zero")
        match sign:
            case "+":
                value = left + right
            case "-":
                value = left - right
            case "*" | "of":
                value = left * right
            case "/":
                value = left / right
            case "//":
                value = Fraction(left // right)
            case "%":
                value = left % right
            case _:
                value = self._power(left, right)
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise self._refuse("a number on the way is too large")
        return value

    def _power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if base == 0 and exponent < 0:
            raise self._refuse("division by zero (0 to a negative power)")
        if exponent.denominator == 1:
            size = max(base.numerator.bit_length(), base.denominator.bit_length())
            if base not in (0, 1, -1) and (size - 1) * abs(exponent.numerator) > MAX_BITS:
                raise self._refuse("a power is too large")
            # 0, 1 and -1 depend on the exponent's sign and parity alone, however large it is.
            small = exponent.numerator if base not in (0, 1, -1) else _fold(exponent.numerator)
            return base**small
        if base < 0:
            raise self._refuse("a broken power of a negative number is not a real number")
        self._is_exact = False
        try:
            return Fraction(float(base) ** float(exponent))
        except OverflowError:
            raise self._refuse("a power is too large") from None

    def _to_float(self, value: Fraction) -> float:
        try:
            return float(value)
        except OverflowError:
            raise self._refuse("the result is too large") from None

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _refuse(self, reason: str) -> ToolHardError:
        return refuse(reason, self._question)


def _fold(exponent: int) -> int:
    """Return 0, 1 or 2: a small exponent with the same parity that is 0 only for 0."""
    return 0 if exponent == 0 else 2 - exponent % 2
