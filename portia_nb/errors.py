"""Every error that portia_nb raises on purpose, in one tree.

    PortiaBaseError
    ├── ConfigNotFoundError, InvalidConfigError, InvalidOption
    ├── AliasRefused, LeftOut
    ├── PlanError ── PlanCheckError, PlanNotFeasibleError
    ├── PlanNotFoundError, PlanRunNotFoundError, StepNotFoundError
    ├── InvalidPlanRunStateError ── NotReadyInTime
    ├── BudgetReached, InputsMissing, PlanRunExitError, SkipExecutionError
    ├── FunctionsMissing, StepTimeout, StepUncertain, ValueNotKept, PlanRunFailed
    ├── ToolNotFoundError, DuplicateToolError, InvalidToolDescriptionError
    ├── ToolHardError, ToolSoftError, ToolFailedError, ToolRetryError
    ├── InvalidAgentError, InvalidAgentOutputError
    ├── ModelError ── NoModelKey, ModelKeyRefused, ModelNotFound, ModelUnreachable,
    │                 ModelRateLimited, ModelServerError, ModelRequestRefused,
    │                 ModelReplyInvalid, ModelReplyCutOff, RecordDrift
    ├── StorageError ── StoreUnwritable, StoreFull, StoreLocked, StoreDamaged, StoreTooNew,
    │                   RunHeldElsewhere, StaleOwner
    └── ClarificationError ── InvalidAnswer, WaitingForAnswer, ApprovalRefused,
                          ClarificationExpired

A message says what was found, where, and what to do next; the same facts are attributes.
Names that end in ``Error`` are those of the reference SDK, or stand beside one of them.
"""

from __future__ import annotations


class PortiaBaseError(Exception):
    """Root of every error that portia_nb raises on purpose."""

    def __init__(self, message: str = "", **facts: object) -> None:
        """Keep `message` as the text and each fact as an attribute.

        Args:
            message: what was found, where, and what to do.
            facts: the same as attributes, e.g. ``tool_id="search_tool"``.
        """
        super().__init__(message)
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> object:
        """Say plainly that a fact was not given, as for any missing attribute."""
        raise AttributeError(f"{type(self).__name__} has no fact {name!r}")


class ConfigNotFoundError(PortiaBaseError):
    """A setting that is needed has no value anywhere."""


class InvalidConfigError(PortiaBaseError):
    """A setting has a value that can't be used."""


class InvalidOption(PortiaBaseError, ValueError):
    """An option of a magic or a command that doesn't exist, or a value that it can't take."""


class AliasRefused(PortiaBaseError, ImportError):
    """`as_portia` can't stand in for a `portia` that is really there; `found` says where."""


class LeftOut(PortiaBaseError, ImportError):
    """A name or module of the reference SDK that isn't here; the message says why."""


# -- plans ---------------------------------------------------------------------------------------


class PlanError(PortiaBaseError):
    """No plan could be made, or the plan can't run."""


class PlanCheckError(PlanError):
    """The plan can't run as it stands; `problems` lists every reason, one sentence each."""


class PlanNotFeasibleError(PlanError):
    """The planner says that the query can't be done with these tools; `reason` holds its words."""


class PlanNotFoundError(PortiaBaseError):
    """The store holds no plan with this id."""


class PlanRunNotFoundError(PortiaBaseError):
    """The store holds no run with this id."""


class StepNotFoundError(PortiaBaseError, LookupError):
    """A name or index that belongs to no step."""


# -- running -------------------------------------------------------------------------------------


class InvalidPlanRunStateError(PortiaBaseError):
    """The run is in a state in which this can't be done."""


class NotReadyInTime(InvalidPlanRunStateError, TimeoutError):
    """A run still waits for an answer after the time for which somebody waited with it."""


class InputsMissing(PortiaBaseError, ValueError):
    """A plan's inputs have no value; `missing` holds their names."""


class BudgetReached(PortiaBaseError):
    """A call to a model would pass the budget; what is done is kept, and the run can go on."""


class PlanRunExitError(PortiaBaseError):
    """A step ended the run on purpose with an error."""


class SkipExecutionError(PortiaBaseError):
    """A step is skipped. Raised by ``before_step_execution`` hooks; the message is the reason."""


class FunctionsMissing(PortiaBaseError):
    """A stored plan holds functions or classes that this process has not got: `names`."""


class StepTimeout(PortiaBaseError, TimeoutError):
    """A step took longer than its `timeout_s`."""


class StepUncertain(PortiaBaseError):
    """A side-effecting call was under way when its process died: did it happen? Nobody knows."""


class PlanRunFailed(PortiaBaseError):
    """The run that a cell or a command waited for failed; `plan_run` holds it."""


class ValueNotKept(PortiaBaseError):
    """A step's value could not be written to the store, and now it is needed again."""


# -- tools ---------------------------------------------------------------------------------------


class ToolNotFoundError(PortiaBaseError, LookupError):
    """No tool has this id; `tool_id` holds it."""


class DuplicateToolError(PortiaBaseError):
    """Two tools of one registry share an id."""


class InvalidToolDescriptionError(PortiaBaseError):
    """A tool's id, description or schema can't be used."""


class ToolHardError(PortiaBaseError):
    """A tool failed in a way that trying again can't mend. Raised by tools."""


class ToolSoftError(PortiaBaseError):
    """A tool failed in a way that other arguments or a second try may mend. Raised by tools."""


class ToolFailedError(PortiaBaseError):
    """A tool failed for good. For tools that raise it: nothing is tried again.

    Where a tool raises another error, the run keeps that one.
    """


class ToolRetryError(PortiaBaseError):
    """A tool used up its own tries. For tools that raise it: nothing is tried again.

    Where a tool raises another error until its tries are used up, the run keeps the last one.
    """


class InvalidAgentError(PortiaBaseError):
    """An agent is set up in a way that can't work. Here for code that catches it.

    A plan whose agents can't work is refused as a `PlanCheckError` before it runs.
    """


class InvalidAgentOutputError(PortiaBaseError):
    """An agent's answer doesn't fit what its step asked for."""


class AgentLimitReached(PortiaBaseError):
    """An agent came to a limit, and its model gave no answer from what it had by then."""


# -- language models -----------------------------------------------------------------------------


class ModelError(PortiaBaseError):
    """A call to a language model failed; `model` names it as ``provider/name``."""


class NoModelKey(ModelError):
    """No provider has a key, so no model can be called."""


class ModelKeyRefused(ModelError):
    """The provider refused the key (HTTP 401 or 403)."""


class ModelNotFound(ModelError):
    """The provider knows no model of this name."""


class ModelUnreachable(ModelError):
    """The server could not be reached, or did not answer in time."""


class ModelRateLimited(ModelError):
    """The provider kept answering "too many requests" (HTTP 429)."""


class ModelServerError(ModelError):
    """The provider kept failing (HTTP 5xx)."""


class ModelRequestRefused(ModelError):
    """The provider refused the request itself (HTTP 400 or 422)."""


class ModelReplyInvalid(ModelError):
    """The reply is not what was asked for: not JSON, or not of the schema."""


class ModelReplyCutOff(ModelReplyInvalid):
    """The reply ended before it was complete."""


class RecordDrift(ModelError):
    """A replayed record doesn't hold this call; the message shows the nearest one that it holds."""


# -- keeping -------------------------------------------------------------------------------------


class StorageError(PortiaBaseError):
    """The store could not do what was asked."""


class StoreUnwritable(StorageError):
    """The store's folder can't be written to."""


class StoreFull(StorageError):
    """The disk is full."""


class StoreLocked(StorageError):
    """Another process keeps the store locked."""


class StoreDamaged(StorageError):
    """The store's file, or a record in it, is not what was written."""


class StoreTooNew(StorageError):
    """The store was written by a later version of portia_nb."""


class RunHeldElsewhere(StorageError):
    """Another live process owns the run; `owner` says which."""


class StaleOwner(StorageError):
    """The run was taken over by another owner, so this one may write no more."""


# -- asking --------------------------------------------------------------------------------------


class ClarificationError(PortiaBaseError):
    """A question could not be asked or answered."""


class InvalidAnswer(ClarificationError, ValueError):
    """An answer that the question doesn't allow."""


class WaitingForAnswer(ClarificationError):
    """The run waits for a person; the message says which command goes on."""


class ApprovalRefused(ClarificationError):
    """A person, or a setting, refused to let the plan or the call go ahead."""


class ClarificationExpired(ClarificationError, TimeoutError):
    """Nobody answered a question in the time that it had, and it has no default."""
