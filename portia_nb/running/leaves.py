"""What each kind of step does in one attempt."""

from __future__ import annotations

from typing import Any, assert_never

from portia_nb.errors import FunctionsMissing, PlanRunExitError, ToolSoftError
from portia_nb.model.callables import SchemaRef
from portia_nb.model.clarification import (
    Clarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
)
from portia_nb.model.language import LanguageModel, ModelRequest
from portia_nb.model.plan import (
    ConditionalStep,
    ExitStep,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    LoopStep,
    ReActAgentStep,
    SingleToolAgentStep,
    SubPlanStep,
    UserInputStep,
    UserVerifyStep,
)
from portia_nb.model.run import Run
from portia_nb.tools.base import Tool

from .agent import choose_arguments
from .attempt import Asking, Attempt, Result
from .calls import Calls
from .memory import Memory
from .models import Models
from .ports import Ports
from .prompts import llm_step
from .react import ReAct
from .recovery import decided
from .shaped import TRIES


class Leaves:
    """Does the steps of one run."""

    def __init__(self, run: Run, ports: Ports, models: Models) -> None:
        """Work on behalf of `run`; `models` counts what is asked."""
        self._run = run
        self._ports = ports
        self.models = models
        self._calls = Calls(run, ports, self.models)

    async def perform(self, at: Attempt) -> Result:
        """Do one attempt at a step and return what it puts out.

        Raises:
            Asking: it needs an answer first.
            Exception: it failed.
        """
        step = at.step
        # An agent goes by what was decided of each of its calls.
        is_asked = self._run.clarifications and step.kind != "react"
        if is_asked and (said := decided(self._calls.answers(at), at.path)):
            return said
        match step:
            case FunctionStep():
                result = await self._function(step, at)
            case InvokeToolStep():
                result = await self._tool(step, at)
            case LLMStep():
                return await self._llm(step, at)
            case SingleToolAgentStep():
                result = await self._agent(step, at)
            case ReActAgentStep():
                task = self.task_of(step, at)
                agent = ReAct(self._run, self._ports, self.models, self._calls, step, at, task)
                return await agent.perform()
            case UserVerifyStep():
                return self._user_verify(step, at)
            case UserInputStep():
                return self._user_input(step, at)
            case ExitStep():
                return self._exit(step, at)
            case ConditionalStep() | LoopStep() | SubPlanStep():
                raise AssertionError(f"a {step.kind} step is no leaf")
            case _:
                assert_never(step)
        if step.kind == "function" and step.output_schema is None:
            return result
        return await self._as_wanted(step, result, at)

    def is_answered(self, at: Attempt) -> bool:
        """Tell whether the step has asked something, and got an answer that counts for `at`."""
        return bool(self._run.clarifications) and bool(self._calls.answers(at))

    async def _as_wanted(
        self, step: FunctionStep | InvokeToolStep | SingleToolAgentStep, result: Result, at: Attempt
    ) -> Result:
        """Return a result in the shape, and with the summary, that its step or its tool wants."""
        value, summary, schema = result.value, result.summary, step.output_schema
        tool = None if isinstance(step, FunctionStep) else self._ports.tool(step)
        if schema is None and tool is not None and tool.structured_output_schema is not None:
            schema = SchemaRef.of(tool.structured_output_schema)
        if schema is not None:
            value = await self.models.shaped(value, schema, step.task, at.path)
        if tool is not None and tool.should_summarize and summary is None:
            summary = await self.models.sum_up(step.task, {step.name: value}, at.path)
        return Result(value, summary)

    async def condition_holds(self, at: Attempt) -> bool:
        """Return whether a step's condition is true of its inputs, as a model judges."""
        assert at.step.condition is not None
        return await self.models.holds(at.step.condition, at.scope.inputs_of(at.step), at.path)

    async def _function(self, step: FunctionStep, at: Attempt) -> Result:
        function = step.function.call
        if function is None:
            raise FunctionsMissing(
                f"step {step.name!r} needs the function {step.function.name!r}, which this process "
                "has not got: run the cell that builds the plan, then resume",
                names=(step.function.name,),
            )
        resolve = at.scope.resolve
        arguments = {name: resolve(argument) for name, argument in step.args.items()}
        return await self._calls.call_function(function, step.function.name, arguments, at)

    async def _tool(self, step: InvokeToolStep, at: Attempt) -> Result:
        tool, given = self.settled(step, at)
        return await self._calls.call_tool(tool, given, at)

    def settled(
        self, step: InvokeToolStep | SingleToolAgentStep, at: Attempt
    ) -> tuple[Tool[Any], dict[str, Any]]:
        """Return the tool of a step, and the arguments that are settled without a model."""
        tool = self._ports.tool(step)
        given = {name: at.scope.resolve(argument) for name, argument in step.args.items()}
        memory = None
        if isinstance(step, SingleToolAgentStep) and self._calls.have_chosen(at):
            memory = Memory(self._ports.config.large_output_threshold_tokens)
            memory.show_all(at.scope.inputs_of(step))
        given.update(self._calls.answered_arguments(at, tool, memory))
        return tool, given

    async def _llm(self, step: LLMStep, at: Attempt) -> Result:
        model, request = self.llm_request(step, at)
        if step.output_schema is not None:
            return Result(
                await self.models.ask_for_shape(model, request, step.output_schema, at.path)
            )
        reply = await self.models.ask(
            model, request, at.path, on_text=self.models.streamer(at.path)
        )
        return Result(reply.text)

    def llm_request(self, step: LLMStep, at: Attempt) -> tuple[LanguageModel, ModelRequest]:
        """Return the model of a step without a tool, and what it is asked."""
        task = self.task_of(step, at)
        model = self.models.find("execution", step.bound_model)
        request = ModelRequest(
            llm_step.llm_step_messages(task, at.scope.inputs_of(step), step.system_prompt),
            record_key=("llm_step", llm_step.VERSION, task),
        )
        return model, request

    async def _agent(self, step: SingleToolAgentStep, at: Attempt) -> Result:
        tool, settled = self.settled(step, at)
        problem: str | None = None
        for last in range(TRIES):
            is_held = self._calls.held_output(tool, at) is not None
            is_settled = is_held or self._is_settled(tool, settled, at)
            arguments = (
                settled if is_settled else await self._choose(step, tool, settled, at, problem)
            )
            try:
                return await self._calls.call_tool(tool, arguments, at)
            except ToolSoftError as error:
                # Other arguments may help, and only a tool that changes nothing is called again.
                if is_settled or at.side_effect is not False or last == TRIES - 1:
                    raise
                problem = str(error)
        raise AssertionError("unreachable")

    def _is_settled(self, tool: Tool[Any], settled: dict[str, Any], at: Attempt) -> bool:
        """Tell whether no model need choose: all is known, or it has chosen and then asked."""
        if set(settled) >= set(tool.args_schema.model_fields):
            return True
        required = tool.json_schema().get("required", ())
        return set(settled) >= set(required) and self._calls.have_chosen(at)

    async def _choose(
        self,
        step: SingleToolAgentStep,
        tool: Tool[Any],
        settled: dict[str, Any],
        at: Attempt,
        problem: str | None,
    ) -> dict[str, Any]:
        return await choose_arguments(
            self.models,
            self.models.find("execution", step.bound_model),
            tool,
            self.task_of(step, at),
            at.scope.inputs_of(step),
            settled=settled,
            may_ask=self._ports.config.argument_clarifications_enabled,
            path=at.path,
            threshold_tokens=self._ports.config.large_output_threshold_tokens,
            problem=problem,
        )

    def _user_verify(self, step: UserVerifyStep, at: Attempt) -> Result:
        message = str(at.scope.resolve(step.message))
        answer = self._last_answer(at)
        if answer is None:
            raise Asking(
                UserVerificationClarification(
                    user_guidance=message,
                    source=step.name,
                    default=step.default,
                    expires_in_s=step.expires_in_s,
                )
            )
        if answer.response is not True:
            raise PlanRunExitError(
                f"the answer to {message!r} was no, so the run ended here",
                step=at.path,
            )
        return Result(True)

    def _user_input(self, step: UserInputStep, at: Attempt) -> Result:
        answer = self._last_answer(at)
        if answer is not None:
            return Result(answer.response)
        message = str(at.scope.resolve(step.message))
        options = None if step.options is None else at.scope.resolve(step.options)
        if options is None:
            raise Asking(
                InputClarification(
                    argument_name=step.name,
                    user_guidance=message,
                    source=step.name,
                    default=step.default,
                    expires_in_s=step.expires_in_s,
                    answer_schema=step.answer_schema,
                )
            )
        raise Asking(
            MultipleChoiceClarification(
                argument_name=step.name,
                user_guidance=message,
                options=tuple(options),
                source=step.name,
                default=step.default,
                expires_in_s=step.expires_in_s,
            )
        )

    def _exit(self, step: ExitStep, at: Attempt) -> Result:
        message = at.scope.resolve(step.message)
        if step.error:
            raise PlanRunExitError(
                str(message) or f"step {at.path!r} ended the run with an error", step=at.path
            )
        return Result(message or None)

    def _last_answer(self, at: Attempt) -> Clarification | None:
        answers = self._calls.answers(at)
        return answers[-1] if answers else None

    def task_of(self, step: LLMStep | SingleToolAgentStep | ReActAgentStep, at: Attempt) -> str:
        """Return the task of a step with the values that it refers to."""
        return step.task if step.task_parts is None else str(at.scope.resolve(step.task_parts))
