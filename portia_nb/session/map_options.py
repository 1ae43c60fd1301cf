"""What a caller says of a map beside the plan and the rows, checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from portia_nb.errors import InvalidOption
from portia_nb.model.events import AnyEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """What a caller says of a map beside the plan and the rows; see `Portia.map`."""

    inputs: Mapping[str, str] | None = None
    plan_run_inputs: Mapping[str, Any] | None = None
    limit: int | None = None
    budget: Any = None
    max_parallel: int | None = None
    output: str = "output"
    on_error: str = "continue"
    reuse: bool | None = None
    answers: Mapping[str, Any] | None = None
    end_user: Any = None
    tools: Any = None
    structured_output_schema: Any = None
    gate: bool = False
    first: Sequence[AnyEvent] = ()
    """What the map's record tells before it starts, such as who approved it."""
    take_over: bool = False
    """Go on even where another live process has the map."""
    caller: asyncio.AbstractEventLoop | None = field(default=None, compare=False)

    def check(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            InvalidOption: it says which.
        """
        if self.on_error not in ("continue", "stop"):
            raise InvalidOption(
                f"on_error={self.on_error!r}: 'continue' lets the other rows run, 'stop' doesn't",
                option="on_error",
            )
        most = self.max_parallel
        if most is not None and (type(most) is not int or most < 1):
            raise InvalidOption(
                f"max_parallel={most!r}: it is how many rows run at once, 1 or more",
                option="max_parallel",
            )


def options_of(wanted: Mapping[str, Any]) -> MapOptions:
    """Return the arguments of `Portia.map` as options.

    Raises:
        TypeError: one isn't an argument of it.
    """
    known = {each.name for each in fields(MapOptions)} - {
        *("tools", "gate", "first", "take_over", "caller")
    }
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"map takes no argument {name!r}{hint}")
    return MapOptions(**wanted)


def again(options: MapOptions, **changes: Any) -> MapOptions:
    """Return `options` for going on, with some changed.

    Raises:
        InvalidOption: a name that can't be changed then.
    """
    allowed = ("budget", "answers", "max_parallel", "on_error", "output")
    unknown = [name for name in changes if name not in allowed]
    if unknown:
        raise InvalidOption(
            f"retry takes {', '.join(allowed)}, not {unknown[0]!r}: for another, call map again",
            option=unknown[0],
        )
    return replace(options, **changes)
