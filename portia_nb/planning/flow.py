"""Control flow of the builder: branches, loops, exits, and plans inside plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from portia_nb.errors import PlanCheckError
from portia_nb.model.callables import SchemaRef
from portia_nb.model.composite import MAX_ITERATIONS, Branch
from portia_nb.model.plan import (
    AnyStep,
    Condition,
    ConditionalStep,
    ExitStep,
    LoopStep,
    Plan,
    PlanInput,
    SubPlanStep,
    text_argument,
)
from portia_nb.model.reference import Input, StepOutput, to_argument
from portia_nb.model.written import to_arguments

from .clauses import ElseIf, EndIf, EndLoop, Entry, If, Loop, flat
from .embedding import embedded

StepRef = str | int | StepOutput
"""A step by its name, by its index (negative ones count from the end), or as a reference to it."""

ConditionGiven = Callable[..., Any] | StepOutput | Input | str | bool
"""A function of `args`, a reference, or a sentence that a model judges true or false of `args`."""


@dataclass(slots=True)
class _Open:
    """A conditional or a loop that is not closed yet."""

    kind: Literal["if_", "loop"]
    name: str
    has_else: bool = False
    is_left: bool = False
    """True: its ``with`` block has ended; a conditional may still get an else."""


class FlowBuilder:
    """The calls of `PlanBuilderV2` that say which steps run, and how often.

    A condition is a function of `args` (plain or async), a reference, or a sentence that a model
    judges true or false of `args`. Clauses count as steps for indexes; one that means a clause
    means the conditional or the loop that it belongs to. Each opening call stands in a ``with``
    too, which closes what it opened:

    >>> from portia_nb import PlanBuilderV2
    >>> builder = PlanBuilderV2("Greet whoever is there")
    >>> with builder.loop(over=["Ada", None], step_name="each") as who:
    ...     with builder.if_(lambda who: who is not None, {"who": who}):
    ...         _ = builder.llm_step(task=f"Greet {who}", step_name="greet")
    ...     with builder.else_():
    ...         _ = builder.exit(message="Nobody is left", step_name="leave")
    >>> print(builder.build().pretty_print())
    Task: Greet whoever is there
    1  each  loop  For each of ['Ada', None]
       - step_1  if  If <lambda>($each)
          - greet  llm_tool  Greet $each
          else
          - leave  exit  Nobody is left
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._inputs: list[PlanInput] = []
        self._open: list[_Open] = []
        self._with: list[_Open] = []

    # -- branches --------------------------------------------------------------------------------

    def if_(
        self,
        condition: ConditionGiven,
        args: Mapping[str, Any] | None = None,
        *,
        step_name: str | None = None,
        after: Sequence[StepRef] = (),
    ) -> Self:
        """Open a conditional: what follows runs where `condition` holds.

        Its output is that of the last step that ran in it.

        Raises:
            TypeError: `condition` is none of the things that decide.
        """
        judged = Condition.of(condition, args)
        common = self._common(step_name)
        step = ConditionalStep(**common, branches=(Branch(condition=judged),))
        self._open.append(_Open("if_", step.name))
        return self._enter(If(step, judged), after)

    def else_if_(self, condition: ConditionGiven, args: Mapping[str, Any] | None = None) -> Self:
        """Go on with a branch that is judged, and runs, where none before it was taken."""
        judged = Condition.of(condition, args)
        self._reopen("else_if_")
        return self._enter(ElseIf(judged))

    def else_(self) -> Self:
        """Go on with the branch that runs where no other was taken."""
        self._reopen("else_").has_else = True
        return self._enter(ElseIf(None))

    def endif(self) -> Self:
        """Close the conditional that was opened last."""
        self._innermost("if_", "endif")
        self._open.pop()
        return self._enter(EndIf())

    # -- loops -----------------------------------------------------------------------------------

    def loop(
        self,
        *,
        while_: ConditionGiven | None = None,
        do_while_: ConditionGiven | None = None,
        over: Any = None,
        args: Mapping[str, Any] | None = None,
        step_name: str | None = None,
        parallel: bool = False,
        max_iterations: int = MAX_ITERATIONS,
        after: Sequence[StepRef] = (),
    ) -> Self:
        """Open a loop: what follows runs for each item of `over`, or while a condition holds.

        Inside, the loop's own output is the item, in a while loop the number of the round, from 0;
        a step that refers to itself or to a later one means the round before (None in the first).
        Outside, the output of the loop, and of a step in it, is the last round's, and with
        ``full=True`` the list of all.

        Args:
            while_: judged before each round.
            do_while_: judged after each round.
            over: a reference to a sequence, or a sequence, which may hold references.
            args: what the condition is judged by.
            step_name: as for every step.
            parallel: True: the rounds of a for-each may run beside each other.
            max_iterations: rounds after which the step fails; a for-each of more never begins.
            after: as for every step.

        Raises:
            ValueError: not exactly one of `while_`, `do_while_` and `over` is given.
            TypeError: a condition is none of the things that decide.
        """
        common = self._common(step_name)
        step = LoopStep(
            **common,
            over=None if over is None else to_argument(over),
            while_=None if while_ is None else Condition.of(while_, args),
            do_while_=None if do_while_ is None else Condition.of(do_while_, args),
            parallel=parallel,
            max_iterations=max_iterations,
        )
        self._open.append(_Open("loop", step.name))
        return self._enter(Loop(step), after)

    def end_loop(self, step_name: str | None = None) -> Self:
        """Close the loop that was opened last; `step_name` is one more name for it."""
        self._innermost("loop", "end_loop")
        self._open.pop()
        return self._enter(EndLoop(step_name))

    # -- exits, and other plans ------------------------------------------------------------------

    def exit(self, message: str = "", error: bool = False, *, step_name: str | None = None) -> Self:
        """End the run here, from any depth: as complete, or with `error` as failed.

        `message` is the run's final output, or its error; without one the last output stands.
        """
        shown, _ = text_argument(said := to_argument(message))
        common = self._common(step_name)
        return self._add(ExitStep(**common, task=shown, message=said, error=error), ())

    def add_step(self, step: AnyStep) -> Self:
        """Add a step that was made elsewhere, with whatever steps it holds.

        One without a name gets a step's default name.
        """
        common = self._common(None)
        if not step.name:
            step = step.model_copy(update={key: common[key] for key in ("name", "output")})
        self._entries += flat(step)
        return self

    def add_steps(
        self, plan: Plan | Iterable[AnyStep], input_values: Mapping[str, Any] | None = None
    ) -> Self:
        """Add the steps of another plan, or steps made elsewhere, as if they were built here.

        Args:
            plan: a plan, whose inputs become inputs of this one too; or steps.
            input_values: values of the plan's inputs by name: literals or references.

        Raises:
            ValueError: `input_values` doesn't fit the plan, or this plan has such an input already
                with another default.
        """
        if not isinstance(plan, Plan):
            if input_values:
                raise ValueError("input_values are for the inputs of a plan, and steps have none")
            for step in plan:
                self.add_step(step)
            return self
        self._close_left()
        entries, inputs = embedded(plan, len(self._entries), input_values)
        for given in inputs:
            known = next((i for i in self._inputs if i.name == given.name), None)
            if known is None:
                self._inputs.append(given)
            elif given.value is not None and known.value != given.value:
                raise ValueError(
                    f"both plans have an input {given.name!r}, with the values {known.value!r} "
                    f"and {given.value!r}: give one another name, or use add_sub_plan"
                )
        self._entries += entries
        return self

    def add_sub_plan(
        self,
        plan: Plan,
        input_values: Mapping[str, Any] | None = None,
        step_name: str | None = None,
        *,
        after: Sequence[StepRef] = (),
    ) -> Self:
        """Add a whole plan as one step, whose output is the plan's final output.

        It sees its own inputs and steps, and nothing else of this plan.

        Args:
            plan: what is run.
            input_values: values of its inputs by name: literals, references, or both mixed.
            step_name: as for every step.
            after: as for every step.
        """
        common = self._common(step_name)
        common["output_schema"] = plan.structured_output_schema
        values = {name.removeprefix("$"): value for name, value in (input_values or {}).items()}
        step = SubPlanStep(
            **common,
            task=plan.plan_context.query,
            steps=plan.steps,
            plan_inputs=plan.plan_inputs,
            args=to_arguments(values),
            summarize=plan.summarize,
        )
        return self._add(step, after)

    # -- with ------------------------------------------------------------------------------------

    def __enter__(self) -> Any:
        """Go into the block of the clause that was just opened; a loop's is called by its item."""
        clause = self._entries[-1].what if self._entries else None
        if not isinstance(clause, If | ElseIf | Loop):
            raise TypeError("with goes with if_, else_if_, else_ and loop")
        self._with.append(self._open[-1])
        return StepOutput(self._open[-1].name) if isinstance(clause, Loop) else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        block = self._with.pop()
        if error is not None:
            return
        self._close_left()
        if self._open and self._open[-1] is block:
            if block.kind == "loop":
                self.end_loop()
            else:
                block.is_left = True

    # -- what all calls share --------------------------------------------------------------------

    def _common(
        self,
        name: str | None,
        output_schema: Any = None,
        retries: int | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        self._close_left()
        index = len(self._entries)
        return {
            "name": (name or f"step_{index}").removeprefix("$"),
            "output": f"$step_{index}_output",
            "output_schema": None if output_schema is None else SchemaRef.of(output_schema),
            "retries": retries,
            "timeout_s": timeout_s,
        }

    def _add(self, step: AnyStep, after: Sequence[StepRef], **bound: Any) -> Self:
        for name, value in bound.items():
            setattr(step, name, value)
        return self._enter(step, after)

    def _enter(self, what: Any, after: Sequence[StepRef] = ()) -> Self:
        listed = [after] if isinstance(after, str | int | StepOutput) else after
        names = tuple(s.step if isinstance(s, StepOutput) else s for s in listed)
        self._entries.append(Entry(what, names))
        return self

    def _close_left(self) -> None:
        """Close conditionals whose ``with`` has ended: no else can follow any more."""
        while self._open and self._open[-1].is_left:
            self._open.pop()
            self._entries.append(Entry(EndIf()))

    def _reopen(self, call: str) -> _Open:
        found = self._innermost("if_", call)
        if found.has_else:
            raise PlanCheckError(f"{call}() comes after the else_() of {found.name!r}")
        found.is_left = False
        return found

    def _innermost(self, kind: str, call: str) -> _Open:
        """Return what is open innermost.

        Raises:
            PlanCheckError: it is of another kind.
        """
        found = self._open[-1] if self._open else None
        if found is not None and found.kind == kind:
            return found
        inside = f"{found.kind} {found.name!r} is open" if found else "nothing is open"
        raise PlanCheckError(f"{call}() without its {kind}(…): {inside}")

    def _refuse_open(self) -> None:
        self._close_left()
        if self._open:
            found = self._open[-1]
            close = "endif" if found.kind == "if_" else "end_loop"
            raise PlanCheckError(f"{found.kind} {found.name!r} is not closed: call {close}()")
