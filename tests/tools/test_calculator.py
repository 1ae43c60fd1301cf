"""The calculator: right on what it takes, and harmless on everything else."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies as st

from portia_nb.config import Config
from portia_nb.errors import ToolHardError
from portia_nb.tools.builtin.calculator import CalculatorTool, calculate
from portia_nb.tools.builtin.question import MAX_QUESTION_CHARS
from portia_nb.tools.context import ToolRunContext

RIGHT = [
    ("1 + 1", 2),
    ("What is 3 * (4 + 5)?", 27),
    ("what's 12*12?", 144),
    ("What\N{RIGHT SINGLE QUOTATION MARK}s 12*12?", 144),
    ("Calculate 10 / 4.", 2.5),
    ("10 / 5", 2),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("7 % 3", 1),
    ("7 mod 3", 1),
    ("10 % (3)", 1),
    ("2 ** 10", 1024),
    ("2^10", 1024),
    ("2 ** 3 ** 2", 512),
    ("-2 ** 2", -4),
    ("(-2) ** 2", 4),
    ("2 ** -1", 0.5),
    ("2 ** 0.5", 2**0.5),
    ("4 ** (1/2)", 2),
    ("3 - -2", 5),
    ("3 - - - 2", 1),
    ("+5 - 3", 2),
    ("1 - 2 - 3", -4),
    ("100 / 10 / 2", 5),
    ("2 + 3 * 4 ** 2 / 8", 8),
    ("((1 + 2) * (3 + 4))", 21),
    ("[1 + 2] * 3", 9),
    ("0.1 + 0.2", 0.3),
    ("1/3 * 3", 1),
    (".5 + .25", 0.75),
    ("1e3 + 1", 1001),
    ("1.5E-2 * 2", 0.03),
    ("1,234,567.89 * 2", 2469135.78),
    ("1_000 + 1", 1001),
    ("$5.00 * 3", 15),
    ("\N{EURO SIGN}5 + \N{EURO SIGN}2", 7),
    ("17% of 340", 57.8),
    ("What is 17 percent of 340?", 57.8),
    ("10 percent of (20 + 30)", 5),
    ("100 - 20% of 50", 90),
    ("20% of 50 + 50", 60),
    ("100 * 5%", 5),
    ("100 / 5%", 2000),
    ("50% + 10%", 0.6),
    ("10%", 0.1),
    ("(5 + 3)%", 0.08),
    ("2 + (5%)", 2.05),
    ("3 x 4", 12),
    ("3x4", 12),
    ("3 X (4)", 12),
    ("3 \N{MULTIPLICATION SIGN} 4", 12),
    ("8 \N{DIVISION SIGN} 2", 4),
    ("10 \N{MINUS SIGN} 3", 7),
    ("10 \N{EN DASH} 3", 7),
    ("compute \N{EN DASH} 3 + 4", 7),
    ("5\N{SUPERSCRIPT TWO} + 3", 28),
    ("2\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ONE}", 0.5),
    ("5 plus 3", 8),
    ("5 minus 3", 2),
    ("5 times 3", 15),
    ("5 multiplied by 3", 15),
    ("8 divided by 2", 4),
    ("12 over 4", 3),
    ("2 to the power of 8", 256),
    ("2 raised to the power of 8", 256),
    ("4 squared + 1", 17),
    ("(1 + 2) cubed", 27),
    ("3 million * 2", 6_000_000),
    ("3 * 10 thousand", 30_000),
    ("In 2024: 3 * 4 = ?", 12),
    ("3 + 4 = 7, right?", 7),
    ("3 + 4 =", 7),
    ("Calculate the average: (3 + 4) / 2", 3.5),
    ("Compute the growth: (214.10 - 151.94) / 151.94 * 100", 40.91088587600368),
    ("42", 42),
    (" -42. ", -42),
    ("42?", 42),
    ("0 ** 0", 1),
    ("(-1) ** 123456789", -1),
    ("(-1) ** (10 ** 300)", 1),
    ("2 ** 100", 2**100),
    ("1e308 * 10", 10**309),
    ("10 ** 400 / 10 ** 399", 10),
]


@pytest.mark.parametrize(("question", "answer"), RIGHT, ids=[q for q, _ in RIGHT])
def test_an_expression_is_found_and_worked_out(question: str, answer: float) -> None:
    assert calculate(question) == answer


REFUSED = [
    ("1 / 0", "division by zero"),
    ("1 // 0", "division by zero"),
    ("1 % 0", "division by zero"),
    ("1 / (2 - 2)", "division by zero"),
    ("0 ** -1", "division by zero"),
    ("5 / 0.0", "division by zero"),
    ("", "no expression"),
    ("hello", "no expression"),
    ("What is 5?", "no expression"),
    ("What is the square root of 144?", "no expression"),
    ("sqrt(16)", "no expression"),
    ("()", "no expression"),
    ("+", "no expression"),
    ("How many days are in 3 weeks?", "no expression"),
    ("square root of 144 + 5", "'root' is not known"),
    ("the square root of the 144 + 5", "'root' is not known"),
    ("average of 3 + 4", "'average' is not known"),
    ("sqrt(16) + 1", "'sqrt' is not known"),
    ("double 3 + 4", "'double' is not known"),
    ("5 km + 3 km", "'km' stands between numbers"),
    ("Divide 3 + 4 by 2", "'by' stands between numbers"),
    ("Add 5 to 3 + 4", "'to' stands between numbers"),
    ("3 + 4; 5 + 6", "more than one expression"),
    ("1,5 * 2", "two ways"),
    ("12,34 * 2", "two ways"),
    ("200 + 10%", "two ways"),
    ("200 - 10%", "two ways"),
    ("200 + 10% * 2", "two ways"),
    ("2(3 + 4)", "no operator before '('"),
    ("(1 + 2)(3)", "no operator before '('"),
    ("1 2 + 3", "no operator before '2'"),
    ("1 000 + 1", "starts with 0"),
    ("2024-01-15", "starts with 0"),
    ("007 + 1", "starts with 0"),
    ("(2 + 3", "')' is missing"),
    ("2 + 3)", "without its '('"),
    ("2 +* 3", "should stand where '*' is"),
    ("2 +", "should stand"),
    ("5! + 1", "factorials"),
    ("1.2.3 + 1", "not a number"),
    ("3 * 10k", "letters at a number"),
    ("0x1f + 1", "letters at a number"),
    ("5e + 1", "letters at a number"),
    ("2j * 2", "letters at a number"),
    ("\N{VULGAR FRACTION ONE HALF} + 1", "no digit from 0 to 9"),
    ("\N{ARABIC-INDIC DIGIT THREE} + 4", "no digit from 0 to 9"),
    ("\N{FULLWIDTH DIGIT ONE} + 2", "no digit from 0 to 9"),
    ("\N{MATHEMATICAL BOLD DIGIT ONE} + 2", "no digit from 0 to 9"),
    ("(-8) ** (1/3)", "not a real number"),
    ("9 ** 9 ** 9", "too large"),
    ("9 ** 9 ** 9 ** 9", "too large"),
    ("10 ** 1000000000", "too large"),
    ("2 ** 4096", "too large"),
    ("1.5 ** 100000", "too large"),
    ("1.1 ** 99999.5", "too large"),
    ("1e400 + 0.1", "too large"),
    ("1e999999999", "too long"),
    ("1" * 401 + " + 1", "too long"),
    ("(" * 60 + "1 + 1" + ")" * 60, "within each other"),
    ("-" * 200 + "1", "within each other"),
    ("2 ** " * 100 + "1", "within each other"),
    ("1 + " * 400 + "1", "characters"),
]


@pytest.mark.parametrize(("question", "words"), REFUSED, ids=[q[:30] for q, _ in REFUSED])
def test_what_can_not_be_worked_out_is_a_hard_error_that_says_why(
    question: str, words: str
) -> None:
    with pytest.raises(ToolHardError, match="calculator_tool") as caught:
        calculate(question)
    assert words in str(caught.value)


_CODE = [
    "__import__('os').system('touch /tmp/pwned')",
    "eval('1+1')",
    "exec('x=1')",
    "open('/etc/passwd').read()",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: 1)()",
    "[x for x in range(10)]",
    "globals()['__builtins__']",
    "os.environ['OPENAI_API_KEY']",
    "{{7*7}}",
    "${7*7}",
    "<%= 7*7 %>",
    "#{7*7}",
    "{7*7!r}",
    "%s%s%s%n",
    "`id`",
    "$(id)",
    "; rm -rf /",
    "| cat /etc/passwd",
    "1 if 1 else 2",
    "1 and 2",
    "1 or 2",
    "not 1",
    "1 == 1",
    "1 < 2",
    "1 << 100000000",
    "1 >> 1",
    "1 & 2",
    "1 | 2",
    "~1",
    "a := 5",
    "x = 5",
    "'a' * 1000000000",
    "b'a' + b'b'",
    "[1] * 1000000000",
    "(1,) * 1000000000",
    "range(10 ** 9)",
    "1 @ 2",
    "math.factorial(100000)",
    "1..__class__",
    "print(1 + 1)",
    "import os; 1 + 1",
    "1 + 1 # comment",
    "1 + 1\n2 + 2",
    "1 +\\\n1",
    "\x00 1 + 1",
    "1\u202e + 1",
    "1 + 1\ud800",
    "nan + 1",
    "inf * 0",
    "1e308 * 1e308 * 1e308",
    "None + 1",
    "True + True",
    "0b1010 + 0o17",
    "1__0 + 1",
    "1,,2 + 3",
    "1..2 + 3",
    "\N{GREEK SMALL LETTER PI} * 2",
    "\N{SQUARE ROOT}16 + 1",
    "\N{INFINITY} - 1",
    "(((((((((((((((((((((((((",
    ")))))))))))))))))))))))))",
    "1" + "(" * 500,
    "%" * 900,
    "1" + "%" * 900,
    "9" * 300 + " ** " + "9" * 300,
    "0.1 ** " + "9" * 300,
    "*".join(["9" * 300] * 3),
    "*".join(["9" * 90] * 10),
    "+".join(["1e400"] * 100),
    "*".join(["1e-400"] * 100),
    "/".join(["7"] * 400),
    "**".join(["1"] * 300),
    "**".join(["1.1"] * 30),
    " ".join(["x"] * 400),
    "a" * 1000,
    "," * 1000,
    "1," * 499,
    "e" * 1000,
    "1e" * 400,
    "." * 1000,
    "_" * 1000,
    "1_" * 400,
    "percent of " * 80,
    "squared " * 100,
    "2 " + "squared " * 100,
    "9 " + "million " * 100,
    "to the power of " * 60,
    "'" * 1000,
    "a'" * 400,
    "\N{SUPERSCRIPT NINE}" * 900,
    "9" + "\N{SUPERSCRIPT NINE}" * 900,
]
_SEEDS = [
    "9**9**9",
    "1/0",
    "__import__('os')",
    "1e308*1e308",
    "\N{FULLWIDTH DIGIT NINE}",
    "(",
    "%",
    "x",
]
_WRAPS = [
    "{}",
    "What is {}?",
    "({})",
    "-{}",
    "{} + {}",
    "{} of 5",
    "2 ** {}",
    "{}\n{}",
    "1 % {}",
    "${}",
]
HOSTILE = [
    *_CODE,
    *(wrap.replace("{}", seed) for seed, wrap in itertools.product(_SEEDS, _WRAPS)),
    *(f"2 {sign}{other} 3" for sign, other in itertools.product("+-*/%^!@&|~<>=,;:.?", "+-*/")),
]

_FORBIDDEN = ("compile", "exec", "import", "open", "os.", "subprocess.", "socket.", "ctypes.")
_watched = threading.local()


@pytest.fixture(scope="module")
def watch() -> Iterator[list[str]]:
    """List what Python's audit hook reports while `_watched.events` is set."""
    events: list[str] = []

    def hook(event: str, _: tuple[object, ...]) -> None:
        if getattr(_watched, "on", False) and event.startswith(_FORBIDDEN):
            events.append(event)

    # A hook can't be taken back, so it is switched by the thread's flag.
    sys.addaudithook(hook)
    yield events
    _watched.on = False


def test_the_hostile_corpus_is_large() -> None:
    assert len(HOSTILE) == len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("question", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_question_runs_no_code_and_takes_at_most_100_ms(
    question: str, watch: list[str]
) -> None:
    _watched.on = True
    started = time.thread_time()
    try:
        answer: object = calculate(question)
    except ToolHardError as error:
        answer = error
    took_s = time.thread_time() - started
    _watched.on = False
    assert isinstance(answer, int | float | ToolHardError)
    assert watch == []
    assert took_s <= 0.1


def test_the_watch_itself_would_see_an_eval(watch: list[str]) -> None:
    _watched.on = True
    compile("1 + 1", "<test>", "eval")
    _watched.on = False
    assert watch == ["compile"]
    watch.clear()


_EXPRESSIONS = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_EXPRESSIONS)
def test_sums_and_products_agree_with_python(expression: str) -> None:
    # The strategy writes digits, + - * and parentheses only.
    assert calculate(expression + " + 0") == eval(expression)


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789.,+-*/%^()ex !of", max_size=60) | st.text(max_size=60))
def test_any_text_gives_a_number_or_a_hard_error(question: str) -> None:
    try:
        assert isinstance(calculate(question), int | float)
    except ToolHardError as error:
        assert "calculator_tool" in str(error)


def test_the_tool_takes_a_math_question_and_declares_no_side_effect() -> None:
    tool = CalculatorTool()
    arguments = tool.parse_arguments({"math_question": "6 * 7"})
    assert tool.run(ToolRunContext(config=Config()), **arguments) == 42
    assert tool.side_effect is False
    assert tool.argument_problems({"math_question": "1" * (MAX_QUESTION_CHARS + 1)})
