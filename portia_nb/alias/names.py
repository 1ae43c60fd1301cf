"""Which old module path offers which names, and where the few names live that are not public."""

from __future__ import annotations

from collections.abc import Mapping

_CLARIFICATIONS = (
    "ActionClarification",
    "Clarification",
    "ClarificationCategory",
    "ClarificationListType",
    "ClarificationType",
    "ClarificationUUID",
    "CustomClarification",
    "InputClarification",
    "MultipleChoiceClarification",
    "UserVerificationClarification",
    "ValueConfirmationClarification",
)
_ERRORS = (
    "ConfigNotFoundError",
    "DuplicateToolError",
    "InvalidAgentError",
    "InvalidAgentOutputError",
    "InvalidConfigError",
    "InvalidPlanRunStateError",
    "InvalidToolDescriptionError",
    "PlanError",
    "PlanNotFoundError",
    "PlanRunExitError",
    "PlanRunNotFoundError",
    "PortiaBaseError",
    "SkipExecutionError",
    "StorageError",
    "ToolFailedError",
    "ToolHardError",
    "ToolNotFoundError",
    "ToolRetryError",
    "ToolSoftError",
)
_STEPS = (
    "ConditionalStep",
    "FunctionStep",
    "InvokeToolStep",
    "LLMStep",
    "LoopStep",
    "SingleToolAgentStep",
    "UserInputStep",
    "UserVerifyStep",
)
_MCP = ("SseMcpClientConfig", "StdioMcpClientConfig", "StreamableHttpMcpClientConfig")
_REGISTRIES = (
    "DefaultToolRegistry",
    "InMemoryToolRegistry",
    "McpToolRegistry",
    "PortiaToolRegistry",
    "ToolRegistry",
)

MODULES: Mapping[str, tuple[str, ...]] = {
    "builder": ("Input", "PlanBuilderV2", "PlanV2", "StepOutput"),
    "builder.plan_builder_v2": ("PlanBuilderV2",),
    "builder.plan_v2": ("PlanV2",),
    "builder.reference": ("Input", "StepOutput"),
    "builder.step_v2": _STEPS,
    "clarification": _CLARIFICATIONS,
    "clarification_handler": ("ClarificationHandler",),
    "config": (
        "Config",
        "ExecutionAgentType",
        "LLMProvider",
        "LogLevel",
        "PlanningAgentType",
        "StorageClass",
        "default_config",
    ),
    "errors": _ERRORS,
    "execution_agents": (),
    "execution_agents.output": ("LocalDataValue", "Output"),
    "execution_hooks": ("ClarificationHandler", "ExecutionHooks"),
    "logger": ("logger",),
    "mcp_session": _MCP,
    "model": ("LLMProvider", "Message"),
    "open_source_tools": (),
    "open_source_tools.calculator_tool": ("CalculatorTool",),
    "open_source_tools.crawl_tool": ("CrawlTool",),
    "open_source_tools.extract_tool": ("ExtractTool",),
    "open_source_tools.file_reader_tool": ("FileReaderTool",),
    "open_source_tools.file_writer_tool": ("FileWriterTool",),
    "open_source_tools.image_understanding_tool": ("ImageUnderstandingTool",),
    "open_source_tools.llm_tool": ("LLMTool",),
    "open_source_tools.map_tool": ("MapTool",),
    "open_source_tools.pdf_reader_tool": ("PDFReaderTool",),
    "open_source_tools.registry": ("example_tool_registry", "open_source_tool_registry"),
    "open_source_tools.search_tool": ("SearchTool",),
    "open_source_tools.weather": ("WeatherTool",),
    "plan": ("Plan", "PlanContext", "PlanInput", "PlanUUID", "Step", "Variable"),
    "plan_run": ("PlanRun", "PlanRunOutputs", "PlanRunState", "PlanRunUUID"),
    "portia": ("Portia",),
    "prefixed_uuid": ("ClarificationUUID", "PlanRunUUID", "PlanUUID"),
    "storage": ("DiskFileStorage", "InMemoryStorage", "PlanRunListResponse"),
    "tool": ("Tool", "ToolRunContext"),
    "tool_decorator": ("tool",),
    "tool_registry": _REGISTRIES,
}
"""Old module paths below ``portia``, and the names that code imported from each."""

HOMES: Mapping[str, str] = {
    "Config": "alias.sequential",
    "DiskFileStorage": "alias.storage",
    "ImageUnderstandingTool": "tools.builtin.image",
    "InMemoryStorage": "alias.storage",
    "PDFReaderTool": "tools.builtin.pdf_reader",
    "PlanRunListResponse": "session.stored",
    "Portia": "alias.sequential",
    "default_config": "alias.sequential",
    "logger": "alias.old_logger",
}
"""Where a name lives that is not one of `portia_nb`'s, or that old code gets in another form."""
