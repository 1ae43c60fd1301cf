"""`as_portia`: let old code's ``import portia`` find portia_nb, in this process."""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from types import ModuleType

from portia_nb.errors import AliasRefused

from .finder import OLD, OldModule, OldPaths

_DISTRIBUTION = "portia-sdk-python"


def as_portia() -> ModuleType:
    """Let ``import portia`` and its old module paths mean portia_nb from now on, in this process.

    Code written for the reference SDK then runs as it stands. What is made through the old names
    runs in the reference's order: one step at a time, in the order of the plan, unless a config
    sets ``max_parallel_steps``. Names of ours that the reference hasn't got are there too. A name
    that is left out says so, and why, when it is imported.

    Nothing is written to disk, and calling it again changes nothing.

    Returns:
        The module ``portia``.

    Raises:
        AliasRefused: a real `portia` is installed, or another one was imported already.

    >>> from portia_nb import as_portia
    >>> portia = as_portia()
    >>> from portia.plan import Plan
    >>> Plan is portia.Plan
    True
    """
    loaded = sys.modules.get(OLD)
    if not isinstance(loaded, OldModule):
        _refuse_another(loaded)
        if not any(isinstance(finder, OldPaths) for finder in sys.meta_path):
            sys.meta_path.insert(0, OldPaths())
    return import_module(OLD)


def _refuse_another(loaded: ModuleType | None) -> None:
    """Refuse to stand in for a module that is really there.

    Raises:
        AliasRefused: it is imported, or could be.
    """
    instead = "change the import to `portia_nb` instead"
    if loaded is not None:
        where = getattr(loaded, "__file__", None) or "somewhere"
        raise AliasRefused(
            f"a module 'portia' is imported already, from {where}: call as_portia() before the "
            f"first `import portia`, in a fresh kernel or process, or {instead}",
            found=where,
        )
    try:
        version = metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        version = None
    if version is not None:
        raise AliasRefused(
            f"{_DISTRIBUTION} {version} is installed here, and as_portia() takes nobody's place: "
            f"uninstall it (pip uninstall {_DISTRIBUTION}), or {instead}",
            found=version,
        )
    # A folder that happens to be called portia has no origin, and is no module of anybody's.
    if (spec := find_spec(OLD)) is not None and spec.origin is not None:
        raise AliasRefused(
            f"another module 'portia' can be imported here, from {spec.origin}: as_portia() takes "
            f"nobody's place. Rename or uninstall it, or {instead}",
            found=spec.origin,
        )
