"""Write docs/commands.md from the one table that declares the notebook's commands.

python scripts/commands_page.py            write the page
python scripts/commands_page.py --check    fail if the page is not what the table says
"""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path

from portia_nb import Portia
from portia_nb.notebook.commands.declared import CELL, LINES, twin_of
from portia_nb.notebook.commands.declaring import Command, Option

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
HEAD = """\
# Commands of the notebook

<!-- Written by scripts/commands_page.py from portia_nb/notebook/commands/declared.py. -->

After `%load_ext portia_nb` a goal goes into a `%%portia` cell, and `%portia COMMAND` works with the
plans and runs there are. Every command is a Python call too, for scripts and for front ends without
magics. `%portia COMMAND --help` says in a notebook what stands here.

`RUN` is a run's id, the beginning of it, or a variable that holds a run; left out, the latest run.
`PLAN` is a variable that holds a plan, or a plan's id. `STEP` is a step's name, or its number as
the views count it, from 1. `name = %portia …` and `-o name` give the result a name; so does
`name <<` in front of the options.
"""


def page() -> str:
    """Return the page as the table has it."""
    return "\n".join([HEAD, *(_section(each) for each in (CELL, *LINES.values()))])


def _section(command: Command) -> str:
    lines = [f"## `{command.call}`", "", command.summary, ""]
    lines += ["```", *command.usage.splitlines(), "```", ""]
    if command.options:
        lines += ["| option | |", "|---|---|", *map(_row, command.options), ""]
    if command.also:
        lines += [f"Also: {', '.join(f'`%portia {name}`' for name in command.also)}.", ""]
    lines += [f"In Python: {_call(command)}", ""]
    return "\n".join(lines)


def _row(option: Option) -> str:
    head = ", ".join(option.flags) + (f" {option.value}" if option.value else "")
    choices = f" One of {', '.join(option.choices)}." if option.choices else ""
    more = " May be given more than once." if option.many else ""
    return f"| `{head}` | {option.help}{choices}{more} |".replace(" | |", " |")


def _call(command: Command) -> str:
    name = twin_of(command)
    if name is None:
        return f"{command.no_twin}."
    found = inspect.getattr_static(Portia, name)
    said = inspect.getdoc(found) or ""
    call = f"portia.{name}" if isinstance(found, property) else f"portia.{name}(…)"
    # What follows a semicolon points at the async form.
    first = said.splitlines()[0].partition(";")[0].rstrip(".")
    return f"`{call}`. {first}."


def main() -> int:
    """Write or check the page, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stdout.write(f"{PAGE} is not what the table says: run `python {sys.argv[0]}`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
