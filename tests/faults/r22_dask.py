"""R22: workers, schedulers and clients of a scaled-out plan are lost."""

from __future__ import annotations

from .row import Facts, Row, Trial


def none(trial: Trial) -> Facts:
    """Do nothing: there is nothing to break yet."""
    return {}


ROW = Row(
    id="R22",
    fault="Dask: a worker, the scheduler or the client is lost, 1,000 runs",
    full=1_000,
    trial=none,
    sample=(),
    holds="",
    later="comes with scale",
)
