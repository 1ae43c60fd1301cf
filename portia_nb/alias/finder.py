"""The import hook: modules called ``portia…`` that hold our names, each loaded when it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from portia_nb.errors import LeftOut

from .left_out import why_left_out
from .names import HOMES, MODULES

OLD = "portia"
_NOT_OLD = {"as_portia", "load_ipython_extension", "unload_ipython_extension"}


class OldModule(ModuleType):
    """A module under an old path; each of its names is ours, and is loaded at its first use."""

    def __init__(self, name: str, homes: Mapping[str, str]) -> None:
        """Stand under the path `name` and offer the names of `homes`.

        Args:
            name: the old path, e.g. ``portia.plan``.
            homes: by name, which module of `portia_nb` holds it.
        """
        super().__init__(name, f"portia_nb under the old path {name}.")
        self.__homes = dict(homes)
        self.__all__ = sorted(homes)

    def __getattr__(self, name: str) -> Any:
        """Load `name` from its home.

        Raises:
            AttributeError: this path offers no such name; the message says why where that is known.
        """
        home = self.__homes.get(name)
        if home is None:
            raise AttributeError(_refusal(f"{self.__name__}.{name}", self.__homes), name=name)
        found = getattr(import_module(home), name)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing `portia.tool` hangs the module into `portia` under that name, where old code
        # finds the decorator.
        if not (isinstance(value, OldModule) and name in self.__homes):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        """List the names, loaded or not."""
        return [*self.__all__, "__version__"] if self.__name__ == OLD else list(self.__all__)


class OldPaths(MetaPathFinder, Loader):
    """Finds and makes `OldModule`s; knows nothing of any other module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of an old module path, None for a path that isn't under ``portia``.

        Raises:
            LeftOut: there is no such old path, nor such a name in the module above it. ``from
                portia import name`` comes by here too, since every old path counts as a package.
        """
        if fullname != OLD and not fullname.startswith(f"{OLD}."):
            return None
        below = fullname[len(OLD) + 1 :]
        if below and below not in MODULES:
            above = below.rpartition(".")[0]
            known = [*homes_of(above), *MODULES] if above in ("", *MODULES) else [*MODULES]
            raise LeftOut(_refusal(fullname, known), name=fullname)
        return ModuleSpec(fullname, self, origin="portia_nb", is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module for `spec`; its names are loaded later."""
        return OldModule(spec.name, homes_of(spec.name[len(OLD) + 1 :]))

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing but tell the version: an old module has no code."""
        if module.__name__ == OLD:
            module.__dict__["__version__"] = import_module("portia_nb").__version__


def homes_of(below: str) -> dict[str, str]:
    """Return, for each name that an old path offers, the module of ours that holds it.

    Args:
        below: the path below ``portia``; ``""`` is ``portia`` itself, which has every public name.
    """
    names = _public_names() if not below else MODULES[below]
    return {name: f"portia_nb.{HOMES[name]}" if name in HOMES else "portia_nb" for name in names}


def _public_names() -> list[str]:
    public: list[str] = import_module("portia_nb").__all__
    return [name for name in public if name not in _NOT_OLD]


def _refusal(path: str, known: Sequence[str] | Mapping[str, str]) -> str:
    why = why_left_out(path[len(OLD) + 1 :])
    if why is not None:
        return f"{path} is left out: {why}"
    name = path.rpartition(".")[2]
    near = get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "docs/migrating.md lists what there is"
    return f"{path} is no name of the reference SDK that portia_nb knows: {hint}"
