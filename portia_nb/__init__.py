"""Plan, watch, steer and keep an agent run inside a Jupyter notebook.

Every public name is here and is loaded when it is first used, so that ``import portia_nb`` and
``%load_ext portia_nb`` cost next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES: dict[str, tuple[str, ...]] = {
    "session.portia": ("Portia",),
    "session.log": ("logger",),
    "config": (
        "Config",
        "ExecutionAgentType",
        "LLMProvider",
        "LogLevel",
        "PlanningAgentType",
        "StorageClass",
        "default_config",
    ),
    "planning.builder": ("PlanBuilderV2",),
    "model.reference": ("Input", "StepOutput"),
    "model.ids": ("PlanUUID", "PlanRunUUID", "ClarificationUUID"),
    "model.plan": (
        "ConditionalStep",
        "ExitStep",
        "FunctionStep",
        "InvokeToolStep",
        "LLMStep",
        "LoopStep",
        "Plan",
        "PlanContext",
        "PlanInput",
        "PlanV2",
        "SingleToolAgentStep",
        "Step",
        "SubPlanStep",
        "UserInputStep",
        "UserVerifyStep",
        "Variable",
    ),
    "model.run": ("PlanRun", "PlanRunOutputs", "PlanRunState"),
    "model.values": ("LocalDataValue", "Output"),
    "model.language": ("LanguageModel", "Message"),
    "model.clarification": (
        "ActionClarification",
        "Clarification",
        "ClarificationCategory",
        "ClarificationListType",
        "ClarificationType",
        "CustomClarification",
        "InputClarification",
        "MultipleChoiceClarification",
        "UserVerificationClarification",
        "ValueConfirmationClarification",
    ),
    "running.hooks": ("ClarificationHandler", "ExecutionHooks"),
    "tools.base": ("Tool",),
    "tools.context": ("ToolRunContext",),
    "tools.decorator": ("tool",),
    "tools.registry": (
        "DefaultToolRegistry",
        "InMemoryToolRegistry",
        "PortiaToolRegistry",
        "ToolRegistry",
    ),
    "tools.mcp.configs": (
        "SseMcpClientConfig",
        "StdioMcpClientConfig",
        "StreamableHttpMcpClientConfig",
    ),
    "tools.mcp.registry": ("McpToolRegistry",),
    "tools.examples": ("example_tool_registry", "open_source_tool_registry"),
    "tools.builtin.calculator": ("CalculatorTool",),
    "tools.builtin.file_reader": ("FileReaderTool",),
    "tools.builtin.file_writer": ("FileWriterTool",),
    "tools.builtin.llm": ("LLMTool",),
    "tools.builtin.search": ("SearchTool",),
    "tools.builtin.sites": ("CrawlTool", "ExtractTool", "MapTool"),
    "tools.builtin.weather": ("WeatherTool",),
    "errors": (
        "ApprovalRefused",
        "ConfigNotFoundError",
        "DuplicateToolError",
        "FunctionsMissing",
        "InvalidAgentError",
        "InvalidAgentOutputError",
        "InvalidAnswer",
        "InvalidConfigError",
        "InvalidPlanRunStateError",
        "InvalidToolDescriptionError",
        "ModelError",
        "NoModelKey",
        "PlanCheckError",
        "PlanError",
        "PlanNotFeasibleError",
        "PlanNotFoundError",
        "PlanRunExitError",
        "PlanRunNotFoundError",
        "PortiaBaseError",
        "RunHeldElsewhere",
        "SkipExecutionError",
        "StepNotFoundError",
        "StepTimeout",
        "StorageError",
        "ToolFailedError",
        "ToolHardError",
        "ToolNotFoundError",
        "ToolRetryError",
        "ToolSoftError",
        "WaitingForAnswer",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), "load_ipython_extension", "unload_ipython_extension"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load the public `name` from its home at first use."""
    if (home := _HOME_OF.get(name)) is None:
        raise AttributeError(f"module 'portia_nb' has no public name {name!r}")
    found = getattr(import_module(f"portia_nb.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return [*__all__, "__version__"]


def load_ipython_extension(shell: Any) -> None:
    """Turn the notebook face on: ``%load_ext portia_nb``."""
    from portia_nb.notebook.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Turn the notebook face off and restore what it changed: ``%unload_ext portia_nb``."""
    from portia_nb.notebook.extension import unload

    unload(shell)


if TYPE_CHECKING:
    from portia_nb.config import (
        Config as Config,
    )
    from portia_nb.config import (
        ExecutionAgentType as ExecutionAgentType,
    )
    from portia_nb.config import (
        LLMProvider as LLMProvider,
    )
    from portia_nb.config import (
        LogLevel as LogLevel,
    )
    from portia_nb.config import (
        PlanningAgentType as PlanningAgentType,
    )
    from portia_nb.config import (
        StorageClass as StorageClass,
    )
    from portia_nb.config import (
        default_config as default_config,
    )
    from portia_nb.errors import (
        ApprovalRefused as ApprovalRefused,
    )
    from portia_nb.errors import (
        ConfigNotFoundError as ConfigNotFoundError,
    )
    from portia_nb.errors import (
        DuplicateToolError as DuplicateToolError,
    )
    from portia_nb.errors import (
        FunctionsMissing as FunctionsMissing,
    )
    from portia_nb.errors import (
        InvalidAgentError as InvalidAgentError,
    )
    from portia_nb.errors import (
        InvalidAgentOutputError as InvalidAgentOutputError,
    )
    from portia_nb.errors import (
        InvalidAnswer as InvalidAnswer,
    )
    from portia_nb.errors import (
        InvalidConfigError as InvalidConfigError,
    )
    from portia_nb.errors import (
        InvalidPlanRunStateError as InvalidPlanRunStateError,
    )
    from portia_nb.errors import (
        InvalidToolDescriptionError as InvalidToolDescriptionError,
    )
    from portia_nb.errors import (
        ModelError as ModelError,
    )
    from portia_nb.errors import (
        NoModelKey as NoModelKey,
    )
    from portia_nb.errors import (
        PlanCheckError as PlanCheckError,
    )
    from portia_nb.errors import (
        PlanError as PlanError,
    )
    from portia_nb.errors import (
        PlanNotFeasibleError as PlanNotFeasibleError,
    )
    from portia_nb.errors import (
        PlanNotFoundError as PlanNotFoundError,
    )
    from portia_nb.errors import (
        PlanRunExitError as PlanRunExitError,
    )
    from portia_nb.errors import (
        PlanRunNotFoundError as PlanRunNotFoundError,
    )
    from portia_nb.errors import (
        PortiaBaseError as PortiaBaseError,
    )
    from portia_nb.errors import (
        RunHeldElsewhere as RunHeldElsewhere,
    )
    from portia_nb.errors import (
        SkipExecutionError as SkipExecutionError,
    )
    from portia_nb.errors import (
        StepNotFoundError as StepNotFoundError,
    )
    from portia_nb.errors import (
        StepTimeout as StepTimeout,
    )
    from portia_nb.errors import (
        StorageError as StorageError,
    )
    from portia_nb.errors import (
        ToolFailedError as ToolFailedError,
    )
    from portia_nb.errors import (
        ToolHardError as ToolHardError,
    )
    from portia_nb.errors import (
        ToolNotFoundError as ToolNotFoundError,
    )
    from portia_nb.errors import (
        ToolRetryError as ToolRetryError,
    )
    from portia_nb.errors import (
        ToolSoftError as ToolSoftError,
    )
    from portia_nb.errors import (
        WaitingForAnswer as WaitingForAnswer,
    )
    from portia_nb.model.clarification import (
        ActionClarification as ActionClarification,
    )
    from portia_nb.model.clarification import (
        Clarification as Clarification,
    )
    from portia_nb.model.clarification import (
        ClarificationCategory as ClarificationCategory,
    )
    from portia_nb.model.clarification import (
        ClarificationListType as ClarificationListType,
    )
    from portia_nb.model.clarification import (
        ClarificationType as ClarificationType,
    )
    from portia_nb.model.clarification import (
        CustomClarification as CustomClarification,
    )
    from portia_nb.model.clarification import (
        InputClarification as InputClarification,
    )
    from portia_nb.model.clarification import (
        MultipleChoiceClarification as MultipleChoiceClarification,
    )
    from portia_nb.model.clarification import (
        UserVerificationClarification as UserVerificationClarification,
    )
    from portia_nb.model.clarification import (
        ValueConfirmationClarification as ValueConfirmationClarification,
    )
    from portia_nb.model.ids import (
        ClarificationUUID as ClarificationUUID,
    )
    from portia_nb.model.ids import (
        PlanRunUUID as PlanRunUUID,
    )
    from portia_nb.model.ids import (
        PlanUUID as PlanUUID,
    )
    from portia_nb.model.language import (
        LanguageModel as LanguageModel,
    )
    from portia_nb.model.language import (
        Message as Message,
    )
    from portia_nb.model.plan import (
        ConditionalStep as ConditionalStep,
    )
    from portia_nb.model.plan import (
        ExitStep as ExitStep,
    )
    from portia_nb.model.plan import (
        FunctionStep as FunctionStep,
    )
    from portia_nb.model.plan import (
        InvokeToolStep as InvokeToolStep,
    )
    from portia_nb.model.plan import (
        LLMStep as LLMStep,
    )
    from portia_nb.model.plan import (
        LoopStep as LoopStep,
    )
    from portia_nb.model.plan import (
        Plan as Plan,
    )
    from portia_nb.model.plan import (
        PlanContext as PlanContext,
    )
    from portia_nb.model.plan import (
        PlanInput as PlanInput,
    )
    from portia_nb.model.plan import (
        PlanV2 as PlanV2,
    )
    from portia_nb.model.plan import (
        SingleToolAgentStep as SingleToolAgentStep,
    )
    from portia_nb.model.plan import (
        Step as Step,
    )
    from portia_nb.model.plan import (
        SubPlanStep as SubPlanStep,
    )
    from portia_nb.model.plan import (
        UserInputStep as UserInputStep,
    )
    from portia_nb.model.plan import (
        UserVerifyStep as UserVerifyStep,
    )
    from portia_nb.model.plan import (
        Variable as Variable,
    )
    from portia_nb.model.reference import (
        Input as Input,
    )
    from portia_nb.model.reference import (
        StepOutput as StepOutput,
    )
    from portia_nb.model.run import (
        PlanRun as PlanRun,
    )
    from portia_nb.model.run import (
        PlanRunOutputs as PlanRunOutputs,
    )
    from portia_nb.model.run import (
        PlanRunState as PlanRunState,
    )
    from portia_nb.model.values import (
        LocalDataValue as LocalDataValue,
    )
    from portia_nb.model.values import (
        Output as Output,
    )
    from portia_nb.planning.builder import (
        PlanBuilderV2 as PlanBuilderV2,
    )
    from portia_nb.running.hooks import (
        ClarificationHandler as ClarificationHandler,
    )
    from portia_nb.running.hooks import (
        ExecutionHooks as ExecutionHooks,
    )
    from portia_nb.session.log import (
        logger as logger,
    )
    from portia_nb.session.portia import (
        Portia as Portia,
    )
    from portia_nb.tools.base import (
        Tool as Tool,
    )
    from portia_nb.tools.builtin.calculator import (
        CalculatorTool as CalculatorTool,
    )
    from portia_nb.tools.builtin.file_reader import (
        FileReaderTool as FileReaderTool,
    )
    from portia_nb.tools.builtin.file_writer import (
        FileWriterTool as FileWriterTool,
    )
    from portia_nb.tools.builtin.llm import (
        LLMTool as LLMTool,
    )
    from portia_nb.tools.builtin.search import (
        SearchTool as SearchTool,
    )
    from portia_nb.tools.builtin.sites import (
        CrawlTool as CrawlTool,
    )
    from portia_nb.tools.builtin.sites import (
        ExtractTool as ExtractTool,
    )
    from portia_nb.tools.builtin.sites import (
        MapTool as MapTool,
    )
    from portia_nb.tools.builtin.weather import (
        WeatherTool as WeatherTool,
    )
    from portia_nb.tools.context import (
        ToolRunContext as ToolRunContext,
    )
    from portia_nb.tools.decorator import (
        tool as tool,
    )
    from portia_nb.tools.examples import (
        example_tool_registry as example_tool_registry,
    )
    from portia_nb.tools.examples import (
        open_source_tool_registry as open_source_tool_registry,
    )
    from portia_nb.tools.mcp.configs import (
        SseMcpClientConfig as SseMcpClientConfig,
    )
    from portia_nb.tools.mcp.configs import (
        StdioMcpClientConfig as StdioMcpClientConfig,
    )
    from portia_nb.tools.mcp.configs import (
        StreamableHttpMcpClientConfig as StreamableHttpMcpClientConfig,
    )
    from portia_nb.tools.mcp.registry import (
        McpToolRegistry as McpToolRegistry,
    )
    from portia_nb.tools.registry import (
        DefaultToolRegistry as DefaultToolRegistry,
    )
    from portia_nb.tools.registry import (
        InMemoryToolRegistry as InMemoryToolRegistry,
    )
    from portia_nb.tools.registry import (
        PortiaToolRegistry as PortiaToolRegistry,
    )
    from portia_nb.tools.registry import (
        ToolRegistry as ToolRegistry,
    )
