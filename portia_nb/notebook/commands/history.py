"""``%portia runs`` and ``timeline``: find runs among all that are kept; see what took its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portia_nb.errors import InvalidOption

from .named import map_named, run_named

if TYPE_CHECKING:
    from portia_nb.drawing.timeline import Timeline
    from portia_nb.session.history import RunHistory

    from .call import Call


async def runs(call: Call) -> RunHistory:
    """Show the runs that the line asks for."""
    options = call.options
    origin, mapped = options.one("forked_from"), options.one("of_map")
    found = await call.face.portia().aruns(
        state=options.values.get("state"),
        since=options.one("since"),
        goal=options.one("goal"),
        forked_from=None if origin is None else run_named(call.face, origin),
        tool=options.one("tool"),
        of_map=None if mapped is None else map_named(call.face, mapped) or mapped,
        limit=_number(options.one("limit"), "limit", 50),
        page=_number(options.one("page"), "page", 1),
    )
    call.face.display(found)
    call.face.give(options.one("output"), found)
    return found


async def timeline(call: Call) -> Timeline:
    """Show when each step of a run ran, and what it waited for; of a map, each row."""
    meant = map_named(call.face, call.options.word) or run_named(call.face, call.options.word)
    found = await call.face.portia().atimeline(meant)
    call.face.display(found)
    call.face.give(call.options.one("output"), found)
    return found


def _number(text: str | None, option: str, default: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal():
        raise InvalidOption(f"--{option} {text}: a whole number is needed", option=f"--{option}")
    return int(text)
