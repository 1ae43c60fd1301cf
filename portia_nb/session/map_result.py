"""What a map came to: each row with its output, its state and what it cost; and how to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from portia_nb.errors import InvalidOption, InvalidPlanRunStateError
from portia_nb.model.cost import RunCost, StepCost, cost_of
from portia_nb.model.plan import Plan
from portia_nb.model.prices import Price
from portia_nb.model.run import PlanRun

from .map_row import MapRow, RowState, spent_of
from .map_rows import Rows

if TYPE_CHECKING:
    import pandas


class Mapper(Protocol):
    """What a result needs of the `Portia` that made it."""

    def get_run(self, plan_run_id: Any) -> PlanRun:
        """Return a kept run."""
        ...

    def resolve_clarification(
        self, clarification: Any, response: Any, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Answer a question of a run."""
        ...


class PlanMap:
    """A plan run for each row of a table, as it stood when it was handed out.

    It shows itself in a notebook and prints as text. `to_frame` joins the outputs to the rows.
    """

    def __init__(
        self,
        map_id: str,
        plan: Plan,
        rows: Rows,
        outcomes: Sequence[MapRow],
        *,
        stop_reason: str = "",
        seconds: float = 0.0,
        already: int = 0,
        output: str = "output",
        prices: Mapping[str, Price] | None = None,
        mapper: Mapper,
        again: Callable[..., PlanMap],
    ) -> None:
        """Hold what a map came to; `Portia.map` makes these.

        Args:
            map_id: the map's id.
            plan: what was run.
            rows: the rows.
            outcomes: how far each has got.
            stop_reason: why it ended before all rows were done.
            seconds: how long it took.
            already: rows that were done when this map went on, which it had begun before.
            output: the name of the column of outputs.
            prices: prices that come before the list's.
            mapper: the `Portia`.
            again: goes on with the map, with further arguments of `Portia.map`.
        """
        self.id = map_id
        self.plan = plan
        self.stop_reason = stop_reason
        self.seconds = seconds
        self.already = already
        self.output = output
        self._rows = rows
        self._outcomes = tuple(outcomes)
        self.prices = prices
        self._mapper = mapper
        self._again = again

    # -- what there is ---------------------------------------------------------------------------

    @property
    def rows(self) -> tuple[MapRow, ...]:
        """Each row, in the table's order."""
        return self._outcomes

    @property
    def total(self) -> int:
        """How many rows were given, of which `limit` may have let through the first few."""
        return self._rows.total

    @property
    def counts(self) -> Counter[RowState]:
        """How many rows are in which state."""
        return Counter(row.state for row in self._outcomes)

    @property
    def is_complete(self) -> bool:
        """True: every row is done."""
        return all(row.state is RowState.DONE for row in self._outcomes)

    @property
    def state(self) -> str:
        """How it stands, in a few words, such as ``done, 2 of 50 rows failed``."""
        from .map_shown import state_text

        return state_text(self.counts)

    @property
    def outputs(self) -> list[Any]:
        """The output of each row, None where there is none."""
        return [row.value for row in self._outcomes]

    @property
    def failed(self) -> tuple[MapRow, ...]:
        """The rows that failed."""
        return self.in_state(RowState.FAILED)

    @property
    def waiting(self) -> tuple[MapRow, ...]:
        """The rows whose runs ask something; `answer` answers them."""
        return self.in_state(RowState.WAITING)

    def in_state(self, state: RowState | str) -> tuple[MapRow, ...]:
        """Return the rows in a state, such as ``"not run"``."""
        return tuple(row for row in self._outcomes if row.state == state)

    @property
    def runs(self) -> Runs:
        """The run of each row, read from the store when it is asked for."""
        return Runs(self._outcomes, self._mapper)

    @property
    def cost(self) -> RunCost:
        """What all rows together had spent on models."""
        return cost_of(spent_of(list(self._outcomes)), self.prices)

    def row(self, label: Any) -> MapRow:
        """Return the row with this label: the frame's index, else its number.

        Args:
            label: the label, or a row itself, of this map or of how it stood before.

        Raises:
            InvalidOption: there is none, or more than one.
        """
        if isinstance(label, MapRow):
            return self._outcomes[label.number]
        named = [row for row in self._outcomes if row.label == label]
        if len(named) == 1:
            return named[0]
        if named:
            raise InvalidOption(
                f"{len(named)} rows of {self.id} are called {label!r}: pass the row itself, such "
                f"as .rows[{named[0].number}]",
                option="row",
            )
        raise InvalidOption(
            f"{self.id} has no row {label!r}: its rows are named by the table's index", option="row"
        )

    def inputs(self, row: MapRow) -> dict[str, Any]:
        """Return what a row's run was given, by name."""
        return self._rows.inputs(row.number)

    def to_frame(self, *, columns: bool = True) -> pandas.DataFrame:
        """Return a pandas DataFrame with a row for each, under the index of the table.

        Args:
            columns: True: the columns of the table come first, as they were; False: only the new.

        Returns:
            The new columns are the outputs, under the name that `output` gave (those that are
            dicts with the same keys also one by one, as ``output.key``), then ``state``, ``error``
            (type and message; missing where there is none), ``run_id``, ``calls``, ``tokens``,
            ``dollars`` (missing where unknown) and ``seconds``. One that the table has already gets
            ``map_`` in front.
        """
        import pandas

        found = self._outcomes
        costs = [_cost_of_row(row, self.prices) for row in found]
        made: dict[str, list[Any]] = {self.output: [row.value for row in found]}
        for key in _common_keys([row.value for row in found if row.state is RowState.DONE]):
            made[f"{self.output}.{key}"] = [
                row.value.get(key) if isinstance(row.value, dict) else None for row in found
            ]
        made |= {
            "state": [row.state.value for row in found],
            "error": [error_text(row) for row in found],
            "run_id": [row.run_id for row in found],
            "calls": [cost.calls for cost in costs],
            "tokens": [cost.tokens for cost in costs],
            "dollars": [cost.dollars for cost in costs],
            "seconds": [row.seconds for row in found],
        }
        before = self._given_frame() if columns else pandas.DataFrame(index=self._index())
        taken = set(before.columns)
        for name, column in made.items():
            # As objects where they are outputs: text stays text, and a list stays one cell.
            own = f"map_{name}" if name in taken else name
            kind = object if name.startswith(self.output) else None
            values = pandas.Series(column, index=before.index, dtype=kind)
            before[own] = values.infer_objects() if kind is object else values
        return before

    def _index(self) -> Any:
        source = self._rows.source
        if hasattr(source, "iloc"):
            return source.index
        return [row.label for row in self._outcomes]

    def _given_frame(self) -> Any:
        import pandas

        source = self._rows.source
        if hasattr(source, "iloc"):
            return source.copy()
        if hasattr(source, "to_dicts"):
            return pandas.DataFrame(source.to_dicts())
        if source is not None:
            return pandas.DataFrame(list(source), index=self._index())
        return pandas.DataFrame(
            [self._rows.inputs(row.number) for row in self._outcomes], index=self._index()
        )

    # -- going on --------------------------------------------------------------------------------

    def retry(self, **changes: Any) -> PlanMap:
        """Go on with the rows that aren't done, and return the map as it ended then.

        Those that failed are tried again, those that were stopped go on, those that wait are asked
        again (`answers=` answers them), and those that were never begun begin.

        Args:
            changes: ``budget``, ``answers``, ``max_parallel``, ``on_error`` or ``output`` as in
                `Portia.map`.
        """
        return self._again(**changes)

    def answer(self, label: Any, response: Any) -> PlanRun:
        """Answer the question of a waiting row, and return its run; `retry` then goes on.

        Args:
            label: which row: the frame's index, else its number; or a row of `rows`.
            response: the answer.

        Raises:
            InvalidOption: there is no such row.
            InvalidPlanRunStateError: it asks nothing.
            InvalidAnswer: the question doesn't allow it.
        """
        row = self.row(label)
        run = None if row.run_id is None else self._mapper.get_run(row.run_id)
        asked = [] if run is None else run.get_outstanding_clarifications()
        if not asked:
            raise InvalidPlanRunStateError(
                f"row {label!r} asks nothing: it is {row.state.value}", run_id=row.run_id
            )
        return self._mapper.resolve_clarification(asked[0], response)

    # -- showing ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._outcomes)

    def __str__(self) -> str:
        """Say how many rows are in which state, what it cost, what failed, and how to go on."""
        from .map_shown import text_of

        return text_of(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .map_shown import html_of

        return html_of(self)


class Runs(Sequence[PlanRun | None]):
    """The run of each row of a map; each is read when it is asked for."""

    def __init__(self, rows: Sequence[MapRow], mapper: Mapper) -> None:
        """Find runs with `mapper`."""
        self._rows = rows
        self._mapper = mapper

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def __getitem__(self, number: Any) -> Any:
        """Return the run of the row with this number, None where it has none; a slice: a list."""
        if isinstance(number, slice):
            return [self._of(row) for row in self._rows[number]]
        return self._of(self._rows[number])

    def __iter__(self) -> Iterator[PlanRun | None]:
        """Yield the run of each row."""
        return (self._of(row) for row in self._rows)

    def _of(self, row: MapRow) -> PlanRun | None:
        return None if row.run_id is None else self._mapper.get_run(row.run_id)


def error_text(row: MapRow) -> str | None:
    """Return the type and message of a row's error, None where it has none."""
    return None if row.error is None else f"{row.error.type}: {row.error.message}"


def _cost_of_row(row: MapRow, prices: Mapping[str, Price] | None) -> StepCost:
    return cost_of(row.spent, prices)


def _common_keys(values: Sequence[Any]) -> list[str]:
    """Return the keys that all of `values` have, where all are dicts with names for keys."""
    if not values or not all(isinstance(value, dict) for value in values):
        return []
    first, *others = values
    return [key for key in first if isinstance(key, str) and all(key in each for each in others)]
