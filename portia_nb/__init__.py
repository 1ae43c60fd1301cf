"""Plan, watch, steer and keep an agent run inside a Jupyter notebook.

Every public name is here and is loaded when it is first used, so that ``import portia_nb`` and
``%load_ext portia_nb`` cost next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES: dict[str, tuple[str, ...]] = {
    "alias.activate": ("as_portia",),
    "session.portia": ("Portia",),
    "session.costs": ("CostEstimator",),
    "session.comparison": ("RunComparison",),
    "session.map_result": ("PlanMap",),
    "session.mcp_probe": ("McpReport", "aprobe_mcp", "probe_mcp"),
    "session.log": ("logger",),
    "drawing.timeline": ("Timeline",),
    "model.estimate": ("PlanCostEstimate", "StepCostEstimate"),
    "config": (
        "Config",
        "ExecutionAgentType",
        "GenerativeModelsConfig",
        "LLMModel",
        "LLMProvider",
        "LogLevel",
        "PlanningAgentType",
        "StorageClass",
        "default_config",
    ),
    "planning.builder": ("PlanBuilderV2",),
    "planning.plain_builder": ("PlanBuilder",),
    "llm.generative": ("GenerativeModel",),
    "model.end_user": ("EndUser",),
    "model.page_step": ("Step",),
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
        "ReActAgentStep",
        "SingleToolAgentStep",
        "StepV2",
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
    "cli.hooks": ("CLIExecutionHooks",),
    "running.hooks": ("BeforeStepExecutionOutcome", "ClarificationHandler", "ExecutionHooks"),
    "running.ready_hooks": (
        "clarify_on_all_tool_calls",
        "clarify_on_tool_calls",
        "log_step_outputs",
    ),
    "tools.base": ("Tool",),
    "tools.context": ("ToolRunContext",),
    "tools.decorator": ("tool",),
    "tools.program": ("ProgramResult", "arun_program", "run_program"),
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
        "AgentLimitReached",
        "AliasRefused",
        "ApprovalRefused",
        "BudgetReached",
        "ConfigNotFoundError",
        "DuplicateToolError",
        "FunctionsMissing",
        "InvalidAgentError",
        "InvalidAgentOutputError",
        "InvalidAnswer",
        "InvalidConfigError",
        "InvalidPlanRunStateError",
        "InvalidToolDescriptionError",
        "LeftOut",
        "ModelError",
        "NoModelKey",
        "PlanCheckError",
        "PlanError",
        "PlanNotFeasibleError",
        "PlanNotFoundError",
        "PlanRunExitError",
        "PlanRunNotFoundError",
        "PortiaBaseError",
        "RecordDrift",
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
    from portia_nb.alias.activate import (
        as_portia as as_portia,
    )
    from portia_nb.cli.hooks import (
        CLIExecutionHooks as CLIExecutionHooks,
    )
    from portia_nb.config import (
        Config as Config,
        ExecutionAgentType as ExecutionAgentType,
        GenerativeModelsConfig as GenerativeModelsConfig,
        LLMModel as LLMModel,
        LLMProvider as LLMProvider,
        LogLevel as LogLevel,
        PlanningAgentType as PlanningAgentType,
        StorageClass as StorageClass,
        default_config as default_config,
    )
    from portia_nb.drawing.timeline import (
        Timeline as Timeline,
    )
    from portia_nb.errors import (
        AgentLimitReached as AgentLimitReached,
        AliasRefused as AliasRefused,
        ApprovalRefused as ApprovalRefused,
        BudgetReached as BudgetReached,
        ConfigNotFoundError as ConfigNotFoundError,
        DuplicateToolError as DuplicateToolError,
        FunctionsMissing as FunctionsMissing,
        InvalidAgentError as InvalidAgentError,
        InvalidAgentOutputError as InvalidAgentOutputError,
        InvalidAnswer as InvalidAnswer,
        InvalidConfigError as InvalidConfigError,
        InvalidPlanRunStateError as InvalidPlanRunStateError,
        InvalidToolDescriptionError as InvalidToolDescriptionError,
        LeftOut as LeftOut,
        ModelError as ModelError,
        NoModelKey as NoModelKey,
        PlanCheckError as PlanCheckError,
        PlanError as PlanError,
        PlanNotFeasibleError as PlanNotFeasibleError,
        PlanNotFoundError as PlanNotFoundError,
        PlanRunExitError as PlanRunExitError,
        PlanRunNotFoundError as PlanRunNotFoundError,
        PortiaBaseError as PortiaBaseError,
        RecordDrift as RecordDrift,
        RunHeldElsewhere as RunHeldElsewhere,
        SkipExecutionError as SkipExecutionError,
        StepNotFoundError as StepNotFoundError,
        StepTimeout as StepTimeout,
        StorageError as StorageError,
        ToolFailedError as ToolFailedError,
        ToolHardError as ToolHardError,
        ToolNotFoundError as ToolNotFoundError,
        ToolRetryError as ToolRetryError,
        ToolSoftError as ToolSoftError,
        WaitingForAnswer as WaitingForAnswer,
    )
    from portia_nb.llm.generative import (
        GenerativeModel as GenerativeModel,
    )
    from portia_nb.model.clarification import (
        ActionClarification as ActionClarification,
        Clarification as Clarification,
        ClarificationCategory as ClarificationCategory,
        ClarificationListType as ClarificationListType,
        ClarificationType as ClarificationType,
        CustomClarification as CustomClarification,
        InputClarification as InputClarification,
        MultipleChoiceClarification as MultipleChoiceClarification,
        UserVerificationClarification as UserVerificationClarification,
        ValueConfirmationClarification as ValueConfirmationClarification,
    )
    from portia_nb.model.end_user import (
        EndUser as EndUser,
    )
    from portia_nb.model.estimate import (
        PlanCostEstimate as PlanCostEstimate,
        StepCostEstimate as StepCostEstimate,
    )
    from portia_nb.model.ids import (
        ClarificationUUID as ClarificationUUID,
        PlanRunUUID as PlanRunUUID,
        PlanUUID as PlanUUID,
    )
    from portia_nb.model.language import (
        LanguageModel as LanguageModel,
        Message as Message,
    )
    from portia_nb.model.page_step import (
        Step as Step,
    )
    from portia_nb.model.plan import (
        ConditionalStep as ConditionalStep,
        ExitStep as ExitStep,
        FunctionStep as FunctionStep,
        InvokeToolStep as InvokeToolStep,
        LLMStep as LLMStep,
        LoopStep as LoopStep,
        Plan as Plan,
        PlanContext as PlanContext,
        PlanInput as PlanInput,
        PlanV2 as PlanV2,
        ReActAgentStep as ReActAgentStep,
        SingleToolAgentStep as SingleToolAgentStep,
        StepV2 as StepV2,
        SubPlanStep as SubPlanStep,
        UserInputStep as UserInputStep,
        UserVerifyStep as UserVerifyStep,
        Variable as Variable,
    )
    from portia_nb.model.reference import (
        Input as Input,
        StepOutput as StepOutput,
    )
    from portia_nb.model.run import (
        PlanRun as PlanRun,
        PlanRunOutputs as PlanRunOutputs,
        PlanRunState as PlanRunState,
    )
    from portia_nb.model.values import (
        LocalDataValue as LocalDataValue,
        Output as Output,
    )
    from portia_nb.planning.builder import (
        PlanBuilderV2 as PlanBuilderV2,
    )
    from portia_nb.planning.plain_builder import (
        PlanBuilder as PlanBuilder,
    )
    from portia_nb.running.hooks import (
        BeforeStepExecutionOutcome as BeforeStepExecutionOutcome,
        ClarificationHandler as ClarificationHandler,
        ExecutionHooks as ExecutionHooks,
    )
    from portia_nb.running.ready_hooks import (
        clarify_on_all_tool_calls as clarify_on_all_tool_calls,
        clarify_on_tool_calls as clarify_on_tool_calls,
        log_step_outputs as log_step_outputs,
    )
    from portia_nb.session.comparison import (
        RunComparison as RunComparison,
    )
    from portia_nb.session.costs import (
        CostEstimator as CostEstimator,
    )
    from portia_nb.session.log import (
        logger as logger,
    )
    from portia_nb.session.map_result import (
        PlanMap as PlanMap,
    )
    from portia_nb.session.mcp_probe import (
        McpReport as McpReport,
        aprobe_mcp as aprobe_mcp,
        probe_mcp as probe_mcp,
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
        ExtractTool as ExtractTool,
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
        open_source_tool_registry as open_source_tool_registry,
    )
    from portia_nb.tools.mcp.configs import (
        SseMcpClientConfig as SseMcpClientConfig,
        StdioMcpClientConfig as StdioMcpClientConfig,
        StreamableHttpMcpClientConfig as StreamableHttpMcpClientConfig,
    )
    from portia_nb.tools.mcp.registry import (
        McpToolRegistry as McpToolRegistry,
    )
    from portia_nb.tools.program import (
        ProgramResult as ProgramResult,
        arun_program as arun_program,
        run_program as run_program,
    )
    from portia_nb.tools.registry import (
        DefaultToolRegistry as DefaultToolRegistry,
        InMemoryToolRegistry as InMemoryToolRegistry,
        PortiaToolRegistry as PortiaToolRegistry,
        ToolRegistry as ToolRegistry,
    )
