"""What a fork takes over from the run that it was forked from, as events of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from portia_nb.errors import StepNotFoundError, ValueNotKept
from portia_nb.model import codecs
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    AnyEvent,
    BranchTaken,
    ClarificationRaised,
    ClarificationResolved,
    StepDone,
    StepSkipped,
    StepStarted,
)
from portia_nb.model.ids import ClarificationUUID, PlanRunUUID
from portia_nb.model.plan import AnyStep, ConditionalStep, ExitStep, LoopStep, Plan, SubPlanStep
from portia_nb.model.rounds import place_of
from portia_nb.model.run import PlanRunState, Run, StepRecord, StepState

from .calls import APPROVAL
from .dependents import Dependents, Fact, What
from .ending import RUN_ENDED
from .frames import output_path
from .recovery import UNCERTAIN
from .unfinished import so_far

FORK = "fork"
"""Where outputs and answers come from that a fork has taken over."""
GIVEN = "given"
"""Where an output comes from that a person has given by hand."""

SideEffectOf = Callable[[AnyStep], bool | None]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different in the new run."""

    steps: frozenset[str] = frozenset()
    """Places of steps that differ or are new; in a step that holds others, its own fields."""
    bodies: frozenset[str] = frozenset()
    """Places of steps that hold other steps than before, or in another order."""
    inputs: frozenset[str] = frozenset()
    """Names of the plan's inputs, and of inner plans' after their place and a ``/``."""
    anew: tuple[str, ...] = ()
    """Places, perhaps with rounds, of steps that are to run again as they are."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """What becomes of a run's outputs in a fork of it."""

    events: tuple[AnyEvent, ...]
    """What the new run begins with."""
    reused: tuple[str, ...]
    """Paths of the steps whose outputs are taken over, in order; not of those that hold others."""
    again: tuple[str, ...]
    """Paths of the steps that were done and run again, likewise."""
    changing: tuple[str, ...]
    """Those of `again` that change the world."""
    unsure: tuple[str, ...] = ()
    """Paths of the steps that change the world and are called anew, though nobody knows what became
    of their calls in the old run."""


def take_over(
    old: Run,
    plan: Plan,
    run_id: str,
    changes: Changes,
    given: Mapping[str, object],
    side_effect_of: SideEffectOf,
) -> Takeover:
    """Work out what a new run of `plan` takes over from `old`.

    Args:
        old: the run that is forked; not changed.
        plan: the new run's.
        run_id: the new run's.
        changes: what is different.
        given: outputs by hand, by the step's place, perhaps with rounds.
        side_effect_of: the effective side effect of a step that holds none.

    Raises:
        StepNotFoundError: a round that was named has never been.
        ValueNotKept: an output that a step still needs is gone, and making it anew is more than
            reading.
    """
    dependents = Dependents(old, plan, side_effect_of)
    paths = dependents.paths
    outputs = {path: value for place, value in given.items() for path in _matching(place, paths)}
    facts = list(_first_facts(old, paths, changes))
    for path in outputs:
        facts += dependents.effects(path)
    taken = _Taking(old, plan, run_id, dependents, dependents.of(facts), outputs, side_effect_of)
    return taken.result()


def _first_facts(old: Run, paths: Mapping[str, AnyStep], changes: Changes) -> Iterator[Fact]:
    for name in changes.inputs:
        yield Fact(What.INPUT, name)
    for place in changes.anew:
        yield from (Fact(What.WHOLE, path) for path in _matching(place, paths))
    for path, step in paths.items():
        place, is_round = place_of(path), path.endswith("]")
        decides = isinstance(step, ConditionalStep | LoopStep) and not is_round
        if place in changes.steps and not is_round:
            yield Fact(What.CHOICE if decides else What.AGAIN, path)
        if place in changes.bodies:
            if isinstance(step, ConditionalStep):
                yield Fact(What.CHOICE, path)
            else:
                yield Fact(What.AGAIN, path)
        if isinstance(step, ExitStep):
            # One that is done ends a run at once, and nothing before it would run.
            yield Fact(What.AGAIN, path)


def _matching(place: str, paths: Iterable[str]) -> list[str]:
    """Return the paths that a place with some or no rounds in it means.

    Raises:
        StepNotFoundError: it names a round that there was not.
    """
    *around, last = (re.escape(part) for part in place.split("/"))
    around = [part if part.endswith("]") else rf"{part}(\[\d+\])?" for part in around]
    pattern = re.compile("/".join([*around, last]))
    found = [path for path in paths if pattern.fullmatch(path)]
    if not found and "[" in place:
        raise StepNotFoundError(
            f"{place!r} is no path of the run: it has had no such round", step=place
        )
    return found


class _Taking:
    """Collects what is taken over, in an order in which a run can take it in."""

    def __init__(
        self,
        old: Run,
        plan: Plan,
        run_id: str,
        dependents: Dependents,
        facts: set[Fact],
        given: Mapping[str, object],
        side_effect_of: SideEffectOf,
    ) -> None:
        self._old, self._plan, self._run_id = old, plan, run_id
        self._dependents, self._facts, self._given = dependents, facts, given
        self._side_effect_of = side_effect_of
        self._events: list[AnyEvent] = []
        self._reused: list[str] = []
        self._refilled: set[str] = set()

    def result(self) -> Takeover:
        self._look_for_gaps()
        open_paths: list[str] = []
        for path, step in self._dependents.paths.items():
            while open_paths and not path.startswith((open_paths[-1] + "/", open_paths[-1] + "[")):
                self._close(open_paths.pop())
            if any(path.startswith((f"{each}/", f"{each}[")) for each in self._given):
                continue
            if path in self._given:
                self._events.append(StepDone(path, 1, self._given[path], reused=GIVEN))
                self._reused.append(path)
            elif step.holds_steps:
                self._open(path)
                open_paths.append(path)
            else:
                self._leaf(path, step)
        while open_paths:
            self._close(open_paths.pop())
        again = tuple(
            path
            for path, step in self._dependents.paths.items()
            if not step.holds_steps and self._runs_again(path)
        )
        paths = self._dependents.paths
        return Takeover(
            tuple(self._events),
            tuple(self._reused),
            again,
            tuple(path for path in again if self._side_effect_of(paths[path]) is True),
            tuple(path for path, step in paths.items() if self._is_unsure(path, step)),
        )

    # -- what is taken ---------------------------------------------------------------------------

    def _is(self, what: What, path: str) -> bool:
        return Fact(what, path) in self._facts

    def _record(self, path: str) -> StepRecord | None:
        return self._old.steps.get(path)

    def _runs_again(self, path: str) -> bool:
        record = self._record(path)
        if record is None or record.state is not StepState.DONE or path in self._given:
            return False
        return self._is(What.AGAIN, path) or path in self._refilled

    def _is_unsure(self, path: str, step: AnyStep) -> bool:
        record = self._record(path)
        if record is None or step.holds_steps or not self._is(What.AGAIN, path):
            return False
        call = record.tool_under_way
        is_lost = call is not None and record.state is not StepState.DONE
        return is_lost and path not in self._given and self._side_effect_of(step) is True

    def _is_taken(self, path: str) -> bool:
        record = self._record(path)
        if record is None or self._is(What.AGAIN, path) or path in self._refilled:
            return False
        if record.state is StepState.SKIPPED:
            if record.reason.startswith(RUN_ENDED):
                return False
            # One that was skipped without an attempt was skipped for another step's sake.
            return record.started_at is not None or self._is_in_taken(path)
        return record.state is StepState.DONE

    def _is_in_taken(self, path: str) -> bool:
        holder = path.rpartition("/")[0]
        return bool(holder) and self._is_taken(holder)

    def _look_for_gaps(self) -> None:
        """Let outputs be made anew that were not kept and are needed, or refuse.

        Raises:
            ValueNotKept: one that can't be made anew.
        """
        for path, step in self._dependents.paths.items():
            record = self._record(path)
            if record is None or not isinstance(record.value, codecs.Unkept):
                continue
            if path in self._given or not self._is_taken(path) or not self._is_needed(path):
                continue
            if self._side_effect_of(step) is False and not step.holds_steps and "/" not in path:
                self._refilled.add(path)  # it only reads
                continue
            raise ValueNotKept(
                f"the output of step {path!r} ({record.value.type_name}) could not be kept, and "
                f"the fork needs it: fork from {path!r}, so that it is made again, or give it: "
                f"edits={{{path!r}: {{'output': …}}}}",
                step=path,
                run_id=self._old.id,
            )

    def _is_needed(self, path: str) -> bool:
        if path == self._final_path():
            return True
        return any(
            fact.path in self._dependents.paths
            and not path.startswith((f"{fact.path}/", f"{fact.path}["))
            and not self._is_taken(fact.path)
            for fact in self._dependents.effects(path)
        )

    def _final_path(self) -> str | None:
        """Return the path of the output that a complete run's own is."""
        if self._old.state is not PlanRunState.COMPLETE:
            return None
        return output_path(self._old, self._plan.steps, "")

    # -- as events -------------------------------------------------------------------------------

    def _leaf(self, path: str, step: AnyStep) -> None:
        record = self._record(path)
        if record is None:
            return
        if not self._is_taken(path):
            self._left_open(path, step, record)
        elif record.state is StepState.SKIPPED:
            self._skipped(record)
        else:
            self._ask_again_of(self._old.clarifications_of(path))
            done = StepDone(path, max(record.attempt, 1), record.value, record.summary, reused=FORK)
            self._events.append(done)
            self._reused.append(path)

    def _skipped(self, record: StepRecord) -> None:
        if record.started_at is not None:  # so that a fork of the fork sees that it was attempted
            self._events.append(StepStarted(record.path, record.attempt))
        self._events.append(StepSkipped(record.path, record.reason))

    def _left_open(self, path: str, step: AnyStep, record: StepRecord) -> None:
        """Take over what an unfinished step that nothing has touched had got to."""
        if self._is(What.AGAIN, path) or record.state in (StepState.DONE, StepState.SKIPPED):
            return
        self._ask_again_of(self._old.answers_for(path))
        effect = self._side_effect_of(step) is True
        self._events += so_far(record, self._run_id, effect=effect)

    def _ask_again_of(self, questions: Iterable[Clarification]) -> None:
        """Take over questions with their answers, but not what one call was allowed to do."""
        for asked in questions:
            if asked.resolved and asked.source not in (APPROVAL, UNCERTAIN):
                own = {"id": ClarificationUUID.new(), "plan_run_id": PlanRunUUID(self._run_id)}
                open_one = asked.model_copy(update={**own, "resolved": False, "response": None})
                self._events += [
                    ClarificationRaised(str(asked.path), open_one),
                    ClarificationResolved(str(own["id"]), asked.response, FORK),
                ]

    def _open(self, path: str) -> None:
        record = self._record(path)
        if record is None or self._is(What.WHOLE, path):
            return
        if path.endswith("]"):
            self._events.append(StepStarted(path, max(record.attempt, 1)))
        elif record.branch is not None and not self._is(What.CHOICE, path):
            self._events.append(BranchTaken(path, record.branch))

    def _close(self, path: str) -> None:
        """Tell that a step that holds others, or a round, has ended, where all of it is taken."""
        record = self._record(path)
        if record is None or not self._is_taken(path):
            return
        if record.state is StepState.SKIPPED:
            self._skipped(record)
            return
        number = max(record.attempt, 1)
        same_as = self._same_as(path, record)
        if same_as is None:
            done = StepDone(path, number, record.value, record.summary, reused=FORK)
        else:
            done = StepDone(path, number, same_as=same_as, reused=FORK)
        self._events.append(done)

    def _same_as(self, path: str, record: StepRecord) -> str | None:
        """Return the path of the step inside whose output this is; None: it has one of its own."""
        step = self._dependents.paths[path]
        found: str | None = None
        match step:
            case LoopStep() if not path.endswith("]"):
                found = f"{path}[{self._old.rounds.get(path, 0) - 1}]"
            case LoopStep() | SubPlanStep():
                found = output_path(self._old, step.steps, f"{path}/")
            case ConditionalStep() if record.branch is not None and record.branch >= 0:
                found = output_path(self._old, step.branches[record.branch].steps, f"{path}/")
            case _:
                pass
        inside = None if found is None else self._record(found)
        if inside is None or inside.value is not record.value or inside.summary != record.summary:
            return None
        return found


def places_of(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the places of `paths`, each once."""
    return tuple(dict.fromkeys(place_of(path) for path in paths))
