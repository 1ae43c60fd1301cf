"""Forks of plans at random: they run what an edit touches and nothing else, and come out right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from portia_nb import Input, Plan, PlanBuilderV2, PlanRun, PlanRunState, StepOutput
from portia_nb.model.events import StepDone

from .stage import portia

FEW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Tally:
    """Functions that put out a number made of what they are given, and count their calls."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.instead: dict[tuple[str, int], int] = {}
        """What the n-th call for a step puts out, whatever it is given."""

    def step(self, name: str) -> Any:
        def work(**given: Any) -> int:
            call = name, self.calls[name]
            self.calls[name] += 1
            return self.instead.get(call, number(name, given))

        work.__qualname__ = name
        return work


def number(name: str, given: dict[str, Any]) -> int:
    found = sum(map(ord, name))
    for key, value in sorted(given.items()):
        each = value if isinstance(value, list) else [value]
        found = found * 31 + sum(map(ord, key)) + sum(0 if v is None else v + 7 for v in each)
    return found % 10_007


# -- plans of plain steps: exactly what is touched ---------------------------------------------


@dataclass
class Graph:
    """Steps ``s0``, ``s1``, … with the earlier ones that each refers to, or comes after."""

    refers: list[list[int]]
    after: list[list[int]]
    inputs: list[bool]
    effects: list[bool | None]

    def plan(self, tally: Tally) -> Plan:
        builder = PlanBuilderV2().input(name="n")
        for this, refers in enumerate(self.refers):
            args: dict[str, Any] = {f"a{i}": StepOutput(f"s{i}") for i in refers}
            if self.inputs[this]:
                args["n"] = Input("n")
            builder.function_step(
                function=tally.step(f"s{this}"),
                args={**args, "k": this},
                step_name=f"s{this}",
                after=[f"s{i}" for i in self.after[this]],
                side_effect=self.effects[this],
            )
        return builder.build()

    def touched(self, first: set[int]) -> set[int]:
        """Say the rule once more, in the plainest way: again and again until nothing is added."""
        found = set(first)
        while True:
            more = {
                this
                for this in range(len(self.refers))
                if set(self.refers[this] + self.after[this]) & found
                or (
                    self.effects[this] is not True
                    and any(i < this and self.effects[i] is True for i in found)
                )
            }
            if more <= found:
                return found
            found |= more


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 9))
    some = [st.lists(st.integers(0, i - 1), unique=True, max_size=3) for i in range(1, count)]
    return Graph(
        [[], *(draw(each) for each in some)],
        [[], *(draw(st.one_of(st.just([]), each)) for each in some)],
        draw(st.lists(st.booleans(), min_size=count, max_size=count)),
        draw(st.lists(st.sampled_from([False, None, True]), min_size=count, max_size=count)),
    )


@FEW
@given(graphs(), st.data())
def test_exactly_what_an_edit_touches_runs_again(graph: Graph, data: st.DataObject):
    tally, home = Tally(), portia()
    run = home.run_plan(graph.plan(tally), plan_run_inputs={"n": 1})
    assert run.state is PlanRunState.COMPLETE
    before = outputs(run)
    edited = data.draw(st.sets(st.integers(0, len(graph.refers) - 1), max_size=2), "edited")
    by_hand = data.draw(
        st.sets(st.sampled_from(sorted(edited)) if edited else st.nothing()), "hand"
    )
    changes_input = data.draw(st.booleans(), "input") or not edited
    edits = {f"s{i}": {"output": 99} if i in by_hand else {"args": {"k": 99}} for i in edited}
    inputs = {"n": 2} if changes_input else None
    readers = {i for i, reads in enumerate(graph.inputs) if reads and changes_input}
    tally.calls.clear()

    forked = home.fork(run, edits=edits, inputs=inputs)

    reading_given = {
        i for i in range(len(graph.refers)) if set(graph.refers[i] + graph.after[i]) & by_hand
    }
    touched = graph.touched((edited - by_hand) | readers | reading_given) - by_hand
    assert dict(tally.calls) == {f"s{i}": 1 for i in touched}
    assert forked.forked_from == run.id
    assert outputs(run) == before
    plan = home.work_out_fork(run, edits=edits, inputs=inputs).plan
    for i in by_hand:  # a plan in which this step says it by itself
        plan = home.work_out_fork(
            home.run_plan(plan, plan_run_inputs={"n": 1}), f"s{i}", function=lambda **_: 99
        ).plan
    fresh = home.run_plan(plan, plan_run_inputs=inputs or {"n": 1})
    assert outputs(forked) == outputs(fresh)
    assert forked.final_output == fresh.final_output


def outputs(run: PlanRun) -> dict[str, Any]:
    return {name: output.value for name, output in run.outputs.step_outputs.items()}


# -- plans with branches, loops and plans inside -------------------------------------------------


@dataclass
class Maker:
    """Builds a plan at random, and remembers which steps can be named and edited.

    Not by Hypothesis's own draws, which are mostly small: what can go wrong takes loops in branches
    in loops.
    """

    random: Random
    parallel: bool = True
    tally: Tally = field(default_factory=Tally)
    count: int = 0
    leaves: list[str] = field(default_factory=list)

    def plan(self) -> Plan:
        builder, known = PlanBuilderV2(), list[str]()
        self.add_leaf(builder, known, 0, "")
        self.body(builder, known, 2, "")
        return builder.build()

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def one_of(self, known: list[str]) -> Any:
        found = self.random.choice([None, *known, *known[-2:]])
        return self.random.randrange(6) if found is None else StepOutput(found)

    def body(self, builder: PlanBuilderV2, known: list[str], depth: int, where: str) -> None:
        """Add one to four steps that refer to `known`, and are known afterwards."""
        for _ in range(self.random.randrange(1, 5)):
            kind = self.random.choice(["leaf", *(["if", "each", "while", "plan"] * bool(depth))])
            getattr(self, f"add_{kind}")(builder, known, depth, where)

    def add_leaf(
        self, builder: PlanBuilderV2, known: list[str], depth: int, where: str, **args: Any
    ) -> str:
        name = self.name("s")
        given = {"a": self.one_of(known), "b": self.one_of(known), "k": 1, **args}
        is_in_loop = any(loop in where.rpartition("plan")[2] for loop in ("each", "while"))
        if is_in_loop and not self.parallel:
            given["own"] = self.random.choice([0, StepOutput(name)])  # of the round before
        builder.function_step(
            function=self.tally.step(name),
            args=given,
            step_name=name,
            side_effect=self.random.choice([False, None]),
        )
        known.append(name)
        self.leaves.append(where + name)
        return name

    def add_if(self, builder: PlanBuilderV2, known: list[str], depth: int, where: str) -> None:
        name = self.name("if")
        builder.if_(_is_even, {"x": self.one_of(known)}, step_name=name)
        inside: list[str] = []
        self.body(builder, inside_known := list(known), depth - 1, f"{where}{name}/")
        inside += inside_known[len(known) :]
        if self.random.random() < 0.6:
            builder.else_()
            self.body(builder, inside_known := list(known), depth - 1, f"{where}{name}/")
            inside += inside_known[len(known) :]
        builder.endif()
        known += [name, *inside]  # one in a branch that isn't taken is seen as None

    def add_each(self, builder: PlanBuilderV2, known: list[str], depth: int, where: str) -> None:
        name = self.name("each")
        items = [self.one_of(known) for _ in range(self.random.randrange(4))]
        parallel = self.parallel and self.random.random() < 0.5
        builder.loop(over=items, step_name=name, parallel=parallel)
        self.body(builder, inside := [*known, name], depth - 1, f"{where}{name}/")
        builder.end_loop()
        known += [name, *inside[len(known) + 1 :]]

    def add_while(self, builder: PlanBuilderV2, known: list[str], depth: int, where: str) -> None:
        """Add a loop that hangs on what its last step puts out, from round to round."""
        name, last = self.name("while"), self.name("sum")
        builder.loop(
            while_=_goes_on, args={"x": StepOutput(last), "n": StepOutput(name)}, step_name=name
        )
        inside = [*known, name, last]  # the last one's output of the round before
        self.body(builder, inside, depth - 1, f"{where}{name}/")
        builder.function_step(
            function=self.tally.step(last),
            args={"own": StepOutput(last), "x": self.one_of(inside), "k": 1},
            step_name=last,
        )
        builder.end_loop()
        self.leaves.append(f"{where}{name}/{last}")
        known += [name, last]

    def add_plan(self, builder: PlanBuilderV2, known: list[str], depth: int, where: str) -> None:
        name = self.name("plan")
        inner = PlanBuilderV2().input(name="p").input(name="q")
        inside: list[str] = []
        first = self.add_leaf(inner, inside, depth, f"{where}{name}/", b=Input("p"))
        self.body(inner, inside, depth - 1, f"{where}{name}/")
        self.add_leaf(inner, inside, depth, f"{where}{name}/", a=StepOutput(first), b=Input("q"))
        values = {"p": self.one_of(known), "q": self.one_of(known)}
        builder.add_sub_plan(inner.build(), values, step_name=name)
        known.append(name)


def _is_even(x: Any) -> bool:
    return (x or 0) % 2 == 0


def _goes_on(x: Any, n: int) -> bool:
    return n < 4 and (x or 0) % 3 != 1


seeds = st.integers(0, 2**32).map(Random)


@FEW
@given(seeds)
def test_a_fork_puts_out_what_a_whole_new_run_of_the_edited_plan_does(random: Random):
    maker, home = Maker(random), portia()
    run = home.run_plan(maker.plan())
    assert run.state is PlanRunState.COMPLETE, run.error
    before, edited = outputs(run), random.choice(maker.leaves)

    fork = home.work_out_fork(run, edited, args={"k": random.randrange(2, 9)})
    forked = home.start_fork(fork).done.result(15)

    assert forked.state is PlanRunState.COMPLETE, forked.error
    assert outputs(run) == before
    fresh = home.run_plan(fork.plan)
    assert outputs(forked) == outputs(fresh)
    assert forked.final_output == fresh.final_output


def own_name(path: str) -> str:
    return path.rpartition("/")[2]


@FEW
@given(seeds)
def test_an_output_given_by_hand_counts_as_if_the_step_had_put_it_out(random: Random):
    """In one round of a loop, too: later rounds may hang on it, and how many there are."""
    maker, home = Maker(random, parallel=False), portia()
    run = home.run_plan(maker.plan())
    events = home.store.load_events(run.id)
    done = [each.event.path for each in events if isinstance(each.event, StepDone)]
    done = [path for path in done if own_name(path) in map(own_name, maker.leaves)]
    chosen = random.choice(done)
    of_same_place = [path for path in done if own_name(path) == own_name(chosen)]

    forked = home.fork(run, chosen, output=4_321)

    maker.tally.calls.clear()
    maker.tally.instead[own_name(chosen), of_same_place.index(chosen)] = 4_321
    fresh = home.run_plan(run.plan_id)
    assert outputs(forked) == outputs(fresh)
    assert forked.final_output == fresh.final_output


@FEW
@given(seeds)
def test_naming_a_step_leaves_every_output_as_it_was(random: Random):
    maker, home = Maker(random), portia()
    run = home.run_plan(maker.plan())
    forked = home.fork(run, random.choice(maker.leaves))
    assert outputs(forked) == outputs(run)
    # A fork of the fork takes over what was taken over.
    again = home.fork(forked, random.choice(maker.leaves))
    assert outputs(again) == outputs(run)
