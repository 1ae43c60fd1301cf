"""The old ``portia.logger``: portia_nb's log, in the two ways in which old code calls it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from portia_nb.session import log

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class OldLogger(_Adapter):
    """A logger that may be called first: ``logger().info(…)`` does what ``logger.info(…)`` does."""

    def __call__(self) -> OldLogger:
        """Return itself."""
        return self

    def trace(self, message: object, *args: object, **options: Any) -> None:
        """Log `message` at TRACE, below DEBUG."""
        self.log(log.TRACE, message, *args, **options)


logger = OldLogger(log.logger, {})
