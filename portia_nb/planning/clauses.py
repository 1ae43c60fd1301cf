"""The builder's flat list: steps and clauses in the order of the calls, and the tree they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from portia_nb.errors import PlanCheckError
from portia_nb.model.composite import composite_task
from portia_nb.model.order import find_step
from portia_nb.model.plan import AnyStep, Branch, Condition, ConditionalStep, LoopStep
from portia_nb.model.reference import with_step_names

from .renaming import renamed


@dataclass(frozen=True, slots=True)
class If:
    """Opens a conditional: `step` without its branches yet, and what its first one hangs on."""

    step: ConditionalStep
    condition: Condition


@dataclass(frozen=True, slots=True)
class ElseIf:
    """Opens a further branch; without a condition the last one."""

    condition: Condition | None


@dataclass(frozen=True, slots=True)
class EndIf:
    """Closes a conditional."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Opens a loop: `step` without its body yet."""

    step: LoopStep


@dataclass(frozen=True, slots=True)
class EndLoop:
    """Closes a loop."""

    name: str | None = None
    """A further name of the loop."""


Clause = If | ElseIf | EndIf | Loop | EndLoop


@dataclass(frozen=True, slots=True)
class Entry:
    """One call: a step that holds none of the others, or a clause."""

    what: AnyStep | Clause
    after: tuple[str | int, ...] = ()
    """Steps that must be done first, as they were named."""


NameOf = Callable[[str | int, str], str]
"""The name of the step that the step with the second name calls by the first."""

S = TypeVar("S", bound=AnyStep)


def flat(step: AnyStep) -> Iterator[Entry]:
    """Yield the entries that a step stands for; the opposite of `tree`."""
    match step:
        case ConditionalStep():
            for number, branch in enumerate(step.branches):
                if number == 0:
                    yield Entry(If(step, branch.condition or Condition.of(True)), step.after)
                else:
                    yield Entry(ElseIf(branch.condition))
                for held in branch.steps:
                    yield from flat(held)
            yield Entry(EndIf())
        case LoopStep():
            yield Entry(Loop(step), step.after)
            for held in step.steps:
                yield from flat(held)
            yield Entry(EndLoop())
        case _:
            yield Entry(step, step.after)


def meanings(entries: Sequence[Entry]) -> list[str]:
    """Return, for each entry, the name of the step that its index means.

    A clause means the conditional or the loop that it belongs to.
    """
    names: list[str] = []
    around: list[str] = []
    for entry in entries:
        match entry.what:
            case If(step) | Loop(step):
                around.append(step.name)
                names.append(step.name)
            case ElseIf():
                names.append(around[-1])
            case EndIf() | EndLoop():
                names.append(around.pop())
            case step:
                names.append(step.name)
    return names


def tree(entries: Sequence[Entry]) -> tuple[AnyStep, ...]:
    """Return the steps that `entries` mean, every reference by index or output turned into a name.

    Args:
        entries: each clause closed, and in its place.

    Raises:
        PlanCheckError: a step refers to an index that there is not.
    """
    names = meanings(entries)
    index: dict[str, int] = {}
    for place, entry in enumerate(entries):
        if isinstance(entry.what, EndLoop) and entry.what.name:
            index[entry.what.name] = place
        elif (step := step_of(entry)) is not None:
            index.setdefault(step.output.removeprefix("$"), place)
    for place, entry in enumerate(entries):
        if (step := step_of(entry)) is not None:
            index[step.name] = place
    out_of_range: dict[str, None] = {}

    def name_of(other: str | int, user: str) -> str:
        place = find_step(other, index, len(names))
        if place is not None:
            return names[place]
        if isinstance(other, int):
            problem = f"step {user!r} refers to step {other}, and the last step is {len(names) - 1}"
            out_of_range[problem] = None
        return str(other)  # the check says what is wrong with an unknown name

    steps = _Reader(entries, name_of).body()
    if out_of_range:
        raise PlanCheckError(
            "this plan can't run: " + "; ".join(out_of_range), problems=tuple(out_of_range)
        )
    return steps


def step_of(entry: Entry) -> AnyStep | None:
    """Return the step of an entry, None for a clause that only goes on with one."""
    match entry.what:
        case If(step) | Loop(step):
            return step
        case ElseIf() | EndIf() | EndLoop():
            return None
        case step:
            return step


class _Reader:
    """Reads entries once, from front to back."""

    def __init__(self, entries: Sequence[Entry], name_of: NameOf) -> None:
        self._entries = entries
        self._name_of = name_of
        self._at = 0

    def body(self) -> tuple[AnyStep, ...]:
        """Return the steps up to the clause that ends the body, which is left to be read."""
        steps: list[AnyStep] = []
        while self._at < len(self._entries):
            entry = self._entries[self._at]
            if isinstance(entry.what, ElseIf | EndIf | EndLoop):
                break
            self._at += 1
            match entry.what:
                case If(step, condition):
                    steps.append(self._conditional(self._named(step, entry), condition))
                case Loop(step):
                    steps.append(self._loop(self._named(step, entry)))
                case step:
                    steps.append(self._named(step, entry))
        return tuple(steps)

    def _conditional(self, step: ConditionalStep, first: Condition) -> ConditionalStep:
        branches = [Branch(condition=self._condition(first, step.name), steps=self.body())]
        while isinstance(clause := self._entries[self._at].what, ElseIf):
            self._at += 1
            condition = clause.condition and self._condition(clause.condition, step.name)
            branches.append(Branch(condition=condition, steps=self.body()))
        self._at += 1
        made = step.model_copy(update={"branches": tuple(branches)})
        return made.model_copy(update={"task": composite_task(made)})

    def _loop(self, step: LoopStep) -> LoopStep:
        changes = {
            "over": step.over and with_step_names(step.over, self._namer(step.name)),
            "while_": step.while_ and self._condition(step.while_, step.name),
            "do_while_": step.do_while_ and self._condition(step.do_while_, step.name),
            "steps": self.body(),
        }
        self._at += 1
        made = step.model_copy(update=changes)
        return made.model_copy(update={"task": composite_task(made)})

    def _condition(self, condition: Condition, user: str) -> Condition:
        return condition.changed(lambda argument: with_step_names(argument, self._namer(user)))

    def _named(self, step: S, entry: Entry) -> S:
        return renamed(step, entry.after, self._namer(step.name))

    def _namer(self, user: str) -> Callable[[str | int], str]:
        return lambda other: self._name_of(other, user)
