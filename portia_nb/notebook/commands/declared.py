"""Every command and option of the notebook face: one table for parser, help, completion, docs.

To add a command, add its `Command` here, under its heading, and write the function that its `does`
names in a module of yours in this folder; CONTRIBUTING.md says more.
"""

from __future__ import annotations

from .declaring import Command, Option

_OUTPUT = Option(("-o", "--output"), "Bind the result to this variable.", "NAME")
_YES = Option(("--yes",), "Approve the plan and its calls beforehand; the run records that.")
_ANSWER = Option(
    ("--answer",),
    "Answer a question beforehand, by its argument's or its step's name.",
    "NAME=VALUE",
    many=True,
)
_ANSWERS = Option(
    ("--answers",),
    "Answer questions from a variable with a dict, or a JSON file, of names and values.",
    "NAME",
)
_BACKGROUND = Option(("--background",), "Give the prompt back at once; the run goes on.")
_RECORD = Option(("--record",), "Keep what models, tools and people answer in this file.", "FILE")
_REPLAY = Option(("--replay",), "Answer from this record: no key, no network, no call.", "FILE")
_BUDGET = Option(
    ("--budget",),
    "Stop before models cost more: '$0.50', '20k tokens', '30 calls', or several with commas.",
    "AMOUNT",
)
_ROWS = (
    Option(("--limit",), "Only so many rows, from the first: to try it out.", "NUMBER"),
    Option(("--parallel",), "So many rows at once; 8, or 1 with side effects.", "NUMBER"),
    Option(("--reuse",), "Take over what equal rows put out before, side effects or not."),
    Option(("--again",), "Run every row, whatever was done before."),
)
_RUNNING = (_OUTPUT, _YES, _ANSWER, _ANSWERS, _BACKGROUND, _RECORD, _REPLAY, _BUDGET)

_IN = Option(
    ("--in",),
    "Give the plan an input, the value of a Python expression.",
    "NAME=EXPR",
    many=True,
)
_SET = Option(
    ("--set",),
    "Change the step: task, args.NAME, tool, model, … or output, by a Python expression.",
    "FIELD=EXPR",
    many=True,
)
_PLAN = Option(("--plan",), "Run this plan instead, a variable or an id.", "PLAN")

_FILTERS = (
    _OUTPUT,
    Option(("--state",), "In this state: failed, stopped, 'process died', …", "STATE", many=True),
    Option(("--since",), "Made since then: 2d, 12h, or 2026-01-31.", "TIME"),
    Option(("--goal",), "With this text in the goal.", "TEXT"),
    Option(("--forked-from",), "Forks of this run.", "RUN"),
    Option(("--tool",), "Whose plan uses this tool.", "TOOL"),
    Option(("--of-map",), "The runs of this map's rows; a map itself is one line.", "MAP"),
    Option(("--limit",), "At most so many on a page.", "NUMBER"),
    Option(("--page",), "Which page, from 1.", "NUMBER"),
)
_TOOLS = Option(("--tools",), "Plan with these tools only, separated by commas.", "TOOLS")
_MODEL = Option(("--model",), "Use this model, PROVIDER/NAME, for everything.", "MODEL")
_SCHEMA = Option(("--schema",), "Shape the final output as this pydantic model.", "SCHEMA")
_EXPORT = (
    _OUTPUT,
    Option(("--preview",), "Write nothing; list each place that would be redacted, and why."),
    Option(("--without-values",), "Leave out values, arguments, inputs and answers."),
    Option(("--without-emails",), "Take out e-mail addresses, too."),
    Option(("--with-secrets",), "Take nothing out."),
    Option(("--record",), "Of a run that becomes a test: what --record kept of it.", "FILE"),
    Option(("--force",), "Replace a file that is there."),
)

CELL = Command(
    "%%portia",
    "Plan the goal below, show the plan, and run it.",
    twin="run",
    options=(
        Option(("--plan",), "Only plan: show the plan and run nothing."),
        _OUTPUT,
        _IN,
        _TOOLS,
        _MODEL,
        _SCHEMA,
        _YES,
        _ANSWER,
        _ANSWERS,
        _BACKGROUND,
        _RECORD,
        _REPLAY,
        _BUDGET,
        Option(("--each",), "Run the plan for each row of this variable's table.", "ROWS"),
        *_ROWS,
    ),
)

LINES: dict[str, Command] = {
    command.name: command
    for command in (
        # -- plans: make, see and change them ----------------------------------------------------
        Command(
            "plan",
            "Make a plan for a goal, show it, and run nothing.",
            (_OUTPUT, _IN, _TOOLS, _MODEL, _SCHEMA, _RECORD, _REPLAY),
            "GOAL",
            True,
            takes_all=True,
            does="commands.planning:plan",
        ),
        Command(
            "edit",
            "Change a plan: steps, fields, or in words, with undo; by hand, in a form.",
            (_OUTPUT,),
            "PLAN",
            True,
            does="commands.editing:edit",
        ),
        Command(
            "change",
            "Change a plan as words say, and show what changed.",
            (_OUTPUT,),
            "PLAN",
            True,
            "WORDS",
            takes_all=True,
            does="commands.editing:change",
        ),
        Command(
            "undo",
            "Take the latest change of a plan back, and show what that changes.",
            (_OUTPUT, Option(("--redo",), "Do again what was taken back.")),
            "PLAN",
            True,
            no_twin="`portia.edit(plan).undo()`, and `redo()`",
            does="commands.editing:undo",
        ),
        Command(
            "approve",
            "Approve a plan as it is: its runs don't ask whether it may run, until it is changed.",
            (Option(("--by",), "Who approves; else the name of this process's user.", "NAME"),),
            "PLAN",
            True,
            does="commands.editing:approve",
        ),
        Command(
            "plans",
            "List the plans that are kept under a name.",
            twin="named_plans",
            does="commands.editing:plans",
        ),
        # -- runs: start them, attend them, stop them, go on with them ---------------------------
        Command(
            "run",
            "Run a plan, given as a variable or an id.",
            (_IN, *_RUNNING),
            "PLAN",
            True,
            twin="run_plan",
            does="commands.running:run",
        ),
        Command(
            "resume",
            "Go on with a run or a map; finished steps and rows don't run again.",
            _RUNNING,
            "RUN",
            does="commands.running:resume",
        ),
        Command(
            "retry",
            "Try the failed step of a run again; changed by --set, in a fork of the run.",
            (_SET, *_RUNNING),
            "RUN",
            second="STEP",
            does="commands.forks:retry",
        ),
        Command(
            "fork",
            "Run a step of a run again in a new run, and what depends on it; reuse the rest.",
            (_SET, _IN, _PLAN, *_RUNNING),
            "RUN",
            True,
            "STEP",
            does="commands.forks:fork",
        ),
        Command(
            "wait",
            "Wait for a run that goes on in the background.",
            (_OUTPUT,),
            "RUN",
            does="commands.running:wait",
        ),
        Command(
            "cancel",
            "Stop a run or a map; what is done is kept.",
            word="RUN",
            also=("stop",),
            does="commands.running:cancel",
        ),
        Command(
            "map",
            "Run a plan for each row of a variable's table; done rows aren't run again.",
            (
                Option(("--column",), "Take an input from a column.", "NAME=COLUMN", many=True),
                *_ROWS,
                _IN,
                _OUTPUT,
                _YES,
                _ANSWER,
                _ANSWERS,
                _RECORD,
                _REPLAY,
                _BUDGET,
            ),
            "PLAN",
            True,
            "ROWS",
            does="commands.mapping:map_rows",
        ),
        # -- what is kept: look at it, compare it, let go of it ----------------------------------
        Command(
            "show",
            "Show a run, a map or a plan.",
            (_OUTPUT,),
            "RUN|PLAN",
            does="commands.showing:show",
        ),
        Command(
            "runs",
            "List the runs that are kept, latest first; some of them only, as options say.",
            _FILTERS,
            does="commands.history:runs",
        ),
        Command(
            "timeline",
            "Show when each step of a run ran, and what it waited for; of a map, each row.",
            (_OUTPUT,),
            "RUN",
            does="commands.history:timeline",
        ),
        Command(
            "diff",
            "Compare two runs: plan, outputs, cost, time; one alone with what it was forked from.",
            (_OUTPUT,),
            "RUN",
            second="OTHER",
            does="commands.forks:diff",
        ),
        Command(
            "export",
            "Write a run (else the latest), a map or a plan to a file: .html, .json, .jsonl, .py; "
            "of a map .csv.",
            _EXPORT,
            "RUN",
            second="FILE",
            does="commands.exporting:export",
        ),
        Command(
            "forget",
            "Delete a run for good, with all that it kept; a map, with its rows' runs.",
            (),
            "RUN",
            True,
            does="commands.showing:forget",
        ),
        # -- what is here, and what went wrong ---------------------------------------------------
        Command("tools", "List the tools.", does="commands.about:tools"),
        Command(
            "mcp",
            "Show what an MCP server offers, and add its tools; of all servers in use without one.",
            (
                _OUTPUT,
                Option(("--add",), "Add its tools, as they had this digest when shown.", "DIGEST"),
            ),
            "SERVER",
            no_twin="`probe_mcp(config)`, and `portia.with_tools(portia.tools + registry)`",
            does="commands.mcp_servers:mcp",
        ),
        Command(
            "use",
            "Use the Portia of this variable from here on.",
            (),
            "PORTIA",
            True,
            no_twin="the variable itself; a cell uses the one that is called `portia`",
            does="commands.about:use",
        ),
        Command(
            "config",
            "Show the settings in force, and where each value comes from.",
            (Option(("--all",), "Those too that have their defaults."),),
            "SETTING",
            does="commands.settings:config",
        ),
        Command(
            "doctor",
            "Tell what works here, what doesn't, and what to do about it.",
            (Option(("--ask",), "Ask you a question first, to see by which way you can answer."),),
            does="commands.about:doctor",
        ),
        Command(
            "why",
            "Show the full traceback behind the latest error, or why a run or map is as it is.",
            word="RUN",
            does="commands.about:why",
        ),
    )
}


def command_named(name: str) -> Command | None:
    """Return the command that is called `name`, or goes by it as well.

    >>> command_named("resume").call
    '%portia resume'
    """
    return LINES.get(name) or next((each for each in LINES.values() if name in each.also), None)


def twin_of(command: Command) -> str | None:
    """Return the name of the method of `Portia` that does the same, None where there is none.

    >>> twin_of(LINES["run"]), twin_of(LINES["use"])
    ('run_plan', None)
    """
    return None if command.no_twin else command.twin or command.name
