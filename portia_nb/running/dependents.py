"""What follows from a step's running again, path by path, in a run that has got somewhere.

A graph of small facts about the paths of one run, each of which brings others about:

    AGAIN   the path runs again, or for a step that holds steps: its output is made anew
    CHOICE  a step that holds steps decides anew: judges its branches, goes through its items
    WHOLE   the path and all that is inside it run again
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from portia_nb.model.plan import AnyStep, ConditionalStep, LoopStep, Plan, SubPlanStep
from portia_nb.model.reference import Input, Reference, StepOutput, references
from portia_nb.model.rounds import loops_around
from portia_nb.model.run import Run, StepState
from portia_nb.model.tree import Namespace, Place, namespace_of


class What(Enum):
    """What is said of a path."""

    AGAIN = "again"
    CHOICE = "choice"
    WHOLE = "whole"
    INPUT = "input"
    """Of an input by its name after the path of its inner plan, with its ``/``: it has changed."""


class Fact(NamedTuple):
    """One thing that is true of one path."""

    what: What
    path: str


CALLING = ("tool", "agent", "function", "react")
"""Kinds of steps that call code, which can see what another step changed in the world."""


@dataclass(frozen=True, slots=True)
class _Body:
    """One run of one body, or of the plan itself."""

    names: Namespace
    base: str = ""
    """Path of the inner plan that it belongs to, with its ``/``."""
    prefix: str = ""
    rounds: Mapping[str, int] | None = None
    holder: str = ""
    """Path of the step or round that it is in; ``""`` for the plan itself."""


class Dependents:
    """The facts of one run of one plan, and what each brings about."""

    def __init__(self, run: Run, plan: Plan, side_effect_of: Callable[[AnyStep], bool | None]):
        """Read how the steps of `plan` hang together, with the rounds that `run` has had.

        Args:
            run: how far it got.
            plan: the plan that is to be run now, which may differ from the run's.
            side_effect_of: the effective side effect of a step that holds none.
        """
        self.paths: dict[str, AnyStep] = {}
        """The step of each path, in the order of the plan and of the rounds."""
        self._run = run
        self._side_effect_of = side_effect_of
        self._then: dict[Fact, list[Fact]] = {}
        self._read(plan.steps, _Body(plan.names))
        self._order = {path: number for number, path in enumerate(self.paths)}

    def of(self, facts: Iterable[Fact]) -> set[Fact]:
        """Return `facts` with all that they bring about.

        Beside what refers to something that runs again, these run again: a call of code that comes
        after a call with ``side_effect=True`` that does, since it may see what that changes. A call
        that itself declares ``side_effect=True`` is not repeated for that.
        """
        found: set[Fact] = set()
        waiting = list(facts)
        first_change = len(self._order)
        while waiting:
            fact = waiting.pop()
            if fact in found:
                continue
            found.add(fact)
            waiting += self._then.get(fact, ())
            change = self._first_change(fact)
            if change < first_change:
                waiting += [Fact(What.AGAIN, path) for path in self._seeing(change, first_change)]
                first_change = change
        return found

    def effects(self, path: str) -> Sequence[Fact]:
        """Return what follows at once from a new output of `path`, however it came to be."""
        return self._then.get(Fact(What.AGAIN, path), ())

    # -- changes of the world --------------------------------------------------------------------

    def _first_change(self, fact: Fact) -> int:
        """Return the place in order of the first call that changes the world because of `fact`."""
        none = len(self._order)
        step = self.paths.get(fact.path)
        if step is None or fact.what is What.INPUT:
            return none
        if not step.holds_steps:
            return self._order[fact.path] if self._side_effect_of(step) is True else none
        if fact.what is not What.CHOICE or not isinstance(step, ConditionalStep):
            return none  # those inside have facts of their own
        inside = (path for path in self.paths if path.startswith(f"{fact.path}/"))
        for path in inside:  # another branch may be taken, with calls that were never made
            record = self._run.steps.get(path)
            is_new = record is None or record.state is not StepState.DONE
            held = self.paths[path]
            if is_new and not held.holds_steps and self._side_effect_of(held) is True:
                return self._order[path]
        return none

    def _seeing(self, after: int, upto: int) -> Iterator[str]:
        for path, step in list(self.paths.items())[after + 1 : upto + 1]:
            if step.kind in CALLING and self._side_effect_of(step) is not True:
                yield path

    # -- reading ---------------------------------------------------------------------------------

    def _link(self, cause: Fact, effect: Fact) -> None:
        self._then.setdefault(cause, []).append(effect)

    def _read(self, steps: Sequence[AnyStep], body: _Body) -> None:
        for step in steps:
            path = body.prefix + step.name
            self.paths[path] = step
            again, choice, whole = (
                Fact(what, path) for what in (What.AGAIN, What.CHOICE, What.WHOLE)
            )
            self._link(whole, again)
            if body.holder:
                self._link(again, Fact(What.AGAIN, body.holder))
                self._link(Fact(What.WHOLE, body.holder), whole)
            if isinstance(step, ConditionalStep | LoopStep):
                self._link(choice, again)
                self._link(whole, choice)
            for cause in self._causes(step, body):
                decides = isinstance(step, ConditionalStep | LoopStep)
                self._link(cause, choice if decides else again)
            self._read_inside(step, path, body)

    def _read_inside(self, step: AnyStep, path: str, body: _Body) -> None:
        match step:
            case ConditionalStep():
                for branch in step.branches:
                    inner = _Body(body.names, body.base, f"{path}/", body.rounds, path)
                    self._read(branch.steps, inner)
            case LoopStep():
                self._read_rounds(step, path, body)
            case SubPlanStep():
                for name, argument in step.args.items():
                    changed = Fact(What.INPUT, f"{path}/{name.removeprefix('$')}")
                    for reference in references(argument):
                        for cause in self._causes_of(reference, step, body):
                            self._link(cause, changed)
                names = namespace_of(step)
                self._read(step.steps, _Body(names, f"{path}/", f"{path}/", None, path))
            case _:
                pass

    def _read_rounds(self, step: LoopStep, path: str, body: _Body) -> None:
        for number in range(self._run.rounds.get(path, 0)):
            this = f"{path}[{number}]"
            self.paths[this] = step
            whole, again = Fact(What.WHOLE, this), Fact(What.AGAIN, this)
            self._link(whole, again)
            self._link(again, Fact(What.AGAIN, path))
            self._link(Fact(What.CHOICE, path), whole)
            if step.over is None:
                # Whether there is a round after it hangs on what this one does.
                self._link(again, Fact(What.WHOLE, f"{path}[{number + 1}]"))
            rounds = {**(body.rounds or {}), step.name: number}
            self._read(step.steps, _Body(body.names, body.base, f"{this}/", rounds, this))

    def _causes(self, step: AnyStep, body: _Body) -> Iterator[Fact]:
        """Yield what makes a step itself run again, or decide anew."""
        if isinstance(step, SubPlanStep):  # its arguments matter to the steps inside
            given = [r for v in step.inputs if v.value is not None for r in references(v.value)]
            given += [StepOutput(v.name.removeprefix("$")) for v in step.inputs if v.value is None]
        else:
            given = list(step.references())
        for reference in given:
            yield from self._causes_of(reference, step, body)
        for name in step.after:
            yield from self._causes_of(StepOutput(name), step, body)

    def _causes_of(self, reference: Reference, step: AnyStep, body: _Body) -> Iterator[Fact]:
        if isinstance(reference, Input):
            yield Fact(What.INPUT, body.base + reference.name.removeprefix("$"))
            return
        target = body.names.find(reference.step)
        own = body.names.find(step.name)
        assert own is not None
        if target is None:
            yield Fact(What.INPUT, body.base + str(reference.step).removeprefix("$"))
            return
        around = [holder.name for holder in own.around]
        if isinstance(target.step, LoopStep) and target.step.name in (*around, step.name):
            return  # the item of its own round: that is the loop's matter
        inside = [holder.name for holder in target.around]
        if step.name in inside:
            return  # a loop that hangs on what is in it: whether it goes on, its rounds say
        for path in self._paths_of(target, own, body, full=reference.full):
            yield Fact(What.AGAIN, path)
        for holder in target.around:
            if holder.name not in around:
                # What is seen of a step inside hangs on which branch is taken, or how many rounds.
                place = body.names.find(holder.name)
                assert place is not None
                for path in self._paths_of(place, own, body):
                    yield Fact(What.CHOICE, path)
                    if isinstance(holder, LoopStep) and holder.over is None:
                        yield Fact(What.AGAIN, path)

    def _paths_of(
        self, target: Place, own: Place, body: _Body, *, full: bool = False
    ) -> Iterator[str]:
        """Yield the paths of `target` that a step in this body may see; `full`: of all rounds."""
        rounds = dict(body.rounds or {})
        loops = [loop.name for loop in loops_around(target)]
        fixed = {name: rounds[name] for name in loops if name in rounds}
        is_inside = bool(loops) and len(fixed) == len(loops)
        if full and is_inside:
            for number in range(rounds[loops[-1]] + 1):
                yield target.path({**fixed, loops[-1]: number}, body.base)
            return
        if is_inside and target.position >= own.position:
            fixed[loops[-1]] -= 1  # itself or a later step: what it put out in the round before
            if fixed[loops[-1]] < 0:
                return
        yield from self._in_rounds(target, fixed, body)

    def _in_rounds(self, target: Place, fixed: Mapping[str, int], body: _Body) -> Iterator[str]:
        free = next((loop for loop in loops_around(target) if loop.name not in fixed), None)
        if free is None:
            yield target.path(fixed, body.base)
            return
        holder = body.names.find(free.name)
        assert holder is not None
        for number in range(self._run.rounds.get(holder.path(fixed, body.base), 0)):
            yield from self._in_rounds(target, {**fixed, free.name: number}, body)
