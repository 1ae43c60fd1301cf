"""A map as a file to hand on: its table as CSV, all of it as JSON, or a page for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.plan_svg import plan_to_svg
from portia_nb.drawing.svg import data_uri
from portia_nb.errors import StorageError
from portia_nb.model import codecs
from portia_nb.model.cost import cost_of
from portia_nb.model.plan import Plan

from .exporting import ExportedFile, Wanted, put, redactor_of, target_of
from .map_result import PlanMap
from .map_row import MapRow
from .run_document import made_with

if TYPE_CHECKING:
    from .parts import Parts

MAP_KINDS = {
    ".csv": "its table, a line for each row",
    ".json": "the same for programs, with the plan",
    ".html": "a page for people",
}
FORMAT = "portia-nb map"
MAX_ROWS = 2_000
"""Rows on a page; the files for programs have all of them."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula."""


def export_map(
    parts: Parts, made: PlanMap, target: str | Path | None, wanted: Wanted
) -> ExportedFile:
    """Write a map to a file, as `Portia.export` promises.

    Raises:
        InvalidOption: the suffix says nothing.
        StorageError: the file is there with something else in it, or can't be written.
    """
    path = target_of(target, f"{made.id}.csv", MAP_KINDS, "a map")
    redactor = redactor_of(parts, wanted)
    rows = list(rows_as_json(made, values=wanted.values))
    plan = made.plan.model_dump(mode="json")
    redactor.learn(plan, rows)
    rows, mended = redactor.rows(rows), redactor.plan(plan)
    match path.suffix:
        case ".csv":
            text = csv_text(rows)
        case ".json":
            document = {
                "format": FORMAT,
                "made_with": made_with(),
                "id": made.id,
                "state": made.state,
                "total": made.total,
                "plan": mended,
                "rows": rows,
            }
            text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        case _:
            text = _page(made, rows, _plan_of(made, mended))
    return put(path, text, redactor.found, wanted)


def _plan_of(made: PlanMap, mended: dict[str, Any]) -> Plan:
    try:
        return Plan.model_validate(mended)
    except ValueError as error:
        raise StorageError(
            f"the plan of {made.id} can't be shared: names in it hold secrets, and without them it "
            "is no plan any more",
            run_id=made.id,
        ) from error


def rows_as_json(made: PlanMap, *, values: bool = True) -> Iterator[dict[str, Any]]:
    """Yield each row of a map as plain JSON.

    Args:
        made: the map.
        values: False: without inputs, outputs and questions.
    """
    for row in made.rows:
        told: dict[str, Any] = {"row": codecs.to_plain_json(row.label)}
        if values:
            told["inputs"] = codecs.to_plain_json(made.inputs(row))
            told["output"] = codecs.to_plain_json(row.value)
        yield told | _facts(made, row, values)


def _facts(made: PlanMap, row: MapRow, values: bool) -> dict[str, Any]:
    cost = cost_of(row.spent, made.prices)
    error = None
    if row.error is not None:
        error = {"type": row.error.type, "message": row.error.message, "step": row.error.step}
    return {
        "state": row.state.value,
        "error": error,
        "question": row.question if values else "",
        "reused": row.reused,
        "run_id": row.run_id,
        "calls": cost.calls,
        "tokens": cost.tokens,
        "dollars": cost.dollars,
        "seconds": row.seconds,
    }


def columns_of(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return rows of `rows_as_json` as a table: names, and the cells of each row.

    Outputs that all are dicts of the same keys have a column for each key, ``output.key``.
    """
    inputs = list(dict.fromkeys(name for row in rows for name in row.get("inputs") or {}))
    outputs = [row["output"] for row in rows if row["state"] == "done" and "output" in row]
    keys: list[str] = []
    if outputs and all(isinstance(each, dict) for each in outputs):
        keys = [key for key in outputs[0] if all(key in each for each in outputs)]
        keys = keys if all(len(each) == len(keys) for each in outputs) else []
    has_values = any("inputs" in row for row in rows)
    facts = ["state", "error", "question", "run_id", "calls", "tokens", "dollars", "seconds"]
    made = [f"output.{key}" for key in keys] or (["output"] if has_values else [])
    taken = {"row", *made, *facts}
    names = [f"input.{name}" if name in taken else name for name in inputs]

    def cells(row: Mapping[str, Any]) -> list[Any]:
        given, output, error = row.get("inputs") or {}, row.get("output"), row["error"]
        values = [output.get(key) if isinstance(output, dict) else None for key in keys]
        values = values or ([output] if has_values else [])
        told = dict(row) | {"error": error and f"{error['type']}: {error['message']}"}
        return [row["row"], *map(given.get, inputs), *values, *map(told.get, facts)]

    return ["row", *names, *made, *facts], [cells(row) for row in rows]


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of `rows_as_json` as CSV (RFC 4180): text as it is, other values as JSON.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, as they have it.
    """
    names, table = columns_of(rows)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, names))
    writer.writerows(map(_cell, cells) for cells in table)
    return file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if value.startswith(_FORMULA) and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _page(made: PlanMap, rows: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    from .map_shown import counts_text
    from .page_parts import Room, folded, prose, table
    from .run_page import whole_page

    room = Room()
    names, cells = columns_of(rows)
    shown: list[list[str]] = []
    for each in cells[:MAX_ROWS]:
        texts = ["" if c is None else c if isinstance(c, str) else json.dumps(c) for c in each]
        _, left = room.take("".join(texts))
        if left:
            break
        shown.append([text if len(text) <= 1_000 else f"{text[:1_000]}…" for text in texts])
    more = f" (the first {len(shown):,} of {len(cells):,})" if len(shown) < len(cells) else ""
    query = " ".join(plan.plan_context.query.split())[:1_000] or "Plan"
    steps = ", ".join(step.name for step in plan.steps[:20])
    return whole_page(
        query,
        [
            f"<h1>{prose(query)}, for each row</h1>"
            f"<p>{prose(made.state)} · {prose(counts_text(made.counts))}</p>",
            f"<h2>Rows</h2>{table(names, shown, f'{len(cells):,} rows{more}')}",
            f'<h2>Plan</h2><p><img src="{data_uri(plan_to_svg(plan))}" '
            f'alt="Graph of the steps: {prose(steps)}"></p>{folded(plan.pretty_print(), room)}',
            f"<h2>Where it comes from</h2><dl><dt>Map</dt><dd>{prose(made.id)}</dd>"
            f"<dt>Plan</dt><dd>{prose(str(plan.id))}</dd>"
            f"<dt>Made with</dt><dd>{prose(made_with())}</dd></dl>",
        ],
    )
