"""Hatchling's build hook: builds view and labextension for the wheel and the sdist."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def load_labextension(root: str) -> ModuleType:
    """Return `scripts/labextension.py` as a module; hatchling loads this file by its path."""
    spec = importlib.util.spec_from_file_location(
        "portia_nb_labextension", Path(root) / "scripts" / "labextension.py"
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no scripts/labextension.py in {root}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class LabextensionHook(BuildHookInterface):
    """Build both if they aren't there, and ship the extension where JupyterLab looks for it.

    The view lies inside the package and goes with it. An editable install ships nothing:
    `scripts/labextension.py` builds and links instead, so that a change is seen without another
    install, and so that it works without Node.js.
    """

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what the build environment needs: a Node.js only where there is none."""
        labextension = load_labextension(self.root)
        if labextension.is_built():
            return []
        node = [] if labextension.node_on_path() else [labextension.NODE_PACKAGE]
        return [*self.metadata.core.optional_dependencies["build"], *node]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and add the result to what is packed."""
        if version == "editable":
            return
        labextension = load_labextension(self.root)
        labextension.build()
        if self.target_name == "wheel":
            place = labextension.INSTALLED.as_posix()
            for name in ("install.json", "package.json", "static"):
                build_data["shared_data"][str(labextension.BUILT / name)] = f"{place}/{name}"
