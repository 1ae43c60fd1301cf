"""The log of runs, through the standard library's logging, as people know it from the reference.

At INFO a run takes a few lines; at DEBUG every state change, tool call and output is there as it
happens.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from portia_nb.config import Config, LogLevel
from portia_nb.llm.blotting import Blotter
from portia_nb.model import codecs
from portia_nb.model.events import (
    AgentLimited,
    BranchTaken,
    ClarificationRaised,
    ClarificationResolved,
    ModelReplied,
    Recorded,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepUncertain,
    ToolCalled,
    ToolReturned,
)
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState, Run, StepState

from .unsaid import secrets_of

logger = logging.getLogger("portia_nb")
"""The logger of everything in portia_nb."""

TRACE = 5
MAX_SHOWN = 2_000
_LEVELS = {
    LogLevel.TRACE: TRACE,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.CRITICAL: logging.CRITICAL,
}


class _OurHandler(logging.StreamHandler[TextIO]):
    """Marks the one handler that we put on the logger, so that a later config replaces it."""

    def __init__(self, sink: Any, config: Config) -> None:
        self._path = None if sink in ("stderr", "stdout") or hasattr(sink, "write") else Path(sink)
        self._name = sink if isinstance(sink, str) else ""
        stream: Any = sink if hasattr(sink, "write") else sys.stderr
        super().__init__(stream if self._path is None else self._path.open("a", encoding="utf-8"))
        self.config = config
        self._blotter = Blotter(secrets_of(config))
        self.setFormatter(_Lines() if config.json_log_serialize else logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        # Looked up each time: a notebook gives each cell its own standard streams.
        if self._path is None and self._name in ("stderr", "stdout"):
            self.stream = getattr(sys, self._name)
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        return self._blotter.without_known(super().format(record))

    def close(self) -> None:
        if self._path is not None:
            self.stream.close()
        super().close()


_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _Lines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": self.formatTime(record),
                "level": record.levelname,
                "message": record.getMessage(),
                **getattr(record, "facts", {}),
            },
            ensure_ascii=False,
        )


def set_up_logging(config: Config) -> None:
    """Let portia_nb's log go where `config` says, at its level; a later call replaces an earlier.

    Where the program has set up logging itself, its handlers get the records and ours isn't added.
    """
    ours = [h for h in logger.handlers if isinstance(h, _OurHandler)]
    if any(handler.config is config for handler in ours):
        return
    for handler in ours:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(_LEVELS[config.default_log_level])
    logging.addLevelName(TRACE, "TRACE")
    is_theirs = config.default_log_sink == "stderr" and bool(logging.getLogger().handlers)
    logger.propagate = is_theirs
    if not is_theirs:
        logger.addHandler(_OurHandler(config.default_log_sink, config))


def is_detailed(config: Config) -> bool:
    """Tell whether `config` asks for more than a few lines a run."""
    return config.default_log_level in (LogLevel.TRACE, LogLevel.DEBUG)


def log_start(models: Mapping[str, str]) -> None:
    """Log which models a session starts with, by what they are for."""
    named = ", ".join(f"{purpose} {name}" for purpose, name in models.items())
    logger.debug("portia_nb %s starts; models: %s", metadata.version("portia-nb"), named)


def log_plan(plan: Plan) -> None:
    """Log a plan that was made."""
    logger.debug("plan created with %d steps: %s", len(plan.steps), shown(plan.plan_context.query))
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("plan %s\n%s", plan.id, plan.pretty_print())


def log_event(run: Run, recorded: Recorded) -> None:
    """Log one event of a run; a listener."""
    if logger.isEnabledFor(logging.INFO):
        _log_run_event(run, recorded)
    if logger.isEnabledFor(logging.DEBUG):
        _log_step_event(run, recorded)


def _log_run_event(run: Run, recorded: Recorded) -> None:
    match recorded.event:
        case RunStarted():
            logger.info("run %s → IN_PROGRESS", run.id)
        case RunWaiting():
            logger.info("run %s → NEED_CLARIFICATION", run.id)
        case RunStopped(reason):
            logger.info("run %s → READY_TO_RESUME (%s)", run.id, shown(reason))
        case RunCompleted():
            logger.info("run %s → COMPLETE", run.id)
            logger.debug("final output: %s", shown(run.final.value if run.final else None))
        case RunFailed(error):
            step = run.steps.get(error.step or "")
            if step is not None and step.state is StepState.FAILED:
                logger.info("run %s → FAILED", run.id)  # the step's own line says why
            else:
                why = f"{shown(error.type)}: {shown(error.message)}"
                logger.error("run %s → FAILED: %s", run.id, why)
        case ClarificationRaised(path, asked):
            logger.info(
                "clarification requested by %s: %s", shown(path), shown(asked.user_guidance)
            )
        case ClarificationResolved(_, response, by):
            logger.info(
                "clarification resolved by %s: %s", shown(by or "the caller"), shown(response)
            )
            if run.state is PlanRunState.READY_TO_RESUME:
                logger.info("run %s → READY_TO_RESUME", run.id)
        case StepFailed(path, attempt, error, retry_in_s):
            what = "failed" if retry_in_s is None else f"failed, again in {retry_in_s:g} s"
            logger.log(
                logging.ERROR if retry_in_s is None else logging.WARNING,
                "step %s (attempt %d) %s: %s: %s",
                shown(path),
                attempt,
                what,
                shown(error.type),
                shown(error.message),
            )
        case AgentLimited(path, _, limit, allowed):
            logger.warning(
                "step %s: %s=%d is reached, so the agent answers from what it has; give "
                "react_agent_step a higher %s if that isn't enough",
                path,
                limit,
                allowed,
                limit,
            )
        case _:
            return


def _log_step_event(run: Run, recorded: Recorded) -> None:
    match recorded.event:
        case StepStarted(path, attempt):
            step = run.plan.step(path)
            logger.debug(
                "executing step %d %s (attempt %d): %s",
                run.plan.index_of(path),
                shown(path),
                attempt,
                shown(step.task),
            )
        case ToolCalled(path, _, tool_id, arguments):
            logger.debug(
                "step %s: invoking %s with %s", shown(path), shown(tool_id), shown(arguments)
            )
        case ToolReturned(path, _, tool_id, duration_s, error):
            how = "executed" if error is None else "failed"
            logger.debug("step %s: %s %s in %.2f s", shown(path), shown(tool_id), how, duration_s)
        case ModelReplied(path, purpose, model, duration_s, usage):
            logger.debug(
                "%s: %s answered for %s in %.2f s (%d + %d tokens)",
                shown(path or "planning"),
                shown(model),
                purpose,
                duration_s,
                usage.input_tokens,
                usage.output_tokens,
            )
        case StepDone(path):
            logger.debug("completed step %s: %s", shown(path), shown(run.record(path).value))
            logger.debug("new run state: %s", _state_of(run))
        case StepSkipped(path, reason):
            logger.debug("skipped step %s: %s", shown(path), shown(reason))
        case BranchTaken(path, branch):
            logger.debug("step %s takes its branch %d", shown(path), branch)
        case StepCancelled(path):
            logger.debug("stopped step %s", shown(path))
        case StepUncertain(path, _, tool_id):
            logger.debug(
                "step %s: whether %s took effect is not known", shown(path), shown(tool_id)
            )
        case _:
            return


def _state_of(run: Run) -> str:
    """Return a run's JSON, each output that is long cut as `shown` cuts it."""
    snapshot = run.snapshot()
    outputs = {
        name: output.model_copy(update={"value": _cut(output.value)})
        for name, output in snapshot.outputs.step_outputs.items()
    }
    final = snapshot.outputs.final_output
    if final is not None:
        final = final.model_copy(update={"value": _cut(final.value)})
    cut = snapshot.outputs.model_copy(update={"step_outputs": outputs, "final_output": final})
    return snapshot.model_copy(update={"outputs": cut}).model_dump_json(indent=2)


def _cut(value: Any) -> Any:
    text = shown(value)
    return value if len(text) <= MAX_SHOWN else text


def shown(value: Any) -> str:
    """Return `value` as one line for a log: cut, and without control characters."""
    text = codecs.to_text(value)
    cut = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text):,} characters)"
    return "".join(c if c.isprintable() else " " if c in "\n\t\r" else "�" for c in cut)
