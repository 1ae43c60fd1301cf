"""The commands and options of `portia-nb`, declared once for parsing and for help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, NoReturn

from portia_nb.config import KEYS
from portia_nb.drawing.clean import clean

from .profiles import USAGE as USAGE_OF_CONFIG
from .settings import LISTED_BY, add_settings
from .status import USAGE
from .store_actions import add_store_actions

PROG = "portia-nb"
_EPILOG = f"""\
`{PROG} COMMAND --help` shows a command's options, `{PROG} {LISTED_BY} --help` the settings.
exit status: 0 complete, 1 failed, 2 wrong usage, 3 waiting for an answer, 130 interrupted.
Results go to standard output, all else to standard error."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {clean(message)}\n")


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, _Parser]:
    """Return what a command line says, and the parser of its command, for usage errors.

    Raises:
        SystemExit: status 2, a usage error that names what was probably meant; status 0 after help.
    """
    parser = _Parser(
        prog=PROG,
        description="Plan, watch, steer and keep agent runs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = _add_commands(parser)
    known = list(dict.fromkeys(name.partition(" ")[0] for name in commands))
    if argv and not argv[0].startswith("-") and argv[0] not in known:
        parser.error(f"no command {argv[0]!r}: {_nearest(argv[0], known)}")
    actions = [name.partition(" ")[2] for name in commands if name.startswith("store ")]
    if argv[:1] == ["store"] and (word := [*argv, "-"][1])[0] != "-" and word not in actions:
        parser.error(f"store has no action {word!r}: {_nearest(word, actions)}")
    args, unknown = parser.parse_known_args(argv)
    action = getattr(args, "action", "")
    own = commands.get(f"{args.command} {action}".rstrip(), parser)
    args.more = unknown
    if unknown and args.command != "lab":
        _refuse(own, unknown[0])
    return args, own


def _refuse(parser: _Parser, word: str) -> NoReturn:
    if not word.startswith("-"):
        parser.error(f"{word!r} is too much")
    option = word.partition("=")[0]
    setting = option.lstrip("-").replace("-", "_")
    if setting in KEYS:
        parser.error(
            f"{option}: keys are no options, since others can see them; set {KEYS[setting]} in the "
            f"environment or in .env, or type it after `{PROG} config set {setting}`"
        )
    known = [name for action in parser._actions for name in action.option_strings]
    own = [a for a in parser._actions if a.help is not argparse.SUPPRESS]
    there_are = [name for action in own for name in action.option_strings]
    parser.error(f"no option {option!r}: {_nearest(option, known, there_are)}")


def _nearest(word: str, known: list[str], there_are: Sequence[str] = ()) -> str:
    # Without the dashes, which all options share: with them anything is near to something.
    plain = {name.lstrip("-"): name for name in known}
    near = get_close_matches(word.lstrip("-"), list(plain), n=1)
    return (
        f"did you mean {plain[near[0]]!r}?"
        if near
        else f"there are: {', '.join(there_are or known)}"
    )


def _add_commands(parser: _Parser) -> dict[str, _Parser]:
    found = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", required=True, parser_class=_Parser
    )
    made: dict[str, _Parser] = {}

    def add(
        name: str, summary: str, words: str = "", *, json: bool = True, of: Any = found
    ) -> _Parser:
        # The generated usage would be twenty lines of settings.
        usage = " ".join([PROG, name, *([words] if words else []), "[options]"])
        made[name] = of.add_parser(
            name.split()[-1],
            prog=f"{PROG} {name}",
            help=summary,
            description=f"{summary}.",
            usage=usage,
            allow_abbrev=False,
        )
        made[name].add_argument("--debug", action="store_true", help="show tracebacks of errors")
        if json:
            made[name].add_argument(
                "--json", action="store_true", help="print JSON on standard output, nothing else"
            )
        return made[name]

    run = add("run", "Plan a query and run the plan", "QUERY")
    _add_query(run)
    _add_run_options(run)
    run.add_argument("--plan-only", action="store_true", help="show the plan and stop")

    plan = add("plan", "Make a plan for a query and show it", "QUERY")
    _add_query(plan)
    _add_tools(plan)
    _add_inputs(plan)

    run_plan = add("run-plan", "Run a plan that was kept, or that a file holds", "FILE|ID")
    run_plan.add_argument(
        "plan", metavar="FILE|ID", help="a JSON file ('-': standard input), or a plan's id"
    )
    _add_run_options(run_plan)

    _add_map(add("map", "Run a plan for each row of a file, or go on with a map", "PLAN ROWS|MAP"))

    resume = add("resume", "Go on with a run that was stopped, asks, failed, or was killed", "RUN")
    _add_run(resume)
    _add_answers(resume)
    _add_tools(resume)
    resume.add_argument(
        "--take-over", action="store_true", help="even where another live process has the run"
    )

    _add_forks(add)

    _add_filters(add("runs", "List the runs that are kept, newest first"))
    _add_run(add("show", "Show a run that is kept, or a plan", "RUN"), what="a run or a plan")
    _add_export(add("export", "Write a run or a plan to a file to hand on", "RUN|PLAN [FILE]"))
    add("list-tools", "List the tools that plans can use")
    actions = add("store", "Look after the store of runs", "ACTION", json=False).add_subparsers(
        dest="action", metavar="ACTION", title="actions", required=True, parser_class=_Parser
    )
    del made["store"]
    add_store_actions(partial(add, of=actions))
    config = add(
        "config",
        "Show settings and where each comes from, or change a profile of them",
        "[list|get SETTING|set SETTING VALUE|unset SETTING|use PROFILE|profiles|path]",
    )
    config.add_argument("action", nargs="?", default="list", choices=tuple(USAGE_OF_CONFIG))
    config.add_argument("words", nargs="*", metavar="SETTING|VALUE|PROFILE")
    config.add_argument("--all", action="store_true", help="list defaults too")
    for name, each in made.items():
        add_settings(each, listed=name == LISTED_BY)
    add("lab", "Open JupyterLab, which gets all further options", json=False)
    add("version", "Print the version", json=False)
    return made


def _add_forks(add: Any) -> None:
    about = "task, args.NAME, tool, model, … or output; VALUE is JSON, else text"
    retry = add("retry", "Try the failed step of a run again, perhaps changed", "RUN [STEP]")
    fork = add(
        "fork",
        "Run a step of a run again in a new run, and what depends on it; reuse the rest",
        "RUN [STEP]",
    )
    for each in (retry, fork):
        _add_run(each)
        each.add_argument(
            "step", nargs="?", metavar="STEP", help="a step's name, place, or number from 1"
        )
        each.add_argument(
            "--set", action="append", default=[], metavar="FIELD=VALUE", help=f"change it: {about}"
        )
        _add_answers(each)
        _add_tools(each)
    retry.add_argument(
        "--take-over", action="store_true", help="even where another live process has the run"
    )
    diff = add("diff", "Compare two runs: plan, outputs, cost, time", "RUN [OTHER]")
    _add_run(diff)
    diff.add_argument(
        "other", nargs="?", metavar="OTHER", help="another; none: what RUN was forked from"
    )
    _add_inputs(fork)
    fork.add_argument("--plan", metavar="FILE|ID", help="run this plan instead of the run's own")


def _add_map(mapped: _Parser) -> None:
    mapped.add_argument(
        "plan", metavar="PLAN|MAP", help="a JSON file, a plan's id; or a map's id, to go on"
    )
    mapped.add_argument(
        "rows",
        nargs="?",
        metavar="ROWS",
        help="a .csv, .json or .jsonl file, or '-': JSON lines on standard input",
    )
    mapped.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help="take an input of the plan from a column of another name (repeatable)",
    )
    mapped.add_argument("--limit", type=int, metavar="N", help="only so many rows, from the first")
    mapped.add_argument(
        "--parallel", type=int, metavar="N", help="so many rows at once; 8, or 1 with side effects"
    )
    again = mapped.add_mutually_exclusive_group()
    again.add_argument(
        "--reuse",
        action="store_true",
        help="take over what equal rows put out before, side effects or not",
    )
    again.add_argument(
        "--again", action="store_true", help="run every row, whatever was done before"
    )
    _add_run_options(mapped)


def _add_export(export: _Parser) -> None:
    _add_run(export, what="a run or a plan")
    export.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="its suffix says what it becomes: .html, .json, .jsonl (a trace), .py; of a map, "
        "also .csv",
    )
    for option, about in (
        ("--preview", "write nothing; list each place that would be redacted, and why"),
        ("--without-values", "leave out values, arguments, inputs and answers"),
        ("--without-emails", "take out e-mail addresses, too"),
        ("--with-secrets", "take nothing out"),
        ("--force", "replace a file that is there"),
    ):
        export.add_argument(option, action="store_true", help=about)


def _add_filters(runs: _Parser) -> None:
    runs.add_argument(
        "--state",
        action="append",
        default=[],
        metavar="STATE",
        help="only runs in this state, e.g. failed, stopped or 'process died' (repeatable)",
    )
    runs.add_argument("--since", metavar="TIME", help="since then: 2d, 12h, or 2026-01-31")
    runs.add_argument("--goal", metavar="TEXT", help="only runs with this in their goal")
    runs.add_argument("--forked-from", metavar="RUN", help="only forks of this run")
    runs.add_argument("--tool", metavar="ID", help="only runs whose plan uses this tool")
    runs.add_argument(
        "--of-map", metavar="MAP", help="the runs of this map's rows; a map itself is one line"
    )
    runs.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many")
    runs.add_argument("--page", type=int, default=1, metavar="N", help="which page of so many")


def _add_query(parser: _Parser) -> None:
    parser.add_argument("query", nargs="+", metavar="QUERY", help="what is wanted, in plain words")


def _add_run(parser: _Parser, what: str = "a run") -> None:
    parser.add_argument("run", metavar="RUN", help=f"id of {what}, or the beginning of it")


def _add_run_options(parser: _Parser) -> None:
    _add_answers(parser)
    _add_tools(parser)
    _add_inputs(parser)


def _add_answers(parser: _Parser) -> None:
    parser.add_argument(
        "--yes", action="store_true", help="approve the plan and its calls; the run records that"
    )
    parser.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="answer a question beforehand, by its argument's or its step's name (repeatable)",
    )
    parser.add_argument("--answers", metavar="FILE", help="answers as a JSON object")


def _add_tools(parser: _Parser) -> None:
    parser.add_argument("--tools", metavar="ID,ID", help="use these tools only")


def _add_inputs(parser: _Parser) -> None:
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of an input of the plan (repeatable)",
    )
