"""The fault table: each row breaks something many times over and counts what came of it.

A row is a module ``rNN_what.py`` with a `ROW` (see `row.py`), found by its name. ``make faults``
runs every row at full count, ``make faults ROW="R7 R9"`` some of them; ``make test`` runs a sample
of each by the same code (`test_rows.py`). An interrupted run goes on where it was (``FRESH=1``:
from the start), and what the rows printed is kept in ``docs/reliability.md``.

To add a row::

    def one(trial: Trial) -> Facts:
        for number in trial.numbers:          # trial.count of them; most rows: one
            rng = random.Random(number)       # the same number is the same fault
            ...                               # files go into trial.folder
            assert what_must_be_so, "what was found instead"
        return {"losers told": 3, "max lag ms": lag}

    ROW = Row(id="R7", fault="…", full=100, trial=one, sample=(0, 50), holds="one owner each time")

A trial fails by raising; nothing else fails a row. Of the facts that trials return, those that
begin with ``max`` are shown by their largest, the others by their sum. Trials run in worker
processes, `jobs` at once; one that takes longer than `trial_s` is killed with its worker, and
counts as failed. A fault that hits many small cases (values, replies) sets `batch`: so many cases
are one trial, and `full` counts cases.
"""
