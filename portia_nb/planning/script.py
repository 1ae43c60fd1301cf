"""A plan as a Python script that builds it: `Plan.to_script`.

Each step becomes the builder's call that makes it. Where no call makes exactly this step (a planner
names outputs as it likes), the step is written out and added as it is; and where the builder would
make another plan all the same, the whole plan is written out. Which of these it takes is found out
by doing it: the calls are made here, and what they build is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from portia_nb.errors import PortiaBaseError
from portia_nb.model.composite import AnyStep, SubPlanStep
from portia_nb.model.plan import Plan, PlanContext
from portia_nb.model.steps import Frozen

from .builder import PlanBuilderV2
from .builder_calls import Spelled, spell
from .carrying import RESERVED, Luggage
from .clauses import flat
from .literals import call, literal
from .written_out import write_out

_PUBLIC = (
    "ConditionalStep",
    "ExitStep",
    "FunctionStep",
    "Input",
    "InvokeToolStep",
    "LLMStep",
    "LoopStep",
    "Plan",
    "PlanBuilderV2",
    "PlanContext",
    "PlanInput",
    "ReActAgentStep",
    "SingleToolAgentStep",
    "StepOutput",
    "SubPlanStep",
    "UserInputStep",
    "UserVerifyStep",
    "Variable",
)
_INNER = {
    "Branch": "portia_nb.model.plan",
    "Condition": "portia_nb.model.plan",
    "DictOf": "portia_nb.model.reference",
    "FunctionRef": "portia_nb.model.callables",
    "ListOf": "portia_nb.model.reference",
    "Parts": "portia_nb.model.reference",
    "SchemaRef": "portia_nb.model.callables",
    "Value": "portia_nb.model.reference",
    "decode": "portia_nb.model.codecs",
}
_CALLED = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]*)[.(]")
_MAX_TOOLS = 50


def plan_to_script(plan: Plan) -> str:
    """Return the script, as `Plan.to_script` promises."""
    luggage = Luggage()
    body = "\n".join(_Writer(luggage).plan(plan, "plan"))
    definitions = "\n\n".join(luggage.definitions)
    parts = [
        _docstring(plan, luggage),
        "from __future__ import annotations",
        "\n".join([*sorted(luggage.imports), *_imports(body)]),
        *([definitions.rstrip()] if definitions else []),
        # A function of the plan may have taken a name that is imported above.
        *(["\n".join(_imports(body))] if _shadows(luggage) else []),
        body,
        'if __name__ == "__main__":\n    print(plan.pretty_print())',
    ]
    return "\n\n".join(parts) + "\n"


def _docstring(plan: Plan, luggage: Luggage) -> str:
    tools = list(dict.fromkeys(_tools(plan.steps)))
    lines = [f"Build the plan {plan.plan_context.query[:200]!a}."]
    if tools:
        shown = ", ".join(ascii(tool) for tool in tools[:_MAX_TOOLS])
        lines.append(f"It uses these tools, which whoever runs it must have: {shown}.")
    lines += [ascii(note)[1:-1] + "." for note in luggage.notes]
    # As comments: what a plan says then can't end a string.
    return "\n".join(f"# {line}" for line in lines)


def _tools(steps: Sequence[AnyStep]) -> Iterator[str]:
    from portia_nb.model.composite import each_step

    for step in each_step(steps):
        yield from (step.tool_id,) if step.tool_id else ()
        yield from getattr(step, "tool_ids", None) or ()


def _imports(body: str) -> list[str]:
    # A text may look like a call: then something is imported that isn't used, and no harm is done.
    used = set(_CALLED.findall(body))
    public = sorted(used & set(_PUBLIC))
    inner = sorted(f"from {_INNER[name]} import {name}" for name in used & set(_INNER))
    return [*([f"from portia_nb import {', '.join(public)}"] if public else []), *inner]


def _shadows(luggage: Luggage) -> bool:
    return any(
        re.search(rf"^(?:async )?(?:def|class) (?:{'|'.join(RESERVED)})\b", each, re.MULTILINE)
        for each in luggage.definitions
    )


@dataclass
class _Writer:
    """Writes plans, those inside others first."""

    luggage: Luggage
    inner: int = 0
    _raw: set[str] = field(default_factory=set[str])

    def plan(self, plan: Plan, name: str) -> list[str]:
        """Return the lines that bind the plan to `name`."""
        raw: set[str] = set()
        while True:
            lines, builder = self._calls(plan, name, raw)
            try:
                built = builder.build()
            except (PortiaBaseError, ValueError, TypeError):
                break
            wrong = {
                mine.name
                for mine, made in zip(plan.steps, built.steps, strict=False)
                if _printed(mine) != _printed(made)
            }
            if wrong <= raw and len(built.steps) == len(plan.steps):
                fields = _differing(plan, built)
                if built.model_copy(update=fields).content_hash() == plan.content_hash():
                    return [*lines, *self._finish(plan, fields, name)]
                break
            if wrong <= raw:
                break
            raw |= wrong
        return self._whole(plan, name)

    def _calls(self, plan: Plan, name: str, raw: set[str]) -> tuple[list[str], PlanBuilderV2]:
        builder = PlanBuilderV2(plan.plan_context.query)
        variable = "builder" if name == "plan" else f"{name}_builder"
        lines = [f"{variable} = PlanBuilderV2({literal(plan.plan_context.query)})"]
        for spelled in self._spelled(plan, raw, lines):
            _ = spelled.make(builder)
            code = call(f"{variable}.{spelled.method}", spelled.words, first=spelled.first)
            lines.append(code)
        return lines, builder

    def _spelled(self, plan: Plan, raw: set[str], lines: list[str]) -> Iterator[Spelled]:
        for given in plan.plan_inputs:
            words = {"name": given.name.removeprefix("$")}
            extra = {"description": given.description, "default_value": given.value}
            objects = words | {key: value for key, value in extra.items() if value is not None}
            yield Spelled.of("input", objects)
        index = 0
        for step in plan.steps:
            if step.name in raw:
                code = write_out(step, self.luggage)
                yield Spelled("add_step", {}, {}, (code,), (step,))
                index += len(list(flat(step)))
                continue
            for entry in flat(step):
                if isinstance(entry.what, SubPlanStep):
                    yield self._sub_plan(entry.what, index, entry.after, lines)
                else:
                    yield spell(entry, index, self.luggage)
                index += 1
        schema, summarize = plan.structured_output_schema, plan.summarize
        if schema is not None or summarize:
            spelled = Spelled.of("final_output", {"summarize": True} if summarize else {})
            if schema is not None:
                spelled.objects["output_schema"] = schema
                spelled.words["output_schema"] = self.luggage.schema(schema)
            yield spelled

    def _sub_plan(
        self, step: SubPlanStep, index: int, after: Sequence[Any], lines: list[str]
    ) -> Spelled:
        from .builder_calls import common_words, given_arguments

        self.inner += 1
        name = f"inner_{self.inner}"
        inner = Plan(
            plan_context=PlanContext(query=step.task),
            steps=step.steps,
            plan_inputs=step.plan_inputs,
            structured_output_schema=step.output_schema,
            summarize=step.summarize,
        )
        lines += self.plan(inner, name)
        spelled = Spelled("add_sub_plan", {}, {}, (name,), (inner,))
        given_arguments(spelled, "input_values", step.args)
        common_words(spelled, step, index, after, self.luggage, only_name=True)
        return spelled

    def _finish(self, plan: Plan, fields: dict[str, Any], name: str) -> list[str]:
        variable = "builder" if name == "plan" else f"{name}_builder"
        lines = [f"{name} = {variable}.build()"]
        if fields:
            shown = ", ".join(f"{key!r}: {self._field(each)}" for key, each in fields.items())
            lines.append(f"{name} = {name}.model_copy(update={{{shown}}})")
        return lines

    def _whole(self, plan: Plan, name: str) -> list[str]:
        words: dict[str, str] = {}
        for key in ("plan_context", *_FIELDS[1:], "steps"):
            value = getattr(plan, key)
            if value != Plan.model_fields[key].get_default(call_default_factory=True):
                words[key] = self._field(value)
        return [f"{name} = {call('Plan', words)}"]

    def _field(self, value: Any) -> str:
        return write_out(value, self.luggage)


_FIELDS = (
    "plan_context",
    "plan_inputs",
    "structured_output_schema",
    "summarize",
    "scripted",
)


def _differing(plan: Plan, built: Plan) -> dict[str, Any]:
    """Return the fields, other than steps, that the builder makes otherwise."""
    pairs = {key: (getattr(plan, key), getattr(built, key)) for key in _FIELDS}
    return {key: mine for key, (mine, made) in pairs.items() if _printed(mine) != _printed(made)}


def _printed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_printed(each) for each in value]
    is_noun = isinstance(value, Frozen) or hasattr(value, "model_dump")
    return value.model_dump(mode="json") if is_noun else value
