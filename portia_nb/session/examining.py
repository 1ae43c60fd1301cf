"""What a `Portia` has to work with: models, keys, tools, store; and what to do about what lacks.

Says which keys are set and never their values. Nothing is sent anywhere but to loopback.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from portia_nb.drawing.clean import clean
from portia_nb.drawing.text import counted
from portia_nb.tools.aside import run_aside

from .finding import latest_runs
from .watchers import findings_of_examiners

if TYPE_CHECKING:
    from .runner import Runner

_PACKAGES = (
    "portia-nb",
    "ipython",
    "ipykernel",
    "ipywidgets",
    "anywidget",
    "jupyterlab",
    "openai",
    "pydantic",
)
_CHECKED_BYTES = 20_000_000
"""Size up to which a store is read from end to end; more would take seconds."""
_LITTLE_BYTES = 200_000_000
_SIGNS = {True: "✓", False: "✗", None: "·"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    topic: str
    what: str
    found: str
    is_fine: bool | None = True
    """None: neither good nor bad."""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, as a table or as text to copy."""

    findings: tuple[Finding, ...]

    def text(self) -> str:
        """Return the findings as plain text, a line each, under their topics."""
        lines: list[str] = []
        width = max((len(each.what) for each in self.findings), default=0) + 2
        topic = ""
        for each in self.findings:
            if each.topic != topic:
                topic = each.topic
                lines += ["", topic] if lines else [topic]
            lines.append(f"  {_SIGNS[each.is_fine]} {each.what:{width}}{each.found}")
        return "\n".join(lines)

    def html(self) -> str:
        """Return the same as HTML: preformatted, so that what is copied is the text itself."""
        return f"<pre>{escape(self.text())}</pre>"

    def bundle(self) -> dict[str, str]:
        """Return the MIME bundle, of HTML and text."""
        return {"text/html": self.html(), "text/plain": self.text()}

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self.bundle()

    def __str__(self) -> str:
        return self.text()


async def examine(portia: Runner) -> Report:
    """Look at all that there is without a notebook, and return what was found.

    Takes about half a second, which the search for model servers on this machine may take.
    """
    servers, store = await _servers(), await run_aside(_store, portia)
    return Report(
        (
            *findings_of_examiners(portia),
            *_models(portia),
            *servers,
            *_tools(portia),
            *store,
            *_drawing(),
            *_versions(),
        )
    )


def _models(portia: Runner) -> Iterable[Finding]:
    from portia_nb.config import KEYS

    topic = "Models"
    provider = portia.config.provider()
    chosen = portia.config.model_for("planning") or portia.config.default_model
    named = f"{provider}" + (f", {chosen}" if isinstance(chosen, str) else "")
    yield Finding(
        topic,
        "provider",
        named if provider or chosen else "none: set a key below, or name a local server",
        bool(provider or chosen),
    )
    for setting, variable in KEYS.items():
        is_set = portia.config.key(setting) is not None
        yield Finding("Keys", variable, "set" if is_set else "not set", is_set or None)


async def _servers() -> Iterable[Finding]:
    from portia_nb.llm.local_servers import find_local_servers

    found = await asyncio.shield(asyncio.ensure_future(find_local_servers()))
    if not found:
        return [Finding("Local model servers", "on this machine", "none answers", None)]
    return [
        Finding(
            "Local model servers",
            str(server.provider.value),
            f"{counted(len(server.models), 'model')}; on with Config.from_default("
            f"default_model={server.model_name!r})",
        )
        for server in found
    ]


def _tools(portia: Runner) -> Iterable[Finding]:
    from portia_nb.tools.aside import threads

    tools = [tool.id for tool in portia.tools]
    yield Finding("Tools", counted(len(tools), "tool"), ", ".join(tools) or "none", bool(tools))
    if hanging := threads.left_alone():
        says = "; ".join(clean(name) for name in hanging)
        yield Finding("Tools", "stopped, and still busy on their threads", says, False)


def _store(portia: Runner) -> list[Finding]:
    """Look at the store: where, on what, how large, how sound; reads it all where it is small."""
    from portia_nb.errors import PortiaBaseError
    from portia_nb.storage.filesystem import is_on_network

    topic, place = "Store", getattr(portia.store, "folder", None)
    try:
        count = len(latest_runs(portia.store, limit=1000))
        if place is None:
            where = "memory: runs end with this process"
            return [Finding(topic, "runs are kept in", f"{where} ({counted(count, 'run')})")]
        found = [Finding(topic, "runs are kept in", f"{place} ({counted(count, 'run')})")]
        folder = Path(place)
        if is_on_network(folder):
            kind = "shared by a network: safe, and slower than a local one"
        else:
            kind = "local"
        found.append(Finding(topic, "file system", kind, None if kind != "local" else True))
        size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
        free = shutil.disk_usage(folder).free
        says = f"{_bytes(size)}, with {_bytes(free)} free"
        found.append(Finding(topic, "size", says, free >= _LITTLE_BYTES))
        found.append(_health(portia, size))
        return found
    except (PortiaBaseError, OSError) as error:
        return [Finding(topic, str(place or "memory"), clean(str(error)), False)]


def _health(portia: Runner, size: int) -> Finding:
    if size > _CHECKED_BYTES:
        return Finding("Store", "health", "large: portia-nb store check reads it all", None)
    report = portia.store.check()
    if report.is_ok:
        return Finding("Store", "health", f"sound: {counted(report.events, 'event')} read")
    first = clean(str(report.findings[0]))
    return Finding("Store", "health", f"{counted(len(report.findings), 'fault')}: {first}", False)


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _drawing() -> Iterable[Finding]:
    from portia_nb.drawing.graphviz_layout import has_dot

    engine = "Graphviz's dot" if has_dot() else "built in (Graphviz's dot isn't on PATH)"
    yield Finding("Pictures", "layout", engine)


def _versions() -> Iterable[Finding]:
    yield Finding("Versions", "Python", platform.python_version())
    for package in _PACKAGES:
        try:
            yield Finding("Versions", package, version(package))
        except PackageNotFoundError:
            # JupyterLab may run in another environment than the kernel.
            is_fine = None if package == "jupyterlab" else False
            yield Finding("Versions", package, "not in this environment", is_fine)
