"""What goes wrong in the reference SDK 0.9.0 and must not here: a test for each observation."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from portia_nb import (
    Clarification,
    ClarificationHandler,
    Config,
    ExecutionHooks,
    Input,
    InputClarification,
    InvalidAnswer,
    Plan,
    PlanBuilderV2,
    PlanCheckError,
    PlanError,
    PlanRun,
    Portia,
    StepOutput,
    ToolSoftError,
    UserVerificationClarification,
    tool,
)
from portia_nb.model.events import StepFailed, ToolCalled
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Call, Reply, rate_limited


def portia(hooks: ExecutionHooks | None = None, *, tools: Any = (), **settings: Any) -> Portia:
    """Return a Portia that keeps nothing on disk."""
    return Portia(Config(store="memory", **settings), tools=list(tools), execution_hooks=hooks)


@pytest.fixture
def asked() -> Iterator[Callable[..., OpenAIServer]]:
    """Return a function that starts a model server with these replies."""
    servers: list[OpenAIServer] = []

    def start(*replies: Any) -> OpenAIServer:
        servers.append(OpenAIServer(list(replies)))
        return servers[-1].__enter__()

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def to(server: OpenAIServer, **settings: Any) -> dict[str, Any]:
    """Return the settings that lead to `server`."""
    return {"base_url": server.url, "openai_api_key": "sk-api", **settings}


def final(run: PlanRun) -> Any:
    assert run.state == "COMPLETE", run.error
    assert run.outputs.final_output is not None
    return run.outputs.final_output.value


def same(value: Any) -> Any:
    return value


def over(items: Any, **loop: Any) -> PlanBuilderV2:
    """Return a loop over `items` whose one step gives the item back."""
    return (
        PlanBuilderV2()
        .loop(over=items, step_name="each", **loop)
        .function_step(function=same, args={"value": StepOutput("each")}, step_name="kept")
        .end_loop()
    )


def every(builder: PlanBuilderV2, step: str = "kept") -> Plan:
    """End the plan with the list of all that `step` put out."""
    return builder.function_step(
        function=same, args={"value": StepOutput(step, full=True)}, step_name="all"
    ).build()


# -- loops and branches --------------------------------------------------------------------------


def test_a_plan_with_a_loop_runs_as_often_as_one_likes():
    plan = every(over(["a", "b"]))
    assert [final(portia().run_plan(plan)) for _ in range(2)] == [["a", "b"]] * 2


def test_an_inner_loop_begins_anew_in_each_round():
    builder = PlanBuilderV2()
    with (
        builder.loop(over=[1, 2], step_name="outer") as outer,
        builder.loop(over=["a", "b"], step_name="inner") as inner,
    ):
        builder.function_step(
            function=lambda x, y: f"{x}{y}", args={"x": outer, "y": inner}, step_name="pair"
        )
    assert final(portia().run_plan(every(builder, "pair"))) == ["1a", "1b", "2a", "2b"]


def test_none_is_an_item_like_any_other():
    assert final(portia().run_plan(every(over([1, None, 3])))) == [1, None, 3]


def test_a_literal_list_is_gone_through_to_its_end():
    assert final(portia().run_plan(every(over([1, 2, 3])))) == [1, 2, 3]


def test_a_loop_that_does_not_end_fails_at_its_limit_of_1000_rounds():
    builder = PlanBuilderV2().loop(while_=lambda: True, step_name="for_ever")
    run = portia().run_plan(builder.function_step(function=lambda: 1).end_loop().build())
    assert run.state == "FAILED"
    assert run.error is not None
    assert "its limit is 1,000 rounds" in run.error.message
    assert run.error.step == "for_ever"


def test_else_if_is_not_judged_once_a_branch_was_taken():
    judged: list[str] = []

    def holds(name: str) -> bool:
        judged.append(name)
        return True

    builder = PlanBuilderV2().if_(holds, args={"name": "if"})
    builder.function_step(function=lambda: "first")
    builder.else_if_(holds, args={"name": "else if"}).function_step(function=lambda: "second")
    assert final(portia().run_plan(builder.endif().build())) == "first"
    assert judged == ["if"]


def test_an_async_condition_is_awaited():
    async def never() -> bool:
        await asyncio.sleep(0)
        return False

    builder = PlanBuilderV2().if_(never).function_step(function=lambda: "then")
    builder.else_().function_step(function=lambda: "else").endif()
    assert final(portia().run_plan(builder.build())) == "else"


# -- questions -----------------------------------------------------------------------------------


def answer_all(us: Portia, run: PlanRun, answers: Callable[[Clarification], Any]) -> PlanRun:
    """Do what people wrote around the reference: answer, resume, until nothing is asked."""
    while run.state == "NEED_CLARIFICATION":
        for question in run.get_outstanding_clarifications():
            run = us.resolve_clarification(question, answers(question), run)
        run = us.resume(run)
    return run


def test_a_question_in_a_loop_is_asked_in_every_round():
    builder = PlanBuilderV2().loop(over=["a", "b"], step_name="each")
    builder.user_input(message=f"What of {StepOutput('each')}?", step_name="said").end_loop()
    us = portia()
    run = answer_all(us, us.run_plan(every(builder, "said")), lambda c: c.user_guidance[-2])
    assert final(run) == ["a", "b"]


def test_a_question_inside_a_sub_plan_is_heard():
    inner = PlanBuilderV2("inner").user_input(message="Which?", step_name="which").build()
    us = portia()
    run = us.run_plan(PlanBuilderV2().add_sub_plan(inner).build())
    assert [c.user_guidance for c in run.get_outstanding_clarifications()] == ["Which?"]
    assert final(answer_all(us, run, lambda _: "that")) == "that"


def test_a_question_in_a_branch_lets_the_run_go_on_from_there():
    builder = PlanBuilderV2().if_(lambda: True).user_input(message="Which?").endif()
    us = portia()
    assert final(answer_all(us, us.run_plan(builder.build()), lambda _: "that")) == "that"


def test_after_an_answer_and_a_resume_every_earlier_output_is_there():
    builder = PlanBuilderV2().function_step(function=lambda: {"rows": [1, 2]}, step_name="early")
    builder.user_input(message="Which?", step_name="which")
    builder.function_step(
        function=lambda early, which: (early["rows"], which),
        args={"early": StepOutput("early"), "which": StepOutput("which")},
    )
    us = portia()
    run = answer_all(us, us.run_plan(builder.build()), lambda _: "that")
    assert final(run) == ([1, 2], "that")
    assert run.outputs.step_outputs["$step_0_output"].value == {"rows": [1, 2]}


def test_a_choice_that_is_not_offered_is_refused():
    us = portia()
    run = us.run_plan(PlanBuilderV2().user_input(message="Which?", options=["a", "b"]).build())
    (question,) = run.get_outstanding_clarifications()
    with pytest.raises(InvalidAnswer, match="'c' is not offered"):
        us.resolve_clarification(question, "c", run)
    assert us.get_run(run.id).state == "NEED_CLARIFICATION"


@pytest.mark.parametrize("no", [False, "no", "No", "false"])
def test_a_written_no_does_not_verify(no: Any):
    us = portia()
    done: list[str] = []
    builder = PlanBuilderV2().user_verify(message="Go on?")
    builder.function_step(function=lambda: done.append("went on"))
    run = us.run_plan(builder.build())
    run = us.resolve_clarification(run.get_outstanding_clarifications()[0], no, run)
    question = run.outputs.clarifications[0]
    assert isinstance(question, UserVerificationClarification)
    assert not question.user_confirmed
    assert us.resume(run).state == "FAILED"
    assert done == []


@pytest.mark.alone
def test_a_handler_costs_no_time_of_polling():
    class AtOnce(ClarificationHandler):
        def handle_input_clarification(self, clarification: Any, answer: Any, _: Any) -> None:
            answer(clarification, "that")

    us = portia(ExecutionHooks(clarification_handler=AtOnce()))
    plan = PlanBuilderV2().user_input(message="Which?").build()
    us.run_plan(plan)  # threads and imports of the first run are not what is timed
    began = time.monotonic()
    assert final(us.run_plan(plan)) == "that"
    assert time.monotonic() - began < 1


def test_each_kind_of_question_comes_back_from_json_as_itself():
    question = UserVerificationClarification(user_guidance="Go on?")
    asked = InputClarification(user_guidance="Which?", argument_name="city")
    run = PlanRun.model_validate(
        {
            "plan_id": Plan().id,
            "outputs": {"clarifications": [q.model_dump(mode="json") for q in (question, asked)]},
        }
    )
    again = PlanRun.model_validate_json(run.model_dump_json())
    assert again.outputs.clarifications == (question, asked)
    assert [type(q) for q in again.outputs.clarifications] == [type(question), type(asked)]


# -- trying again --------------------------------------------------------------------------------


def test_a_soft_error_is_tried_again_after_a_pause_and_without_a_model_call():
    calls: list[float] = []

    @tool(side_effect=False, retries=1)
    def busy() -> str:
        """Fail once."""
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise ToolSoftError("the line is busy")
        return "through"

    run = portia(tools=[busy()]).run_plan(PlanBuilderV2().invoke_tool_step(tool="busy").build())
    assert final(run) == "through"
    assert len(calls) == 2
    assert calls[1] - calls[0] >= 0.4


def test_what_may_have_changed_the_world_is_not_tried_again_unasked():
    calls: list[int] = []

    @tool
    def send() -> str:
        """Fail, perhaps too late."""
        calls.append(1)
        raise ToolSoftError("the line broke")

    run = portia(tools=[send()]).run_plan(PlanBuilderV2().invoke_tool_step(tool="send").build())
    assert (run.state, calls) == ("FAILED", [1])


def test_a_model_that_is_asked_too_often_is_asked_again_when_it_says(
    asked: Callable[..., OpenAIServer],
):
    server = asked(rate_limited(retry_after=0.3), "hello")
    began = time.monotonic()
    run = portia(**to(server)).run_plan(PlanBuilderV2().llm_step(task="Greet").build())
    assert final(run) == "hello"
    assert time.monotonic() - began >= 0.3
    assert len(server.requests) == 2


class Trip(BaseModel):
    days: int


@tool(side_effect=False)
def stay(days: int) -> str:
    """Stay for some days."""
    return f"{days} days"


def test_arguments_that_do_not_fit_the_tool_go_back_to_the_model(
    asked: Callable[..., OpenAIServer],
):
    @tool(side_effect=False)
    def even(days: int) -> str:
        """Stay for an even number of days."""
        if days % 2:
            raise ToolSoftError(f"{days} is odd")
        return f"{days} days"

    server = asked(Reply(data={"days": 3, "missing": []}), Reply(data={"days": 4, "missing": []}))
    plan = PlanBuilderV2().single_tool_agent_step(tool="even", task="Stay a while").build()
    run = portia(tools=[even()], **to(server)).run_plan(plan)
    assert final(run) == "4 days"
    assert "3 is odd" in server.requests[1].text


def test_of_two_calls_in_one_reply_only_one_is_made(asked: Callable[..., OpenAIServer]):
    made: list[int] = []

    @tool
    def book(days: int) -> str:
        """Book some days."""
        made.append(days)
        return f"{days} days"

    twice = tuple(Call(name="book", arguments={"days": d, "missing": []}) for d in (3, 4))
    server = asked(Reply(calls=twice))
    plan = PlanBuilderV2().single_tool_agent_step(tool="book", task="Book a stay").build()
    assert final(portia(tools=[book()], **to(server)).run_plan(plan)) == "3 days"
    assert made == [3]


# -- planning and outputs ------------------------------------------------------------------------

SING = {"task": "Sing", "inputs": [], "tool_id": "sing", "output": "$song"}


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ([{"steps": [], "error": "no tool sings"}], "no tool sings"),
        ([{"steps": [], "error": None}] * 3, "no steps"),
        ([{"steps": [SING]}] * 3, "'sing' is none of 'stay'"),
        ([Reply(text="la la la")] * 3, "not JSON"),
        ([Reply(text="", refusal="I don't sing")], "I don't sing"),
    ],
    ids=["can't", "empty", "unknown tool", "no JSON", "refusal"],
)
def test_planning_fails_in_one_way_and_says_why(
    asked: Callable[..., OpenAIServer], replies: list[Any], said: str
):
    server = asked(*replies)
    with pytest.raises(PlanError, match=said) as caught:
        portia(tools=[stay()], **to(server, model_retries=0)).plan("Sing a song")
    assert caught.value.facts["reason"]


def test_an_empty_plan_is_refused_and_does_not_complete(asked: Callable[..., OpenAIServer]):
    server = asked(*[{"steps": [], "error": None}] * 3)
    us = portia(tools=[stay()], **to(server))
    with pytest.raises(PlanError, match="no steps"):
        us.run("Do something")
    assert us.store.find_runs() == []


def test_an_output_that_has_the_shape_already_costs_no_model_call():
    plan = (
        PlanBuilderV2()
        .function_step(function=lambda: Trip(days=3))
        .final_output(output_schema=Trip)
        .build()
    )
    assert final(portia().run_plan(plan)) == Trip(days=3)


def test_a_planned_run_pays_for_no_summary(asked: Callable[..., OpenAIServer]):
    step = {
        "task": "Stay", "inputs": [], "tool_id": "stay", "output": "$stay",
        "args": {"days": 3}, "condition": None,
    }  # fmt: skip
    server = asked({"steps": [step], "error": None})
    run = portia(tools=[stay()], **to(server)).run("Stay three days")
    assert final(run) == "3 days"
    assert run.outputs.final_output is not None
    assert run.outputs.final_output.summary is None
    assert len(server.requests) == 1


def test_an_error_is_typed_beside_the_text_that_stands_for_the_output():
    def break_down() -> None:
        raise LookupError("nothing there")

    us = portia()
    run = us.run_plan(PlanBuilderV2().function_step(function=break_down, step_name="look").build())
    assert run.state == "FAILED"
    assert run.error is not None
    assert (run.error.type, run.error.step) == ("LookupError", "look")
    assert run.outputs.final_output is not None
    assert run.outputs.final_output.value == run.error.message
    assert run.outputs.step_outputs == {}
    failed = [e.event for e in us.store.load_events(run.id) if isinstance(e.event, StepFailed)]
    assert [event.error.type for event in failed] == ["LookupError"]


# -- hooks ---------------------------------------------------------------------------------------


def test_async_hooks_are_awaited():
    heard: list[str] = []

    async def before(*_: Any) -> None:
        await asyncio.sleep(0)
        heard.append("before")

    async def after(*_: Any) -> None:
        await asyncio.sleep(0)
        heard.append("after")

    hooks = ExecutionHooks(before_step_execution=before, after_step_execution=after)
    plan = PlanBuilderV2().function_step(function=lambda: heard.append("step")).build()
    assert portia(hooks).run_plan(plan).state == "COMPLETE"
    assert heard == ["before", "step", "after"]


def test_a_hook_that_raises_fails_the_run_and_escapes_from_nothing():
    def before(*_: Any) -> None:
        raise LookupError("in the hook")

    plan = PlanBuilderV2().function_step(function=lambda: 1).build()
    run = portia(ExecutionHooks(before_step_execution=before)).run_plan(plan)
    assert run.state == "FAILED"
    assert run.error is not None
    assert "in the hook" in run.error.message


def test_the_hook_before_tool_calls_sees_those_without_a_model_too():
    seen: list[tuple[str, dict[str, Any]]] = []
    hooks = ExecutionHooks(
        before_tool_call=lambda tool, args, run, step: seen.append((tool.id, dict(args)))
    )
    plan = PlanBuilderV2().invoke_tool_step(tool="stay", args={"days": 3}).build()
    assert portia(hooks, tools=[stay()]).run_plan(plan).state == "COMPLETE"
    assert seen == [("stay", {"days": 3})]


# -- references ----------------------------------------------------------------------------------

TEMPLATES = [
    "{{ Input('secret') }}",
    "{{ 7 * 7 }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ StepOutput(0) }} {{StepOutput('secret')}}",
    "{% for x in range(9) %}x{% endfor %}",
    "{0.__class__} {secret} %(secret)s ${secret}",
]


@pytest.mark.parametrize("text", TEMPLATES)
def test_what_looks_like_a_template_in_an_output_or_an_input_stays_text(text: str):
    builder = PlanBuilderV2().input(name="secret").input(name="given")
    builder.function_step(function=lambda: text, step_name="found")
    builder.function_step(
        function=lambda **got: got,
        args={
            "found": StepOutput("found"),
            "inside": f"<{StepOutput('found')}>",
            "given": Input("given"),
            "nested": {"list": [Input("given"), f"<{Input('given')}>"]},
        },
    )
    inputs = {"secret": "s3cr3t", "given": text}
    assert final(portia().run_plan(builder.build(), plan_run_inputs=inputs)) == {
        "found": text,
        "inside": f"<{text}>",
        "given": text,
        "nested": {"list": [text, f"<{text}>"]},
    }


@pytest.mark.parametrize("text", TEMPLATES)
def test_arguments_that_a_model_chose_are_never_rendered(
    asked: Callable[..., OpenAIServer], text: str
):
    @tool(side_effect=False)
    def say(words: str) -> str:
        """Say words."""
        return words

    server = asked(Reply(data={"words": text, "missing": []}))
    builder = PlanBuilderV2().input(name="secret")
    builder.single_tool_agent_step(tool="say", task="Say something")
    us = portia(tools=[say()], **to(server))
    run = us.run_plan(builder.build(), plan_run_inputs={"secret": "s3cr3t"})
    assert final(run) == text
    (call,) = (e.event for e in us.store.load_events(run.id) if isinstance(e.event, ToolCalled))
    assert call.arguments == {"words": text}


def test_references_deep_in_lists_and_dicts_are_resolved():
    builder = PlanBuilderV2().function_step(function=lambda: {"a": [5]}, step_name="made")
    builder.function_step(
        function=same, args={"value": {"deep": [{"er": StepOutput("made", "a.0")}]}}
    )
    assert final(portia().run_plan(builder.build())) == {"deep": [{"er": 5}]}


def test_a_negative_index_counts_from_the_end_of_the_plan():
    builder = PlanBuilderV2().function_step(function=lambda: "first")
    builder.function_step(function=same, args={"value": StepOutput(-3)})
    builder.function_step(function=lambda: "last")
    run = portia().run_plan(builder.build())
    assert run.outputs[1].value == "first"


def test_a_reference_to_no_step_is_refused_when_the_plan_is_built():
    builder = PlanBuilderV2().function_step(function=lambda: 1, step_name="sky")
    builder.function_step(function=same, args={"value": StepOutput("skye")})
    with pytest.raises(PlanCheckError, match="skye"):
        builder.build()


# -- what else is different on purpose ----------------------------------------------------------


def test_a_model_sees_its_task_and_its_inputs_and_no_other_output(
    asked: Callable[..., OpenAIServer],
):
    server = asked("done")
    builder = PlanBuilderV2().function_step(function=lambda: "s3cr3t", step_name="other")
    builder.function_step(function=lambda: "shown", step_name="mine")
    builder.llm_step(task="Look", inputs=[StepOutput("mine")])
    assert final(portia(**to(server)).run_plan(builder.build())) == "done"
    assert "shown" in server.requests[0].text
    assert "s3cr3t" not in server.requests[0].text


async def test_the_plain_forms_work_inside_a_running_loop():
    plan = PlanBuilderV2().function_step(function=lambda: 1).build()
    assert final(portia().run_plan(plan)) == 1


def test_one_plan_runs_many_times_at_once():
    together = threading.Barrier(2)

    def wait(value: Any) -> Any:
        together.wait(5)
        return value

    builder = PlanBuilderV2().input(name="value")
    plan = builder.function_step(function=wait, args={"value": Input("value")}).build()

    async def both() -> list[PlanRun]:
        us = portia()
        runs = (us.arun_plan(plan, plan_run_inputs={"value": v}) for v in (1, 2))
        return list(await asyncio.gather(*runs))

    assert [final(run) for run in asyncio.run(both())] == [1, 2]


def test_values_keep_their_types_in_json():
    run = portia().run_plan(PlanBuilderV2().function_step(function=lambda: [1, 2.5, None]).build())
    again = PlanRun.model_validate_json(run.model_dump_json())
    assert again.outputs.final_output is not None
    assert again.outputs.final_output.value == [1, 2.5, None]


def test_a_plan_is_drawn_and_a_config_made_without_a_key():
    plan = PlanBuilderV2("Greet").llm_step(task="Greet", step_name="greet").build()
    assert "greet" in plan.pretty_print()
    assert Portia(Config(store="memory")).config.provider() is None
