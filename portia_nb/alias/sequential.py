"""`Portia` and `Config` as old code gets them: one step at a time, in the order of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from portia_nb import config
from portia_nb.running.hooks import ExecutionHooks
from portia_nb.session.portia import Portia as AnyOrderPortia
from portia_nb.tools.registry import ToolRegistry


class Config(config.Config):
    """`portia_nb.Config`, whose ``max_parallel_steps`` is 1 unless it is set."""

    max_parallel_steps: int = Field(default=1, ge=1)


class Portia(AnyOrderPortia):
    """`portia_nb.Portia`, which reads its settings as the `Config` of this module."""

    def __init__(
        self,
        config: config.Config | None = None,
        tools: ToolRegistry | Sequence[Any] | None = None,
        execution_hooks: ExecutionHooks | None = None,
        telemetry: Any = None,
    ) -> None:
        """Wire the parts together, as `portia_nb.Portia` does."""
        chosen = Config.from_default() if config is None else config
        super().__init__(chosen, tools, execution_hooks, telemetry)


def default_config(**overrides: Any) -> Config:
    """Return `Config.from_default` of `overrides`."""
    return Config.from_default(**overrides)
