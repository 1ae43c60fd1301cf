"""``%portia config``: which settings are in force, and where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portia_nb.config import Config
from portia_nb.errors import InvalidOption
from portia_nb.session.settings_table import PRECEDENCE, SettingRow, rows_of, shown, table_text

from .nearness import nearest

if TYPE_CHECKING:
    from portia_nb.notebook.face import Face

    from .call import Call

NOTEBOOK = "PortiaMagics"
"""What stands before a setting of the notebook face in ``%config``."""


async def config(call: Call) -> list[SettingRow]:
    """Show the settings in force, or one of them, and return them as rows."""
    chosen = call.face.portia().config
    mine = _settings_of(call.face)
    if (name := call.options.word) is not None:
        row = next((row for row in mine if name in (row.name, row.name.rpartition(".")[2])), None)
        if row is None and name not in Config.model_fields:
            known = [*Config.model_fields, *(row.name for row in mine)]
            near = nearest(name, known)
            hint = near if near.startswith("did") else "%portia config --all lists them"
            raise InvalidOption(f"%portia config: no setting {name!r}: {hint}", option=name)
        rows = [row or SettingRow(name, shown(chosen, name), chosen.origin(name))]
        call.face.say(table_text(rows))
        return rows
    every = call.options.is_on("all")
    rows = rows_of(chosen, every=every) + [r for r in mine if every or r.origin != "default"]
    text = table_text(rows) if rows else "Every setting has its default."
    left = len(Config.model_fields) + len(mine) - len(rows)
    more = f"\n{left} more have their defaults: %portia config --all" if left else ""
    first = "; ".join(f"{n}. {place}" for n, place in enumerate(PRECEDENCE, 1))
    call.face.say(f"{text}{more}\n\nWhat counts first: {first}.")
    return rows


def _settings_of(face: Face) -> list[SettingRow]:
    """Return the settings of the notebook face, which ``%config PortiaMagics`` holds."""
    magics: Any = face.settings
    return [
        SettingRow(
            f"{NOTEBOOK}.{name}",
            str(getattr(magics, name)),
            "default" if getattr(magics, name) == trait.default_value else "%config",
        )
        for name, trait in magics.traits(config=True).items()
    ]
