"""A sample of each row of the fault table: the same code as `make faults`, few trials."""

from __future__ import annotations

import pytest

from .row import Row, rows


def marks_of(row: Row) -> list[pytest.MarkDecorator]:
    """Return the row's limit, and what keeps other tests away where it measures times."""
    limit = pytest.mark.timeout(row.trial_s)
    return [limit, pytest.mark.alone] if row.jobs == 1 else [limit]


CASES = [
    pytest.param(row, number, id=f"{row.id}-{number}", marks=marks_of(row))
    for row in rows()
    for number in row.sample
]


@pytest.mark.parametrize(("row", "number"), CASES)
def test_a_sample_of_the_row_holds(row: Row, number: int):
    row.run(number, row.sample_batch)


def test_every_row_is_there_once_and_in_the_order_of_the_table():
    ids = [row.id for row in rows()]
    assert len(ids) == len(set(ids))
    assert ids == sorted(ids, key=lambda name: int(name[1:]))
    assert all(row.sample or row.later for row in rows())
