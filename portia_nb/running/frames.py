"""The bodies that are being run: which steps of them may start, and who waits for them to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from portia_nb.config import Config
from portia_nb.model.order import Waits, body_waits
from portia_nb.model.plan import AnyStep, ExitStep
from portia_nb.model.run import Run, StepState

from .ledger import Ledger
from .rules import Rules
from .scope import Scope

_FINISHED = (StepState.DONE, StepState.SKIPPED)


@dataclass(slots=True, eq=False)
class Node:
    """One path of an execution."""

    step: AnyStep
    path: str
    index: int
    """The index among the plan's own steps of the one that it is, or is in."""
    rules: Rules
    frame: Frame
    is_begun: bool = False
    """True: its start was told, and it waits for what it holds."""
    is_woken: bool = False
    """True: it is ready again because a body of it has ended."""
    inside: Sequence[Frame] = ()
    """The runs of its bodies that have not been counted as ended."""
    next_round: int = 0
    items: Sequence[object] | None = None

    @property
    def scope(self) -> Scope:
        """What it can see."""
        scope = self.frame.scope
        if not scope.is_in_loop and not self.step.holds_steps:
            return scope  # its own place matters in rounds only
        place = scope.names.find(self.step.name)
        assert place is not None
        return scope.at(place.position)


@dataclass(slots=True, eq=False)
class Frame:
    """One run of one body."""

    steps: Sequence[AnyStep]
    prefix: str
    """What stands before its steps' names in their paths."""
    holder: Node | None
    scope: Scope
    number: int = 0
    """Which round of a loop it is."""
    left: int = 0
    """How many of its steps are not finished."""


class Frames:
    """All bodies of one run that are open, and their steps by path."""

    def __init__(self, run: Run, config: Config, rules_of: Callable[[AnyStep], Rules]) -> None:
        """Hold nothing yet.

        Args:
            run: its state.
            config: the settings of order.
            rules_of: the rules of a step.
        """
        self.nodes: dict[str, Node] = {}
        self.ledger = Ledger()
        self._run = run
        self._config = config
        self._rules_of = rules_of

    def open_plan(self) -> None:
        """Open the run's own plan."""
        plan = self._run.plan
        frame = Frame(plan.steps, "", None, Scope(self._run))
        config = self._config
        key = (
            config.assume_side_effects,
            config.max_parallel_steps == 1,
            *[self._rules_of(step).side_effect for step in plan.steps],
        )
        # Worked out once for a plan that runs often; what steps hold has effects of its own.
        order = plan.known_order.get(key)
        if order is None:
            order = self._order(frame, [given.name for given in plan.plan_inputs])
            if not any(step.holds_steps for step in plan.steps):
                plan.known_order[key] = order
        self._open(frame, order)

    def open(
        self, holder: Node, steps: Sequence[AnyStep], prefix: str, scope: Scope, number: int = 0
    ) -> Frame:
        """Open one run of a body of `holder`; what of it is finished already isn't run again."""
        frame = Frame(steps, prefix, holder, scope, number)
        holder.inside = (*holder.inside, frame)
        self._open(frame, self._order(frame))
        return frame

    def _order(self, frame: Frame, inputs: Sequence[str] = ()) -> Mapping[str, Waits]:
        def side_effect_of(step: AnyStep) -> bool | None:
            return self._rules_of(step).side_effect

        return body_waits(
            frame.steps,
            side_effect_of,
            known=inputs,
            is_inner=frame.holder is not None,
            in_loop=frame.scope.is_in_loop,
            assume_side_effects=self._config.assume_side_effects,
            sequential=self._config.max_parallel_steps == 1,
        )

    def _open(self, frame: Frame, order: Mapping[str, Waits]) -> None:
        prefix = frame.prefix
        nodes, records, rules_of = self.nodes, self._run.steps, self._rules_of
        finished: set[str] = set()
        for index, step in enumerate(frame.steps):
            path = prefix + step.name
            if frame.holder is not None:
                index = frame.holder.index
            nodes[path] = Node(step, path, index, rules_of(step), frame)
            record = records.get(path)
            if record is not None and record.state in _FINISHED:
                finished.add(step.name)
        frame.left = len(frame.steps) - len(finished)
        self.ledger.add(order, finished, prefix)

    def finish(self, node: Node) -> None:
        """Count a step as finished; who holds it is ready again once all of its body are."""
        self.ledger.finish(node.path)
        frame = node.frame
        frame.left -= 1
        holder = frame.holder
        if holder is not None and not frame.left and not holder.is_woken:
            holder.is_woken = True
            self.ledger.ready.append(holder.path)

    def close(self, frame: Frame) -> None:
        """Forget a body that has ended."""
        if frame.holder is not None:
            frame.holder.inside = tuple(f for f in frame.holder.inside if f is not frame)
        for step in frame.steps:
            del self.nodes[frame.prefix + step.name]
            self.ledger.forget(frame.prefix + step.name)

    def begun(self) -> Iterator[str]:
        """Yield the paths of steps that wait for what they hold, and of rounds, innermost first."""
        for path, node in reversed(self.nodes.items()):
            if node.is_begun:
                for frame in node.inside:
                    if frame.prefix.endswith("]/"):
                        yield frame.prefix[:-1]
                yield path


def output_path(run: Run, steps: Sequence[AnyStep], prefix: str) -> str | None:
    """Return the path of the last step of a body, in its order, that was done; None: none was.

    An exit that says nothing has no output.
    """
    for step in reversed(steps):
        record = run.steps.get(prefix + step.name)
        if record is None or record.state is not StepState.DONE:
            continue
        if isinstance(step, ExitStep) and record.value is None:
            continue
        return record.path
    return None
