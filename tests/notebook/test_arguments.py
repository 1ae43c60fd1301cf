"""Options of the magics."""

import pytest

from portia_nb.errors import InvalidOption
from portia_nb.notebook.commands.declared import CELL, LINES
from portia_nb.notebook.commands.declaring import Command, Option
from portia_nb.notebook.commands.help_text import help_on, help_on_lines
from portia_nb.notebook.commands.parsing import parse, parse_cell, parse_line, split


def test_every_option_of_the_cell_is_read():
    given = parse_cell(
        "--plan -o out --in a=df[df['x y'] > 3] --in b=1 --tools x,y --model openai/m --yes "
        '--answer city="New York" --answer n=3 --answers f.json --background --schema M'
    )
    assert given.is_on("plan")
    assert given.is_on("yes")
    assert given.is_on("background")
    assert given.one("output") == "out"
    assert given.one("tools") == "x,y"
    assert given.one("model") == "openai/m"
    assert given.one("schema") == "M"
    assert given.one("answers") == "f.json"
    assert given.pairs("in") == {"a": "df[df['x y'] > 3]", "b": "1"}
    assert given.pairs("answer") == {"city": "New York", "n": "3"}


def test_nothing_given_is_nothing_set():
    given = parse_cell("")
    assert given.values == {}
    assert given.one("output") is None
    assert given.pairs("in") == {}
    assert not given.is_on("yes")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--plna", "%%portia has no option '--plna': did you mean '--plan'?"),
        ("--anwser=x=y", "%%portia has no option '--anwser=x=y': did you mean '--answer'?"),
        ("--modle openai/x", "%%portia has no option '--modle': did you mean '--model'?"),
        ("-o", "%%portia: -o, --output needs NAME after it"),
        ("-o 1a", "-o 1a: a variable's name is needed"),
        ("-o class", "-o class: a variable's name is needed"),
        ("--in x", "--in x: NAME=EXPR is needed"),
        ("--in a.b=1", "--in a.b=1: NAME=EXPR is needed"),
        ("--answer =3", "--answer =3: NAME=VALUE is needed"),
        ("Who won?", "%%portia: what is 'Who won?'? the goal goes on the lines below"),
        ("--answer city='New", "the quote ' is never closed"),
    ],
)
def test_a_wrong_option_of_the_cell_is_named_with_its_remedy(line: str, message: str):
    with pytest.raises(InvalidOption) as caught:
        parse_cell(line)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("typed", "goal"),
    [
        ("""Say "good  day" to 'Ann Lee' twice""", """Say "good  day" to 'Ann Lee' twice"""),
        ('"What is it?"', "What is it?"),
        ("""What is "it"?""", """What is "it"?"""),
        ("it's fine", "it's fine"),
    ],
)
def test_a_goal_keeps_its_quotes_and_one_that_is_all_in_quotes_loses_them(typed: str, goal: str):
    given = parse_line(f'plan {typed} -o "made" --tools "a, b"')
    assert given.word == goal
    assert (given.one("output"), given.one("tools")) == ("made", "a, b")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("docter", "%portia has no 'docter': did you mean 'doctor'?"),
        ("why --all", "%portia why has no option '--all': there are none"),
        ("show a b", "%portia show takes one RUN|PLAN, not 2: ['a', 'b']"),
        ("use", "%portia use needs a PORTIA: %portia use PORTIA"),
        ("doctor now", "%portia doctor: what is 'now'? it takes no argument"),
    ],
)
def test_a_wrong_subcommand_is_named_with_its_remedy(line: str, message: str):
    with pytest.raises(InvalidOption) as caught:
        parse_line(line)
    assert str(caught.value) == message


def test_a_subcommand_has_its_word_and_its_options():
    given = parse_line("resume prun-1 --answer city=Rome -o r")
    assert given.command.name == "resume"
    assert given.word == "prun-1"
    assert given.pairs("answer") == {"city": "Rome"}
    assert parse_line("show").word is None


@pytest.mark.parametrize("line", ["", "--help", "help"])
def test_a_bare_line_asks_for_help(line: str):
    assert parse_line(line).wants_help


def test_help_is_asked_for_by_any_command():
    assert parse_cell("--plan --help").wants_help
    assert parse_line("resume --help").command.name == "resume"


def test_the_help_names_every_option_and_every_subcommand():
    for command in (CELL, *LINES.values()):
        for option in command.options:
            for flag in option.flags:
                assert flag in help_on(command)
        assert command is CELL or f"%portia {command.name}" in help_on_lines()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  a   b ", ["a", "b"]),
        ("'a b' c", ["a b", "c"]),
        ("x='a b'", ["x='a b'"]),
        ("f(a, b) [1, 2] {1: 2}", ["f(a, b)", "[1, 2]", "{1: 2}"]),
        ("it's fine", ["it's", "fine"]),
        ('x=["]"] y', ['x=["]"]', "y"]),
        ("a) b", ["a)", "b"]),
    ],
)
def test_words_are_split_without_harming_expressions(line: str, words: list[str]):
    assert split(line) == words


def test_a_cell_or_a_run_is_recorded_or_replayed_and_not_both():
    assert parse_cell("--record a.json").one("record") == "a.json"
    assert parse_line("run plan --replay b.json").one("replay") == "b.json"
    assert parse_line("resume --record a.json").one("record") == "a.json"
    for line in ("--record a.json --replay a.json", "--replay a.json --record b.json"):
        with pytest.raises(InvalidOption, match="exclude each other"):
            parse_cell(line)


def test_an_option_with_choices_takes_no_other():
    option = Option(("--to",), "The kind of file.", "FORMAT", choices=("html", "json"))
    command = Command("export", "Write a run into one file.", (option,))
    assert parse(command, ["--to", "json"]).one("to") == "json"
    with pytest.raises(InvalidOption, match=r"^--to htm: did you mean 'html'\?$"):
        parse(command, ["--to", "htm"])
