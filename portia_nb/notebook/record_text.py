"""A view as plain text: the same words as its HTML, for terminals and front ends without HTML."""

from __future__ import annotations

from textwrap import indent

from portia_nb.drawing.looks import LOOKS

from .shown_output import Shown
from .view_rows import (
    Fold,
    View,
    again_line,
    by_round,
    duration,
    fold_finished,
    said_of,
    state_words,
    waits_of,
)

LARGE = 150
MAX_CELL = 32


def view_to_text(view: View) -> str:
    """Return a view as text: state and title, error, result, questions, then a step a line.

    Guarantees: as safe to print as the view's own text, which has no control characters.
    """
    looks, word = state_words(view)
    steps = view["steps"]
    done = sum(row.get("state") in ("done", "skipped") for row in steps)
    count = f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
    facts = f"{done} of {count}" if view["kind"] == "run" else count
    facts += f", {duration(view['end'])}" if view.get("end") else ""
    facts += f", {view['spent']}" if "spent" in view else ""
    facts += ", scripted model" if view.get("scripted") else ""
    facts += f", {view['approved']}" if view.get("approved") else ""
    lines = [f"{LOOKS[looks].symbol} {word}: {view['title']} ({facts})"]
    if "error" in view:
        lines.append(indent(_error(view["error"]), "  "))
    if "final" in view:
        lines += ["Result:", indent(_output(view["final"]), "  ")]
    lines += [f"? needs you: {question['text']}" for question in view.get("questions", ())]
    if "next" in view:
        lines.append(view["next"])
    number = 0
    for row in fold_finished(by_round(steps), above=LARGE):
        if isinstance(row, Fold):
            number = row.first + len(row.names) - 1
            lines.append(f"   {row.sentence()}")
        else:
            number += 1
            lines.append(_row(number, row))
    if again := again_line(view):
        lines.append(again)
    return "\n".join(lines)


def _row(number: int, row: View) -> str:
    state = row.get("state")
    shown = f"{LOOKS[state].symbol} {LOOKS[state].word}  " if state else ""
    text = f"{number:>2} {shown}{row.get('name', row['path'])}"
    if row.get("tool"):
        text += f"  [{row['tool']}]"
    if "end" in row and "start" in row:
        text += f"  {duration(row['end'] - row['start'])}"
    text += "".join(f", {said}" for said in waits_of(row))
    text += "".join(f"\n     {line}" for line in said_of(row))
    if "error" in row:
        text += "\n" + indent(_error(row["error"]), "     ")
    if "output" in row:
        text += "\n" + indent(_output(row["output"]), "     → ", lambda _: True).replace(
            "\n     → ", "\n       "
        )
    return text


def _error(error: View) -> str:
    where = f" in step {error['step']}" if "step" in error else ""
    return f"{error['type']}{where}: {error['message']}"


def _output(output: Shown) -> str:
    parts: list[str] = []
    if "summary" in output:
        parts.append(output["summary"])
    text = output.get("text", output.get("json"))
    if text is not None:
        parts.append(text)
    if "table" in output:
        rows = [output["table"]["columns"], *output["table"]["rows"]]
        cells = [[cell[:MAX_CELL] for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
        parts += [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
    if "image" in output:
        parts.append(f"[{output['image']['about']}]")
    if "cut" in output:
        parts.append(f"… {output['cut']}")
    return "\n".join(parts)
