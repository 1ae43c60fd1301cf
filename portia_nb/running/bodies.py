"""Steps that hold steps: which body is run next, and what the step puts out in the end.

Such a step comes by here when it starts, and again each time that a body of it has ended. In
between it holds no task and no place among those that run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portia_nb.errors import PlanError
from portia_nb.model.events import BranchTaken, StepDone, StepSkipped, StepStarted
from portia_nb.model.plan import AnyStep, ConditionalStep, LoopStep, SubPlanStep
from portia_nb.model.reference import Argument
from portia_nb.model.run import Run, StepState
from portia_nb.model.tree import namespace_of

from .attempt import Inside, Result, Skipped
from .conditions import condition_holds
from .frames import Frame, Frames, Node, output_path
from .models import Models
from .ports import Ports
from .scope import Round

NO_BRANCH = -1


class Bodies:
    """Runs the bodies of one run's steps."""

    def __init__(self, run: Run, ports: Ports, models: Models, frames: Frames) -> None:
        """Work on behalf of `run`; bodies are opened in `frames`."""
        self._run = run
        self._ports = ports
        self._models = models
        self._frames = frames

    async def go_on(self, node: Node) -> Result | Skipped | Inside:
        """Do what is next in a step that holds steps.

        Raises:
            Exception: a condition can't be judged, or a loop has no end.
        """
        match node.step:
            case ConditionalStep() as step:
                return await self._conditional(step, node)
            case LoopStep(over=over) as step if over is not None:
                return self._for_each(step, over, node)
            case LoopStep() as step:
                return await self._while(step, node)
            case SubPlanStep() as step:
                return await self._sub_plan(step, node)
            case step:
                raise AssertionError(f"a {step.kind} step holds no steps")

    # -- branches --------------------------------------------------------------------------------

    async def _conditional(self, step: ConditionalStep, node: Node) -> Result | Skipped | Inside:
        if not node.inside:
            branch = self._run.record(node.path).branch
            if branch is None:
                branch = await self._choose(step, node)
                self._ports.emit(BranchTaken(node.path, branch))
            for number, other in enumerate(step.branches):
                if number != branch:
                    self._skip(other.steps, f"{node.path}/", "its branch was not taken")
            if branch == NO_BRANCH:
                return Skipped("no branch was taken")
            body = step.branches[branch].steps
            frame = self._frames.open(node, body, f"{node.path}/", node.frame.scope)
            if frame.left:
                return Inside()
        return self._output(node.inside[0])

    async def _choose(self, step: ConditionalStep, node: Node) -> int:
        for number, branch in enumerate(step.branches):
            if branch.condition is None or await condition_holds(
                branch.condition,
                node.scope,
                path=node.path,
                models=self._models,
                places=self._ports.places,
            ):
                return number
        return NO_BRANCH

    def _skip(self, steps: Sequence[AnyStep], prefix: str, reason: str) -> None:
        """Tell that steps don't run, and those that they hold where those have one path each."""
        for step in steps:
            path = prefix + step.name
            record = self._run.steps.get(path)
            if record is None or record.state is not StepState.SKIPPED:
                self._ports.emit(StepSkipped(path, reason))
            if isinstance(step, ConditionalStep):
                for branch in step.branches:
                    self._skip(branch.steps, f"{path}/", reason)
            elif step.holds_steps and self._run.forked_from is not None:
                self._give_up(path, reason)

    def _give_up(self, path: str, reason: str) -> None:
        """Take back what a fork has taken over inside a step that isn't run in it after all."""
        for held, record in list(self._run.steps.items()):
            is_inside = held.startswith((f"{path}/", f"{path}["))
            if is_inside and record.state is StepState.DONE:
                self._ports.emit(StepSkipped(held, reason))

    # -- loops -----------------------------------------------------------------------------------

    def _for_each(self, step: LoopStep, over: Argument, node: Node) -> Result | Skipped | Inside:
        if node.items is None:
            node.items = _items(node.scope.resolve(over), node.path)
            if len(node.items) > step.max_iterations:
                raise _too_many(step, node, f"has {len(node.items):,} items")
        items = node.items
        for frame in [frame for frame in node.inside if not frame.left]:
            self._end_round(node, frame)
        while node.next_round < len(items) and (step.parallel or not node.inside):
            number = node.next_round
            node.next_round += 1
            if not self._is_done(node, number):
                frame = self._begin_round(step, node, Round(number, items[number], items))
                if not frame.left:
                    self._end_round(node, frame)
        return Inside() if node.inside else self._last_round(node, len(items))

    async def _while(self, step: LoopStep, node: Node) -> Result | Skipped | Inside:
        if node.inside:
            self._end_round(node, node.inside[0])
        while True:
            number = node.next_round
            if not self._is_done(node, number):
                round_ = Round(number, number, range(number + 1))
                has_begun = number < self._run.rounds.get(node.path, 0)
                if not has_begun and not await self._goes_on(step, node, round_):
                    return self._last_round(node, number)
                node.next_round += 1
                frame = self._begin_round(step, node, round_)
                if frame.left:
                    return Inside()
                self._end_round(node, frame)
            else:
                node.next_round += 1

    async def _goes_on(self, step: LoopStep, node: Node, round_: Round) -> bool:
        """Judge whether there is this round; it was not begun before."""
        condition = step.condition_of_rounds
        assert condition is not None
        if step.while_ is not None or round_.number > 0:
            holds = await condition_holds(
                condition,
                node.scope.in_round(step.name, round_),
                path=node.path,
                models=self._models,
                places=self._ports.places,
            )
            if not holds:
                return False
        if round_.number >= step.max_iterations:
            raise _too_many(step, node, "has not come to an end")
        return True

    def _begin_round(self, step: LoopStep, node: Node, round_: Round) -> Frame:
        path = f"{node.path}[{round_.number}]"
        self._ports.emit(StepStarted(path, self._run.record(path).attempt + 1))
        scope = node.frame.scope.in_round(step.name, round_)
        return self._frames.open(node, step.steps, f"{path}/", scope, round_.number)

    def _end_round(self, node: Node, frame: Frame) -> None:
        path = f"{node.path}[{frame.number}]"
        attempt = self._run.record(path).attempt
        same_as = output_path(self._run, frame.steps, frame.prefix)
        self._ports.emit(StepDone(path, attempt, same_as=same_as))
        self._frames.close(frame)

    def _last_round(self, node: Node, count: int) -> Result | Skipped:
        if not count:
            return Skipped("there was nothing to go through")
        return self._taken_over(f"{node.path}[{count - 1}]")

    def _is_done(self, node: Node, number: int) -> bool:
        record = self._run.steps.get(f"{node.path}[{number}]")
        return record is not None and record.state is StepState.DONE

    # -- plans inside plans ----------------------------------------------------------------------

    async def _sub_plan(self, step: SubPlanStep, node: Node) -> Result | Inside:
        if not node.inside:
            names, prefix = namespace_of(step), f"{node.path}/"
            scope = node.scope.in_plan(names, prefix, self._inputs(step, node))
            frame = self._frames.open(node, step.steps, prefix, scope)
            if frame.left:
                return Inside()
        frame = node.inside[0]
        result = self._output(frame)
        if step.output_schema is not None:
            shaped = await self._models.shaped(
                result.value, step.output_schema, step.task, node.path
            )
            if shaped is not result.value:
                result = Result(shaped, result.summary)
        if step.summarize:
            outputs = {
                inner.name: record.value
                for inner in step.steps
                if (record := self._run.steps.get(frame.prefix + inner.name))
                and record.state is StepState.DONE
            }
            summary = await self._models.sum_up(step.task, outputs)
            result = Result(result.value, summary)
        return result

    def _inputs(self, step: SubPlanStep, node: Node) -> Mapping[str, Any]:
        given = {name: node.scope.resolve(argument) for name, argument in step.args.items()}
        return {
            name: given.get(name, declared.value)
            for declared in step.plan_inputs
            if (name := declared.name.removeprefix("$"))
        }

    # -- outputs ---------------------------------------------------------------------------------

    def _output(self, frame: Frame) -> Result:
        """Return what a body that has ended puts out."""
        path = output_path(self._run, frame.steps, frame.prefix)
        return Result(None) if path is None else self._taken_over(path)

    def _taken_over(self, path: str) -> Result:
        record = self._run.record(path)
        return Result(record.value, record.summary, same_as=path)


def _items(value: Any, path: str) -> Sequence[Any]:
    """Return what a loop goes through.

    Raises:
        PlanError: it isn't a sequence of items.
    """
    if isinstance(value, list | tuple | range):
        return list(value)
    if type(value).__module__.partition(".")[0] in ("numpy", "pandas") and hasattr(value, "tolist"):
        return list(value)  # an array or a series; a table has no such method
    what = type(value).__name__
    hint = {
        "dict": "a list of its keys, values or items",
        "set": "a list, as sorted(…) returns it: a set has no order to resume in",
        "str": "a list of its lines or words",
        "DataFrame": 'its rows, as df.to_dict("records") returns them',
        "NoneType": "an empty list where there is nothing",
    }.get(what, "a list")
    raise PlanError(
        f"step {path!r} loops over a {what}, which is no sequence of items: give it {hint}",
        step=path,
    )


def _too_many(step: LoopStep, node: Node, what: str) -> PlanError:
    return PlanError(
        f"loop {node.path!r} {what}, and its limit is {step.max_iterations:,} rounds: raise "
        "max_iterations, or mend what it hangs on",
        step=node.path,
        max_iterations=step.max_iterations,
    )
