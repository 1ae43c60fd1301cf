"""Outputs of equal steps, found in the store for steps that may reuse them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from portia_nb.errors import StorageError
from portia_nb.model.events import StepDone
from portia_nb.model.plan import Plan
from portia_nb.model.values import LocalDataValue, Output
from portia_nb.storage.store import Store
from portia_nb.tools.aside import run_aside
from portia_nb.tools.registry import ToolRegistry

from .opening import classes_of

logger = logging.getLogger("portia_nb")


def recalling(
    store: Store, plan: Plan, tools: ToolRegistry
) -> Callable[[str, float | None], Awaitable[Output | None]]:
    """Return what finds, by its key, an output that a step of `plan` may reuse."""

    async def recall(key: str, max_age_s: float | None) -> Output | None:
        try:
            classes = classes_of(plan, tools)
            found = await run_aside(store.find_cached, key, max_age_s=max_age_s, classes=classes)
        except StorageError as error:
            # What is lost is only the saving: the step is executed.
            logger.warning("an output that could be reused can't be read: %s", error)
            return None
        if found is None or not isinstance(found.event, StepDone):
            return None
        return LocalDataValue(value=found.event.value, summary=found.event.summary)

    return recall
