"""A recorded run as a test for pytest: the plan as code, the record beside it, and what came out.

The test calls no tool, asks no model and opens no connection: the record answers. Functions of the
plan that declare no side effect run again, as in any replay.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from portia_nb.errors import InvalidOption, ToolNotFoundError
from portia_nb.llm.records import Record
from portia_nb.model import codecs
from portia_nb.model.composite import each_step
from portia_nb.model.events import ClarificationResolved, RunCreated, ToolCalled
from portia_nb.model.plain import Unkept
from portia_nb.model.plan import LLM_TOOL_ID, Plan
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.planning.bound import built_plan
from portia_nb.planning.literals import literal
from portia_nb.tools.base import Tool

from .history import WORDS
from .run_document import RunDocument

if TYPE_CHECKING:
    from .exporting import ExportedFile, Wanted
    from .parts import Parts
    from .portia import Portia

_BY_CODE = "the caller"


def write_test(parts: Parts, document: RunDocument, path: Path, wanted: Wanted) -> ExportedFile:
    """Write the test of a run, and a copy of its record beside it.

    Raises:
        InvalidOption: there is no record, values are to be left out, or the run hasn't ended.
        InvalidConfigError: the record can't be read.
    """
    from portia_nb.llm.blotting import Blotter

    from .exporting import put

    record = wanted.record or parts.config.record or parts.config.replay
    if record is None:
        raise InvalidOption(
            "a test replays what was recorded, and no record is named: run with "
            "portia.recording('run.json') or %portia run … --record run.json, then export with "
            "record='run.json'",
            option="record",
        )
    if not wanted.values:
        raise InvalidOption(
            "a test compares values: leave out values=False (--without-values)", option="values"
        )
    run = document.run()
    if run.state not in (PlanRunState.COMPLETE, PlanRunState.FAILED):
        raise InvalidOption(
            f"run {run.id} has not ended ({WORDS[run.state]}), so there is nothing to compare with",
            option="run",
        )
    kept = Record.load(Path(record).expanduser())
    blotter = Blotter(parts.secrets())
    text = kept.as_text(blotter.json if wanted.redact else lambda plain: plain)
    beside = path.with_name(f"{path.stem}.record.json")
    body = _test(parts, document, run.snapshot(), beside.name)
    return put(path, body, document.redacted, wanted, also=[(beside, text)])


def _test(parts: Parts, document: RunDocument, snapshot: PlanRun, record: str) -> str:
    plan = _with_functions(document)
    script = plan.to_script().partition('\n\nif __name__ == "__main__":')[0]
    head, _, rest = script.partition("from __future__ import annotations\n")
    outputs = {
        name: output.value
        for name, output in snapshot.outputs.step_outputs.items()
        if not _is_lost(output.value)
    }
    final = snapshot.final_output
    has_final = final is not None and not _is_lost(final.value)
    lines = [
        head.rstrip().replace("# Build the plan", "# Replay a recorded run of the plan", 1),
        f"# Run {document.row.run_id}; its record stands beside this file.",
        "",
        "from __future__ import annotations",
        rest.rstrip(),
        "",
        "from pathlib import Path",
        "",
        "from portia_nb import Config, Portia",
        "from portia_nb.model.codecs import are_same, decode",
        "from portia_nb.session.replay_test import answer_all, recorded_tools",
        "",
        f"RECORD = Path(__file__).with_name({record!r})",
        f"INPUTS = {literal(dict(_inputs(document)))}",
        f"ANSWERS = {literal(_answers(document))}",
        f"TOOLS = {literal(_tools(parts, plan, document))}",
        f"OUTPUTS = {_dict_lines(outputs)}",
        "",
        "",
        f"def test_the_recorded_run_{_slug(document)}_comes_out_the_same():",
        '    config = Config(store="memory", replay=RECORD)',
        "    portia = Portia(config, tools=recorded_tools(config, TOOLS))",
        "    run = answer_all(portia, portia.run_plan(plan, plan_run_inputs=INPUTS), ANSWERS)",
        f"    assert run.state.value == {snapshot.state.value!r}, run.error",
        "    for name, expected in OUTPUTS.items():",
        "        found = run.outputs.step_outputs[name].value",
        '        assert are_same(found, expected), f"{name}: {found!r} is not {expected!r}"',
    ]
    if snapshot.error is not None:
        lines += [
            "    assert run.error is not None",
            f"    assert run.error.type == {snapshot.error.type!r}",
            f"    assert run.error.step == {snapshot.error.step!r}",
        ]
    elif has_final and final is not None:
        lines += [
            "    assert run.final_output is not None",
            f"    expected = {literal(final.value)}",
            "    assert are_same(run.final_output.value, expected), run.final_output.value",
        ]
    return "\n".join(lines) + "\n"


def recorded_tools(config: Any, tools: Sequence[Mapping[str, Any]]) -> Any:
    """Return the tools of a replay: those of portia_nb, and stand-ins for others.

    Args:
        config: settings with `replay`.
        tools: of each other tool its ``tool_id``, ``description``, ``schema`` and ``side_effect``.
    """
    from portia_nb.session.tapes import open_player
    from portia_nb.tools.registry import DefaultToolRegistry, ToolRegistry

    known = DefaultToolRegistry(config, keyed=open_player(config).names())
    others = [_stand_in(**each) for each in tools]
    ours = [tool for tool in known if tool.id not in {other.id for other in others}]
    return ToolRegistry([*ours, *others])


def answer_all(portia: Portia, run: PlanRun, answers: Mapping[str, Sequence[Any]]) -> PlanRun:
    """Answer the questions that code answered when the run was recorded, and go on.

    Args:
        portia: who runs it.
        run: the run as it ended.
        answers: by the path of the step that asked, in order.
    """
    left = {path: list(given) for path, given in answers.items()}
    while run.state is PlanRunState.NEED_CLARIFICATION:
        asked = [each for each in run.get_outstanding_clarifications() if left.get(each.path or "")]
        if not asked:
            return run
        for each in asked:
            run = portia.resolve_clarification(each, left[each.path or ""].pop(0), run)
        run = portia.resume(run)
    return run


def _stand_in(
    *, tool_id: str, description: str, schema: dict[str, Any], side_effect: bool | None
) -> Any:
    return _StandIn(
        id=tool_id,
        name=tool_id,
        description=description,
        args_schema=_AnyArguments,
        output_schema=("any", "what the record holds"),
        side_effect=side_effect,
        schema_of_arguments=schema,
    )


class _AnyArguments(BaseModel):
    model_config = ConfigDict(extra="allow")


class _StandIn(Tool[Any]):
    """Has a tool's id and arguments; what it puts out comes from a record."""

    schema_of_arguments: dict[str, Any]

    async def arun(self, ctx: Any, /, **_: Any) -> Any:
        """Refuse: a replay never comes here."""
        raise RuntimeError(f"the tool {self.id} is only recorded here")

    def json_schema(self) -> dict[str, Any]:
        """Return the arguments' schema, as the tool had it."""
        return self.schema_of_arguments

    def parse_arguments(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments with the tool's defaults; the record says whether they are right."""
        properties: dict[str, Any] = self.schema_of_arguments.get("properties", {})
        defaults = {n: each["default"] for n, each in properties.items() if "default" in each}
        return {**defaults, **raw}

    def argument_problems(
        self, raw: Mapping[str, Any], *, unknown: Collection[str] = ()
    ) -> list[str]:
        """Return nothing: the record says whether they are right."""
        return []


def _with_functions(document: RunDocument) -> Plan:
    from portia_nb.planning.binding import with_functions_of

    built = built_plan(document.row.plan_hash)
    return document.plan if built is None else with_functions_of(document.plan, built)


def _tools(parts: Parts, plan: Plan, document: RunDocument) -> list[dict[str, Any]]:
    """Return what is to be known of the plan's tools that don't come with portia_nb."""
    from portia_nb.tools.examples import open_source_tools

    ours = {tool.id for tool in open_source_tools()} | {LLM_TOOL_ID}
    built = built_plan(plan.content_hash()) or plan
    bound = {tool.id: tool for tool in _bound(built)}
    found: dict[str, dict[str, Any]] = {}
    for tool_id in _named(plan, [tool.id for tool in parts.tools]):
        if tool_id in ours or tool_id in found:
            continue
        try:
            tool = bound.get(tool_id) or parts.tools.get_tool(tool_id)
        except ToolNotFoundError:
            found[tool_id] = _from_calls(tool_id, plan, document)
        else:
            found[tool_id] = {
                "tool_id": tool_id,
                "description": tool.description,
                "schema": tool.json_schema(),
                "side_effect": tool.side_effect,
            }
    return list(found.values())


def _from_calls(tool_id: str, plan: Plan, document: RunDocument) -> dict[str, Any]:
    """Return what the run itself tells of a tool that this process hasn't got."""
    given = {
        n for s in each_step(plan.steps) if s.tool_id == tool_id for n in getattr(s, "args", ())
    }
    seen: dict[str, list[Any]] = {}
    for recorded in document.recorded():
        if isinstance(event := recorded.event, ToolCalled) and event.tool_id == tool_id:
            for name, value in event.arguments.items():
                seen.setdefault(name, []).append(value)
    # What no step gives, and is the same in each call, is the tool's default.
    properties = {
        name: {} if name in given or values[1:] != values[:-1] else {"default": values[0]}
        for name, values in seen.items()
    }
    schema = {"type": "object", "properties": properties}
    return {"tool_id": tool_id, "description": "", "schema": schema, "side_effect": None}


def _named(plan: Plan, every: Sequence[str]) -> Iterator[str]:
    for step in each_step(plan.steps):
        if step.tool_id:
            yield step.tool_id
        if step.kind == "react":
            tools = getattr(step, "tool_ids", None)
            yield from every if tools is None else tools


def _bound(plan: Plan) -> Iterator[Tool[Any]]:
    for step in each_step(plan.steps):
        tool = getattr(step, "bound_tool", None)
        yield from () if tool is None else (tool,)
        yield from getattr(step, "bound_tools", ())


def _inputs(document: RunDocument) -> dict[str, Any]:
    for recorded in document.recorded():
        if isinstance(event := recorded.event, RunCreated):
            return {name: value for name, value in event.inputs.items() if not _is_lost(value)}
    return {}


def _answers(document: RunDocument) -> dict[str, list[Any]]:
    """Return what code answered, by the path of the step that asked: a replay doesn't answer it."""
    run = document.run()
    found: dict[str, list[Any]] = {}
    for recorded in document.recorded():
        event = recorded.event
        if isinstance(event, ClarificationResolved) and event.by == _BY_CODE:
            path = run.clarifications[event.clarification_id].path or ""
            found.setdefault(path, []).append(event.response)
    return found


def _dict_lines(outputs: Mapping[str, Any]) -> str:
    lines = [f"    {name!r}: {literal(value)},\n" for name, value in outputs.items()]
    return "{\n" + "".join(lines) + "}" if lines else "{}"


def _is_lost(value: Any) -> bool:
    return isinstance(value, Unkept) or codecs.is_unkept(codecs.encode_or_describe(value))


def _slug(document: RunDocument) -> str:
    return re.sub(r"[^0-9a-z]", "", document.row.run_id.lower())[4:12]
