"""Plans run from cells, in a real kernel: values, views, questions, errors."""

import json
import zlib
from typing import Any

import pytest

from tests.kernel.conftest import Kernel
from tests.kernel.story import calls

WIDGET = "application/vnd.jupyter.widget-view+json"
RUN = "application/vnd.portia.run+json"


def test_a_run_binds_its_result_and_ends_as_a_static_record(kernel: Kernel):
    done = kernel.run("%portia run going -o result").raise_for_error()
    assert kernel.evaluate("[result.state, _ is result]") == ["COMPLETE", True]
    assert kernel.evaluate("result.outputs['awaited'].value") == "quick awaited"
    [shown] = done.displays
    assert WIDGET not in shown
    assert "<script" not in shown["text/html"]
    assert shown[RUN]["state"] == "COMPLETE"
    assert "quick was here" in done.out
    assert any(comm["type"] == "comm_open" for comm in done.comms)


def test_a_line_shows_the_timeline_of_a_run_and_gives_it_a_name(kernel: Kernel):
    """N18."""
    kernel.run("%portia run going -o result").raise_for_error()
    done = kernel.run("%portia timeline result -o when").raise_for_error()
    [shown] = done.displays
    assert shown["text/plain"].startswith("Timeline: ")
    assert '<img src="data:image/svg+xml,' in shown["text/html"]
    same = "repr(when) == repr(result.timeline()) == repr(portia.timeline(result))"
    assert kernel.evaluate(same) is True


def test_a_coroutine_function_runs_on_the_loop_of_the_cell(kernel: Kernel):
    kernel.run("%portia run going").raise_for_error()
    assert calls(kernel.folder)[-1] == "awaited MainThread"


def test_a_line_magic_hands_its_value_to_a_variable(kernel: Kernel):
    kernel.run("result = %portia run going").raise_for_error()
    assert kernel.evaluate("result.state") == "COMPLETE"


def test_inside_a_block_the_magic_blocks_and_works_the_same(kernel: Kernel):
    kernel.run("for plan in [going]:\n    result = %portia run plan").raise_for_error()
    assert kernel.evaluate("result.state") == "COMPLETE"
    assert calls(kernel.folder)[-1].startswith("awaited")


def test_where_cells_can_not_await_the_magic_blocks_and_works_the_same(kernel: Kernel):
    kernel.run("%autoawait False").raise_for_error()
    try:
        kernel.run("result = None\n%portia run going -o result").raise_for_error()
        assert kernel.evaluate("result.state") == "COMPLETE"
    finally:
        kernel.run("%autoawait asyncio").raise_for_error()


TAKES = """
takes = (
    PlanBuilderV2("takes inputs")
    .input(name="city")
    .input(name="unit", default_value="mm")
    .function_step(function=lambda c, u: f"{c} {u}", args={"c": Input("city"), "u": Input("unit")})
    .build()
)
city = unit = "a variable"
"""


def test_inputs_are_given_by_an_option_or_by_variables_of_their_names(kernel: Kernel):
    kernel.run(TAKES).raise_for_error()
    kernel.run("one = %portia run takes --in city=('Ri' + 'ga') --in unit='cm'").raise_for_error()
    assert kernel.evaluate("one.final_output.value") == "Riga cm"
    kernel.run("two = %portia run takes").raise_for_error()
    assert kernel.evaluate("two.final_output.value") == "a variable mm"  # a default stands
    refused = kernel.run("%portia run takes --in ciyt=1")
    assert "--in ciyt: this plan takes no such input; did you mean 'city'?" in refused.card
    kernel.run("city = StepOutput('of a loop, say')").raise_for_error()
    assert "the plan needs 'city'" in kernel.run("%portia run takes").card
    kernel.run("del city, unit").raise_for_error()


def test_a_declared_answer_answers(kernel: Kernel):
    kernel.run("%portia run asking -o result --answer city=Oslo").raise_for_error()
    assert kernel.evaluate("result.outputs['city'].value") == "Oslo"


def test_an_answers_file_answers(kernel: Kernel):
    (kernel.folder / "answers.json").write_text('{"city": "Rome"}')
    kernel.run("%portia run asking -o result --answers answers.json").raise_for_error()
    assert kernel.evaluate("result.outputs['city'].value") == "Rome"


def test_a_declared_answer_that_is_not_allowed_stops_the_run_and_says_what_is(kernel: Kernel):
    done = kernel.run("%portia run asking --answer city=Bern")
    assert done.ename == "InvalidAnswer"
    assert "choose one of 'Rome', 'Oslo'" in done.card
    assert "%portia resume prun-" in done.card


def test_without_anybody_to_ask_the_cell_raises_with_its_result_bound(kernel: Kernel):
    done = kernel.run("result = None\n%portia run asking -o result")
    assert done.ename == "WaitingForAnswer"
    assert done.seconds < 4
    assert kernel.evaluate("result.state") == "NEED_CLARIFICATION"
    run_id = kernel.evaluate("result.id")
    assert f"%portia resume {run_id} --answer city=VALUE" in done.card

    before = calls(kernel.folder).count("quick")
    kernel.run(f"%portia resume {run_id} --answer city=Rome -o result").raise_for_error()
    assert kernel.evaluate("[result.state, result.outputs['city'].value]") == ["COMPLETE", "Rome"]
    assert calls(kernel.folder).count("quick") == before


def test_input_asks_where_stdin_is_allowed_until_the_answer_fits(kernel: Kernel):
    done = kernel.run("%portia run asking -o result", answers=["Bern", "2"]).raise_for_error()
    assert "1. Rome" in done.out
    assert "'Bern' is not offered" in done.out
    assert kernel.evaluate("result.outputs['city'].value") == "Oslo"


def test_input_asks_from_a_blocked_cell_too(kernel: Kernel):
    cell = "if True:\n    result = %portia run asking"
    kernel.run(cell, answers=["Rome"]).raise_for_error()
    assert kernel.evaluate("result.outputs['city'].value") == "Rome"


def test_a_page_has_three_seconds_to_draw_the_form(kernel: Kernel):
    kernel.run("%config PortiaMagics.form_time_s = 3.0").raise_for_error()
    try:
        done = kernel.run("%portia run asking", answers=["Rome"]).raise_for_error()
    finally:
        kernel.run("%config PortiaMagics.form_time_s = 0.3").raise_for_error()
    assert 3.0 <= done.seconds < 5.0


def test_a_form_that_was_drawn_answers_and_input_is_not_asked(kernel: Kernel):
    page = Page(kernel, [({"option": 1}, {"option": 0})])
    done = kernel.run("%portia run asking -o result", answers=[], on_message=page)
    done.raise_for_error()
    assert kernel.evaluate("result.outputs['city'].value") == "Oslo"
    assert done.seconds < 3
    assert page.asked[0]["kind"] == "choice"


def test_the_form_approves_the_plan_and_then_the_exact_call(kernel: Kernel):
    page = Page(kernel, [(True,), (True,)])
    done = kernel.run("%portia run computing -o result", answers=[], on_message=page)
    done.raise_for_error()
    plan, call = page.asked
    assert kernel.evaluate("computing.content_hash()")[:12] in plan["text"]
    assert call["kind"] == plan["kind"] == "approve"
    assert call["tool"] == "send"
    assert call["details"] == [{"name": "text", "text": "quick"}]
    assert approvals(kernel, "computing") == [("plan", "form"), ("call", "form")]
    assert calls(kernel.folder)[-1] == "send quick"


def test_the_form_approves_a_call_with_the_plan_that_spells_it_out(kernel: Kernel):
    page = Page(kernel, [(True,)])
    done = kernel.run("%portia run sending -o result", answers=[], on_message=page)
    done.raise_for_error()
    (plan,) = page.asked
    assert "hello" in str(plan)
    assert approvals(kernel, "sending") == [("plan", "form")]
    assert calls(kernel.folder)[-1] == "send hello"


def test_a_no_in_the_form_runs_nothing(kernel: Kernel):
    before = calls(kernel.folder)
    page = Page(kernel, [(False,)])
    done = kernel.run("%portia run sending -o result", answers=[], on_message=page)
    assert done.ename == "ApprovalRefused"
    assert calls(kernel.folder) == before


def test_a_standing_form_lets_a_background_run_go_on(kernel: Kernel):
    page = Page(kernel, [({"option": 0},)])
    kernel.run("%portia run asking --background", on_message=page).raise_for_error()
    kernel.run("result = %portia wait", on_message=page).raise_for_error()
    assert kernel.evaluate("result.outputs['city'].value") == "Rome"


def test_what_a_background_run_prints_lands_in_the_cell_that_started_it(kernel: Kernel):
    code = "def later():\n    time.sleep(0.5); print('printed later')\nlate = plan_of(later)\n"
    started = kernel.send(code + "%portia run late --background")
    kernel.finish(started).raise_for_error()
    seen: list[str] = []

    def note(message):
        if message["header"]["msg_type"] == "stream" and "later" in message["content"]["text"]:
            seen.append(message["parent_header"]["msg_id"])

    kernel.run("result = %portia wait", on_message=note).raise_for_error()
    assert seen == [started]


class Page:
    """Does what a page does: says that the view is drawn, and answers questions in turn."""

    def __init__(self, kernel: Kernel, answers: list[tuple[Any, ...]]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._kernel = kernel
        self._answers = answers
        self._comm = ""

    def __call__(self, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["header"]["msg_type"]:
            case "comm_open" if "_esm" in content["data"].get("state", {}):
                self._comm = content["comm_id"]
            case "display_data" if WIDGET in content["data"]:
                self._send({"type": "ready"})
            case "comm_msg":
                for question in questions_in(message):
                    self._answer(question)

    def _answer(self, question: dict[str, Any]) -> None:
        if question["id"] in [asked["id"] for asked in self.asked]:
            return
        self.asked.append(question)
        for value in self._answers.pop(0):
            self._send({"type": "answer", "id": question["id"], "value": value})

    def _send(self, content: dict[str, Any]) -> None:
        self._kernel.send_comm(self._comm, {"method": "custom", "content": content})


def questions_in(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the questions that a message to the widget shows."""
    content = message["content"]["data"].get("content") or {}
    if content.get("type") == "packed":
        content = json.loads(zlib.decompress(bytes(message["buffers"][0])))
    return content.get("questions") or content.get("view", {}).get("questions") or []


def test_a_failed_step_raises_one_short_card_with_the_way_on(kernel: Kernel):
    done = kernel.run("%portia run failing -o result")
    assert done.ename == "PlanRunFailed"
    assert "step 'broken' failed: ValueError: no such thing" in done.card
    assert "1 finished step of run prun-" in done.card
    assert "%portia resume prun-" in done.card
    assert len(done.card.splitlines()) <= 6
    assert kernel.evaluate("result.state") == "FAILED"
    why = kernel.run("%portia why").raise_for_error()
    assert "Traceback" in why.text
    assert "broken" in why.text


def test_a_run_that_failed_is_bound_to_what_its_line_assigns_to(kernel: Kernel):
    assert kernel.run("kept = %portia run failing").ename == "PlanRunFailed"
    assert kernel.evaluate("kept.state") == "FAILED"


def test_an_error_stops_run_all(kernel: Kernel):
    first, second = kernel.send("%portia run failing"), kernel.send("after = 1")
    assert kernel.finish(first).status == "error"
    assert kernel.finish(second).status == "aborted"


def test_a_risky_plan_is_refused_where_nobody_can_approve_it(kernel: Kernel):
    before = calls(kernel.folder)
    done = kernel.run("%portia run sending")
    assert done.ename == "WaitingForAnswer"
    assert "--yes" in done.card
    assert calls(kernel.folder) == before


def test_yes_approves_and_the_run_records_it(kernel: Kernel):
    kernel.run("%portia run computing -o result --yes").raise_for_error()
    assert calls(kernel.folder)[-1] == "send quick"
    assert approvals(kernel, "computing") == [("plan", "--yes"), ("call", "--yes")]


def approvals(kernel: Kernel, plan: str) -> list[tuple[str, str]]:
    """Return what was approved in the run `result` of a plan, and by whom; check its hash."""
    kept = kernel.evaluate(
        "[[c.subject, [r.event.by for r in portia.store.load_events(result.id)"
        " if r.event.kind == 'clarification_resolved' and r.event.clarification_id == c.id]]"
        " for c in result.outputs.clarifications if c.response is True]"
    )
    plan_hash = kernel.evaluate(f"{plan}.content_hash()")
    assert [s["plan_sha256"] for s, _ in kept if "plan_sha256" in s] == [plan_hash]
    return [("plan" if "plan_sha256" in subject else "call", by) for subject, [by] in kept]


def test_a_person_approves_the_plan_and_each_call_with_its_exact_arguments(kernel: Kernel):
    done = kernel.run("%portia run computing -o result", answers=["maybe", "yes", "y"])
    done.raise_for_error()
    plan_hash = kernel.evaluate("computing.content_hash()")
    assert plan_hash[:12] in done.out
    assert "is neither yes nor no" in done.out
    assert '"text": "quick"' in done.out
    assert approvals(kernel, "computing") == [("plan", "input()"), ("call", "input()")]
    assert calls(kernel.folder)[-1] == "send quick"


@pytest.mark.parametrize("answers", [["no"], ["yes", "no"]])
def test_a_refusal_makes_no_call(kernel: Kernel, answers: list[str]):
    before = calls(kernel.folder).count("send quick")
    done = kernel.run("%portia run computing", answers=answers)
    assert done.status == "error"
    assert "not approved" in done.card
    assert calls(kernel.folder).count("send quick") == before


def test_a_background_run_gives_the_prompt_back_and_can_be_waited_for(kernel: Kernel):
    (kernel.folder / "fast").touch()
    started = kernel.run("%portia run long --background").raise_for_error()
    assert "goes on in the background" in started.text
    done = kernel.run("result = %portia wait").raise_for_error()
    assert kernel.evaluate("result.state") == "COMPLETE"
    assert done.seconds < 8


def test_python_calls_show_the_live_view_and_end_as_a_record(kernel: Kernel):
    for call in ("portia.run_plan(going)", "await portia.arun_plan(going)"):
        done = kernel.run(call).raise_for_error()
        assert done.displays[0][RUN]["state"] == "COMPLETE"
        assert done.displays[1]["text/plain"].endswith(": done, shown above")
        assert len(done.displays) == 2


def test_a_setting_turns_the_live_view_of_python_calls_off(kernel: Kernel):
    kernel.run("%config PortiaMagics.live_view = False").raise_for_error()
    try:
        done = kernel.run("_run = portia.run_plan(going)").raise_for_error()
    finally:
        kernel.run("%config PortiaMagics.live_view = True").raise_for_error()
    assert done.displays == []


def test_a_portias_own_setting_turns_its_live_view_off(kernel: Kernel):
    quiet = 'Portia(Config(store="memory", live_view=False), tools=[])'
    done = kernel.run(f"_run = {quiet}.run_plan(going)").raise_for_error()
    assert done.displays == []


def test_python_calls_never_ask(kernel: Kernel):
    done = kernel.run("portia.run_plan(asking).state", answers=[]).raise_for_error()
    assert "NEED_CLARIFICATION" in done.displays[-1]["text/plain"]


def test_plans_and_runs_show_themselves(kernel: Kernel):
    shown = kernel.run("going").raise_for_error().displays[0]
    assert "application/vnd.portia.plan+json" in shown
    kernel.run("%portia run going -o result").raise_for_error()
    assert RUN in kernel.run("result").raise_for_error().displays[0]


def test_runs_are_listed_and_shown(kernel: Kernel):
    kernel.run("%portia run going -o result").raise_for_error()
    run_id = kernel.evaluate("result.id")
    listed = kernel.run("rows = %portia runs").raise_for_error()
    assert run_id in listed.text
    assert kernel.evaluate("rows[0].id") == run_id
    some = kernel.run("some = %portia runs --state done --since 1h --limit 1").raise_for_error()
    assert "<table>" in some.displays[0]["text/html"]
    assert kernel.evaluate("[run.state for run in some]") == ["done"]
    assert kernel.run("%portia runs --state lost").card.count("the states: not started") == 1
    for word in (run_id, run_id[:12], "result", ""):
        assert RUN in kernel.run(f"%portia show {word}").raise_for_error().displays[0]
    missing = kernel.run("%portia show prun-00000000")
    assert missing.ename == "PlanRunNotFoundError"
    assert "%portia runs lists them" in missing.card


def test_a_forgotten_run_is_gone_and_a_held_one_is_not_forgotten(kernel: Kernel):
    kernel.run("%portia run going -o result").raise_for_error()
    run_id = kernel.evaluate("result.id")
    hold = "from portia_nb.storage.owner import this_process\nstore = portia.store\n"
    kernel.run(f"{hold}hold = store.claim(result.id, owner=this_process('me'))").raise_for_error()
    assert kernel.run("%portia forget result").ename == "RunHeldElsewhere"
    kernel.run("store.release(hold)").raise_for_error()
    assert f"Run {run_id} is forgotten" in kernel.run("%portia forget result").text
    assert kernel.run(f"%portia show {run_id}").ename == "PlanRunNotFoundError"


@pytest.mark.parametrize(
    ("cell", "ename", "said"),
    [
        ("%%portia --plna\nx", "InvalidOption", "did you mean '--plan'?"),
        ("%%portia --tools lok\nx", "ToolNotFoundError", "did you mean 'look'?"),
        ("%%portia\n\n", "InvalidOption", "there is no goal"),
        ("%%portia\nAdd {{ gonig }}", "InvalidOption", "did you mean 'going'?"),
        ("%%portia --in a=1/0\nAdd {{ a }}", "InvalidOption", "ZeroDivisionError"),
        ("%%portia --schema going\nx", "InvalidOption", "a pydantic model is needed"),
        ("%%portia --answers no.json\nx", "InvalidOption", "no.json"),
        ("%%portia\nWho won?", "NoModelKey", "OPENAI_API_KEY"),
        ("%portia shwo", "InvalidOption", "did you mean 'show'?"),
        ("%portia run gonig", "InvalidOption", "did you mean 'going'?"),
        ("%portia use potria", "InvalidOption", "did you mean 'portia'?"),
        ("%portia use going", "InvalidOption", "holds a Plan, not a Portia"),
    ],
)
def test_bad_input_is_a_real_error_with_one_short_card(
    kernel: Kernel, cell: str, ename: str, said: str
):
    done = kernel.run(cell)
    assert done.status == "error"
    assert done.ename == ename
    assert said in done.card
    assert len(done.card.splitlines()) <= 4


def test_the_doctor_says_what_works_and_never_a_key(start_kernel):
    """N34: and once it was tried, the rung that it names is the one by which the answer came."""
    other: Kernel = start_kernel(environment={"OPENAI_API_KEY": "sk-very-secret"})
    other.run("%load_ext portia_nb").raise_for_error()
    report = other.run("%portia doctor", answers=[]).raise_for_error()
    assert "sk-very-secret" not in str(report.displays)
    for said in ("questions go to", "OPENAI_API_KEY", "not set", "layout", "ipykernel", ".portia"):
        assert said in report.text
    assert "<pre>" in report.displays[0]["text/html"]
    for said in ("hands clicks to a cell that awaits", "the form: ", "health", "free"):
        assert said in report.text

    other.run("%config PortiaMagics.form_time_s = 0.1").raise_for_error()
    tried = other.run("%portia doctor --ask", answers=["yes"]).raise_for_error().text
    assert "answered by input()" in tried
    assert "input(): no page drew a form in such a cell here in time" in tried
    assert "install anywidget" in tried
    asked = "print(portia_nb.Portia(portia_nb.Config(store='memory'), tools=[]).doctor())"
    again = other.run(f"import portia_nb\n{asked}", answers=[]).raise_for_error().out
    assert "input(): no page drew a form" in again


def test_a_run_is_shown_with_its_plan_where_the_kernel_has_not_seen_it(kernel: Kernel):
    kernel.run("%portia run going -o result").raise_for_error()
    run_id = kernel.evaluate("result.id")
    kernel.run("%reload_ext portia_nb").raise_for_error()
    [shown] = kernel.run(f"%portia show {run_id}").raise_for_error().displays
    assert "awaited" in [row["path"] for row in shown[RUN]["steps"]]
    assert shown[RUN]["title"] == kernel.evaluate("going.plan_context.query")
    # A value that isn't assigned is shown once, however the line was called.
    again = kernel.run(f"get_ipython().run_line_magic('portia', 'show {run_id}')")
    assert sum(RUN in display for display in again.raise_for_error().displays) == 1


def test_resuming_a_complete_run_names_the_latest_that_is_not(kernel: Kernel):
    kernel.run("%portia run asking -o result")
    waiting = kernel.evaluate("result.id")
    kernel.run("%portia run going").raise_for_error()
    said = kernel.run("%portia resume").raise_for_error().text
    assert "is complete already. The latest that isn't (needs you): " in said
    assert f"%portia resume {waiting}" in said


def test_a_run_in_the_background_says_how_it_is_and_shows_its_result_to_who_waits(kernel: Kernel):
    left = kernel.run("%portia run going --background -o later").raise_for_error()
    run_id = kernel.evaluate("later.id")
    assert f"%portia wait {run_id} -o later gets its result" in left.text
    assert kernel.evaluate("repr(later)").startswith(f"<LiveRun {run_id}: ")
    waited = kernel.run(f"%portia wait {run_id} -o later").raise_for_error()
    assert [each[RUN]["state"] for each in waited.displays if RUN in each] == ["COMPLETE"]
    assert kernel.evaluate("later.state") == "COMPLETE"
