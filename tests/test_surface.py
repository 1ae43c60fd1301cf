"""The names of API.md's table "Top level", importable from the package's top."""

import importlib

import pytest

import portia_nb

MUST = """
Portia Config LogLevel StorageClass LLMProvider PlanBuilderV2 StepOutput Input Plan PlanV2
PlanContext PlanInput PlanUUID PlanRun PlanRunState PlanRunUUID Output LocalDataValue Tool
ToolRunContext tool ToolRegistry InMemoryToolRegistry example_tool_registry
open_source_tool_registry DefaultToolRegistry SearchTool LLMTool WeatherTool FileReaderTool
FileWriterTool CalculatorTool Clarification ClarificationCategory ClarificationListType
ActionClarification InputClarification MultipleChoiceClarification ValueConfirmationClarification
UserVerificationClarification ClarificationHandler ExecutionHooks default_config logger
"""
SHOULD = """
CustomClarification ClarificationType GenerativeModel GenerativeModelsConfig Message LLMModel
ExecutionAgentType PlanningAgentType PlanBuilder Step Variable ExtractTool CrawlTool MapTool
McpToolRegistry SseMcpClientConfig StdioMcpClientConfig StreamableHttpMcpClientConfig
CostEstimator PlanCostEstimate StepCostEstimate EndUser LLMStep InvokeToolStep FunctionStep
SingleToolAgentStep ReActAgentStep UserVerifyStep UserInputStep ConditionalStep LoopStep StepV2
"""
ERRORS = """
PortiaBaseError ConfigNotFoundError InvalidConfigError PlanError PlanNotFoundError
PlanRunNotFoundError ToolNotFoundError DuplicateToolError InvalidToolDescriptionError
ToolRetryError ToolFailedError InvalidPlanRunStateError InvalidAgentError InvalidAgentOutputError
ToolHardError ToolSoftError StorageError PlanRunExitError SkipExecutionError
"""


@pytest.mark.parametrize("name", f"{MUST} {SHOULD} {ERRORS}".split())
def test_the_name_is_there(name):
    assert name in portia_nb.__all__
    assert getattr(portia_nb, name) is not None
    assert name in dir(portia_nb)


@pytest.mark.parametrize("name", [name for name in portia_nb.__all__ if "ipython" not in name])
def test_a_public_name_says_what_it_is(name):
    found = getattr(portia_nb, name)
    if isinstance(found, type) or callable(found):
        assert found.__doc__, name
        assert found.__doc__.strip(), name


@pytest.mark.parametrize("name", ERRORS.split())
def test_every_error_stands_under_one_root(name):
    assert issubclass(getattr(portia_nb, name), portia_nb.PortiaBaseError)


def test_type_checkers_are_told_the_same_names():
    # Both lists stand in one file: the lazy one for Python, the other for type checkers.
    import ast
    from pathlib import Path

    tree = ast.parse(Path(portia_nb.__file__).read_text("utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    told = {
        (statement.module, alias.asname)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    lazy = {
        (f"portia_nb.{home}", name) for home, names in portia_nb._HOMES.items() for name in names
    }
    assert told == lazy


def test_the_cloud_registry_is_importable_and_says_what_to_use_instead():
    with pytest.raises(portia_nb.InvalidConfigError, match="closed: use open_source_tool_registry"):
        portia_nb.PortiaToolRegistry(portia_nb.Config())


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match="no public name 'Portla'"):
        portia_nb.Portla  # noqa: B018
    assert importlib.import_module("portia_nb") is portia_nb
