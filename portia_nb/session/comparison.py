"""What two runs have in common and where they differ, as people hold and print it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from portia_nb.planning.difference import PlanChange

if TYPE_CHECKING:
    from .comparison_details import Detail

How = Literal["equal", "differs", "only in a", "only in b", "can't tell", "none"]
"""How two values compare. ``can't tell``: the store could keep one of them only as a description;
``none``: neither is there."""


@dataclass(frozen=True, slots=True)
class RunSide:
    """One of two runs that are compared."""

    run_id: str
    plan_id: str
    state: str
    forked_from: str | None
    executed: int
    """Steps that were executed and are done; in a loop, each round's."""
    reused: int
    """Steps whose outputs were taken over, given by hand, or found in the cache."""
    seconds: float
    """Time during which the run was under way, without the time between a stop and a resume."""
    model_calls: int
    """Calls of models, planning included."""
    input_tokens: int
    output_tokens: int
    cost: float | None
    """US dollars for models, at list prices; None: the price of a model isn't known."""


@dataclass(frozen=True, slots=True)
class ValueComparison:
    """A value that both runs may have: an input, an answer, a final output."""

    name: str
    how: How
    a: Any = None
    b: Any = None


@dataclass(frozen=True, slots=True)
class StepSide:
    """What became of a step in one run."""

    state: str
    value: Any = None
    reused: str = ""
    """``fork``, ``given`` or ``cache`` where it wasn't executed; see `StepDone.reused`."""
    attempts: int = 0
    seconds: float | None = None
    """Of its last attempt; None: it wasn't executed, or hasn't ended."""
    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class StepComparison:
    """One step, or one round of a step in a loop, in both runs."""

    path: str
    how: How
    """How its outputs compare."""
    a: StepSide | None
    """None: this run has not come to it, or its plan hasn't got it."""
    b: StepSide | None


@dataclass(frozen=True, slots=True, repr=False)
class RunComparison:
    """Where two runs differ: plan, inputs, answers, each output, cost and time.

    It shows itself in notebooks, prints as text, and `to_frame` makes a table of the steps.
    """

    a: RunSide
    b: RunSide
    plan: tuple[PlanChange, ...]
    """What was changed from the plan of `a` to that of `b`."""
    inputs: tuple[ValueComparison, ...]
    answers: tuple[ValueComparison, ...]
    """By the step that asked; those of one step in the order in which it asked."""
    steps: tuple[StepComparison, ...]
    """In the order of `b`'s plan, then those that only `a` has."""
    final: ValueComparison

    @property
    def is_same(self) -> bool:
        """Whether nothing is known to differ: plan, inputs, answers, outputs, and states."""
        values = (*self.inputs, *self.answers, *self.steps, self.final)
        same_values = all(each.how in ("equal", "none") for each in values)
        return not self.plan and same_values and self.a.state == self.b.state

    @property
    def differing(self) -> tuple[str, ...]:
        """Paths of the steps whose outputs aren't known to be equal."""
        return tuple(step.path for step in self.steps if step.how not in ("equal", "none"))

    @property
    def details(self) -> tuple[Detail, ...]:
        """Where the values differ: texts by words, numbers by how much, tables by cells.

        Of at most 20 values, each within limits of size and time; a value of which there is no more
        to say than both of it isn't among them.
        """
        from .comparison_details import details_of

        return details_of(self)

    def to_frame(self) -> Any:
        """Return the steps as a pandas `DataFrame`, one row for each, by its path.

        Columns: ``output`` (see `How`); ``plan`` (``added``, ``removed``, ``edited`` or empty);
        then in pairs, ``_a`` and ``_b``: ``value``, ``state``, ``reused``, ``attempts``,
        ``seconds``, ``model_calls``, ``input_tokens``, ``output_tokens``.

        Raises:
            ImportError: pandas isn't installed.
        """
        import pandas

        changes = {each.place: each.change for each in self.plan}
        rows: list[dict[str, Any]] = []
        for step in self.steps:
            row: dict[str, Any] = {"output": step.how, "plan": changes.get(step.path, "")}
            for field in StepSide.__dataclass_fields__:
                for letter, side in (("a", step.a), ("b", step.b)):
                    row[f"{field}_{letter}"] = None if side is None else getattr(side, field)
            rows.append(row)
        paths = pandas.Index([step.path for step in self.steps], name="step", dtype=object)
        return pandas.DataFrame(rows, index=paths)

    def __repr__(self) -> str:
        from .comparison_shown import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        """Return it as HTML for a notebook: no script, everything escaped, on one line."""
        from .comparison_shown import to_html

        return to_html(self)
