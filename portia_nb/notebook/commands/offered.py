"""What may stand for an argument or a value in a command, by what its declaration calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.notebook.face import Face

MAX_KEPT = 50
"""Runs of the store that are offered, latest first."""
MCP_CONFIGS = ("StdioMcpClientConfig", "SseMcpClientConfig", "StreamableHttpMcpClientConfig")
"""Types of the variables that describe an MCP server."""


def offer(face: Face, kind: str, given: Sequence[str] = ()) -> list[str]:
    """Return what may stand for `kind`; none where anything may, or nothing is known.

    Quick, and with no effect: a store that isn't open stays closed, and nobody is asked.

    Args:
        face: the notebook face.
        kind: the placeholder of the declaration, such as ``"RUN"``.
        given: the arguments that stand before it.
    """
    known = _OFFERS.get(kind)
    return [] if known is None else list(known(face, given))


def variables(face: Face, wanted: Callable[[Any], bool] | None = None) -> list[str]:
    """Return the user's variables whose value is `wanted`; by default those that hold data."""
    is_wanted = wanted or _is_data
    return [
        name
        for name, value in face.shell.user_ns.items()
        if not name.startswith("_")
        and name not in face.shell.user_ns_hidden
        and value is not None
        and is_wanted(value)
    ]


def holds_rows(value: Any) -> bool:
    """Tell whether `value` may be the table of a map: a DataFrame, or dicts in a list."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(each, dict) for each in value)
    return type(value).__name__ == "DataFrame"


def _is_data(value: Any) -> bool:
    return not isinstance(value, type | ModuleType) and not (
        callable(value) and hasattr(value, "__qualname__")
    )


def holds(*names: str) -> Callable[[Any], bool]:
    """Return what tells whether a value is of one of these types, by their names.

    So that a completion imports nothing.
    """
    return lambda value: type(value).__name__ in names


def _plans(face: Face, _: Sequence[str]) -> Iterable[str]:
    return [*variables(face, holds("Plan")), *face.plans]


def _runs(face: Face, _: Sequence[str]) -> Iterable[str]:
    mine = variables(face, holds("PlanRun", "LiveRun", "PlanMap"))
    return [*mine, *face.runs, *_kept_runs(face)]


def _kept_runs(face: Face) -> Iterable[str]:
    from portia_nb.errors import PortiaBaseError
    from portia_nb.session.finding import latest_runs

    try:
        store = face.portia().store
        if not store.is_open:
            return ()
        return [row.run_id for row in latest_runs(store, MAX_KEPT)]
    except PortiaBaseError:  # whoever uses it is told
        return ()


def _runs_and_plans(face: Face, given: Sequence[str]) -> Iterable[str]:
    return [*_runs(face, given), *_plans(face, given)]


def _steps(face: Face, given: Sequence[str]) -> Iterable[str]:
    """Return the places of the steps of the run or plan before it, where this kernel knows it."""
    plan = plan_known(face, given[0]) if given else None
    if plan is None:
        return ()
    return ("/".join(s.name for s in (*p.around, p.step)) for p in plan.names.places)


def plan_known(face: Face, word: str) -> Plan | None:
    """Return the plan that `word` names, or the plan of the run that it names, if this kernel can.

    Without a look into the store.
    """
    value = face.shell.user_ns.get(word)
    if type(value).__name__ == "Plan":
        return value
    if word in face.plans:
        return face.plans[word]
    attended = face.runs.get(str(getattr(value, "id", word)))
    if attended is not None:
        return attended.live.plan
    return face.plans.get(str(getattr(value, "plan_id", "")))


def _inputs(face: Face, given: Sequence[str]) -> Iterable[str]:
    plan = plan_known(face, given[0]) if given else None
    if plan is None:
        return variables(face)
    return [each.name.removeprefix("$") for each in plan.plan_inputs]


def _tools(face: Face, _: Sequence[str]) -> Iterable[str]:
    return [tool.id for tool in face.portia().tools]


def _models(face: Face, _: Sequence[str]) -> Iterable[str]:
    """Return the models that are named anywhere in the settings, and those of each provider."""
    from portia_nb.llm.presets import PRESETS

    config = face.portia().config
    named = [getattr(config, name) for name in type(config.models).model_fields]
    presets = [
        f"{provider}/{model}"
        for provider, preset in PRESETS.items()
        for model in preset.models.values()
    ]
    local = [f"{provider}/" for provider, preset in PRESETS.items() if preset.is_local]
    return [*(each for each in named if isinstance(each, str)), *presets, *local]


def schemas(face: Face) -> list[str]:
    """Return the variables that hold pydantic models of the user's own."""

    def is_theirs(value: Any) -> bool:
        return (
            isinstance(value, type)
            and bool(getattr(value, "model_fields", None))
            and not value.__module__.startswith("portia_nb.")
        )

    return variables(face, is_theirs)


def _files(_: Face, __: Sequence[str]) -> Iterable[str]:
    return sorted(path.name for path in Path().glob("*.json"))


def _answers(face: Face, given: Sequence[str]) -> Iterable[str]:
    return [*variables(face, lambda value: isinstance(value, dict)), *_files(face, given)]


def _settings(face: Face, _: Sequence[str]) -> Iterable[str]:
    magics: Any = face.settings
    mine = (f"PortiaMagics.{name}" for name in magics.trait_names(config=True))
    return [*type(face.portia().config).model_fields, *mine]


def _states(_: Face, __: Sequence[str]) -> Iterable[str]:
    from portia_nb.session.history import DIED, WORDS

    return [f'"{word}"' if " " in word else word for word in (*WORDS.values(), DIED)]


_OFFERS: Mapping[str, Callable[[Face, Sequence[str]], Iterable[str]]] = {
    "PLAN": _plans,
    "RUN": _runs,
    "MAP": lambda face, _: variables(face, holds("PlanMap")),
    "OTHER": _runs,
    "RUN|PLAN": _runs_and_plans,
    "STEP": _steps,
    "TOOL": _tools,
    "TOOLS": _tools,
    "MODEL": _models,
    "SCHEMA": lambda face, _: schemas(face),
    "FILE": _files,
    "ANSWERS": _answers,
    "PORTIA": lambda face, _: variables(face, holds("Portia")),
    "SERVER": lambda face, _: variables(face, holds(*MCP_CONFIGS)),
    "SETTING": _settings,
    "STATE": _states,
    "ROWS": lambda face, _: variables(face, holds_rows),
    "INPUT": _inputs,
    "FIELD=EXPR": lambda *_: ("task", "args.", "tool", "model", "output"),
    "VALUE": lambda face, _: variables(face),
}
