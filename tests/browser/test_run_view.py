"""The view itself in Chromium: states, forms, keyboard, hostile text, speed, accessibility (N8)."""

import base64
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from portia_nb import PlanBuilderV2
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)
from portia_nb.model.events import (
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    RunCompleted,
    RunFailed,
    RunWaiting,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepUncertain,
    TextStreamed,
)
from portia_nb.model.plan import Plan
from tests.browser.stage import Stage, open_stage, view_of
from tests.notebook.stories import approval, chain, told, two_searches

OpenStage = Callable[..., Any]
ERROR = ErrorRecord("ToolHardError", "no network", "google", 'File "tools.py", line 3')
ALL_STATES = ["done", "failed", "stopped", "skipped", "uncertain", "asking", "running", "waiting"]


@pytest_asyncio.fixture(loop_scope="session")
async def open_view(browser: Browser) -> AsyncIterator[OpenStage]:
    """Open stages: `stage = await open_view(theme="dark", width=600)`."""
    async with AsyncExitStack() as stack:

        async def open_one(**options: Any) -> Stage:
            opened: AbstractAsyncContextManager[Stage] = open_stage(browser, **options)
            return await stack.enter_async_context(opened)

        yield open_one


def all_states() -> tuple[Plan, list[Any]]:
    """Return a plan and events after which its steps stand in each of the eight states."""
    names = [f"{state}_step" for state in ALL_STATES]
    plan = Plan.model_validate(
        {
            "plan_context": {"query": "Every state"},
            "steps": [{"name": n, "task": f"Do {n}", "tool_id": "tool"} for n in names],
        }
    )
    events = [
        *(StepStarted(name) for name in names[:3] + names[4:7]),
        StepDone(names[0], 1, "fine"),
        StepFailed(names[1], 1, ERROR),
        StepCancelled(names[2], 1),
        StepSkipped(names[3], "not needed"),
        StepUncertain(names[4], 1, "tool", {}),
        ClarificationRaised(names[5], InputClarification(user_guidance="?", path=names[5])),
    ]
    return plan, events


async def test_each_state_is_a_shape_and_a_word_in_list_and_picture(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(*all_states())
    shapes = set()
    for index, state in enumerate(ALL_STATES):
        word = {"asking": "needs you"}.get(state, state)
        item = stage.step(f"{state}_step")
        await expect(item.locator(".portia-word")).to_have_text(word)
        await expect(stage.card(index)).to_have_class(state)
        shapes.add(await item.locator(".portia-icon").inner_html())
    assert len(shapes) == len(ALL_STATES)
    assert stage.problems == []


async def test_deltas_move_list_picture_and_head_on_without_a_new_layout(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [StepStarted("amazon")])
    place = await stage.card(0).get_attribute("transform")
    await stage.update({"steps": {"amazon": {"more_text": "It gr"}}})
    await stage.update({"steps": {"amazon": {"more_text": "ew"}}})
    await expect(stage.step("amazon").locator(".portia-stream")).to_have_text("It grew")
    done = {"state": "done", "end": 2500, "text": None, "output": {"text": "up 44 %"}}
    await stage.update({"steps": {"amazon": done, "google": {"state": "running", "start": 2600}}})
    amazon = stage.step("amazon")
    await expect(amazon.locator(".portia-line")).to_have_text("up 44 %")
    await expect(amazon.locator(".portia-time")).to_have_text("2.0 s")
    await expect(stage.step("google").locator(".portia-word")).to_have_text("running")
    await expect(stage.card(0)).to_have_class("done")
    await expect(stage.card(0).locator("use").first).to_have_attribute("href", re.compile("-done$"))
    assert await stage.card(0).get_attribute("transform") == place
    await expect(stage.view.locator(".portia-count")).to_have_text("1 of 3 steps")
    await expect(stage.view.get_by_role("status")).to_contain_text("amazon done. google running")
    assert stage.problems == []


async def test_elapsed_time_ticks_in_the_browser_while_a_step_runs(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [StepStarted("amazon")])
    time = stage.step("amazon").locator(".portia-time")
    before = await time.inner_text()
    await expect(time).not_to_have_text(before)
    await stage.update({"steps": {"amazon": {"state": "done", "end": 1500}}})
    await expect(time).to_have_text("1.0 s")


async def test_a_stored_run_neither_ticks_nor_offers_to_stop_or_answer(open_view: OpenStage):
    stage = await open_view()
    question = InputClarification(user_guidance="Which year?")
    events = [StepStarted("amazon"), ClarificationRaised("google", question), RunWaiting()]
    await stage.draw_run(two_searches(), events, is_live=False)
    await expect(stage.view).to_contain_text("Which year?")
    await expect(stage.view).to_contain_text("%portia resume prun-")
    others = stage.view.locator("button:visible:not(.portia-row):not(.portia-zoom)")
    await expect(others).to_have_count(0)
    await expect(stage.step("amazon").locator(".portia-time")).to_have_text("")


async def test_a_run_that_a_no_has_ended_is_not_shown_as_a_failure(open_view: OpenStage):
    stage = await open_view()
    plan = PlanBuilderV2("Send it").user_verify(message="Send it?", step_name="sure").build()
    asked = UserVerificationClarification(user_guidance="Send it?", path="sure")
    said_no = ErrorRecord("PlanRunExitError", "the answer was no", "sure")
    events = [StepStarted("sure"), ClarificationRaised("sure", asked)]
    await stage.draw_run(plan, events)
    await expect(stage.view.locator(".portia-state")).to_have_text("running")
    resolved = ClarificationResolved(asked.id, False, "form")
    no = [resolved, StepFailed("sure", 2, said_no), RunFailed(said_no)]
    ended = view_of(plan, told(plan, [*events, *no]))
    row = next(row for row in ended["steps"] if row["path"] == "sure")
    head = {key: ended[key] for key in ("state", "refused", "next")}
    await stage.update({"head": head, "steps": {"sure": row}, "questions": []})
    await expect(stage.view.locator(".portia-state")).to_have_text("ended by a no")
    await expect(stage.view.locator(".portia-state")).to_have_attribute("data-state", "stopped")
    await expect(stage.step("sure").locator(".portia-word")).to_have_text("stopped")
    await expect(stage.view).to_contain_text("To be asked again: %portia resume prun-")
    await expect(stage.view.get_by_role("status")).to_contain_text("Run ended by a no")
    await expect(stage.view.locator(".portia-failed, .portia-failure")).to_have_count(0)
    # Once it is resumed and done, nothing of it stands.
    await stage.update({"head": {"state": "COMPLETE", "refused": None, "next": None}})
    await expect(stage.view.locator(".portia-state")).to_have_text("done")


RENDER = """async view => {
  const el = document.getElementById('host');
  const heard = {};
  const on = (event, handler) => { heard[event] = handler; };
  module.default.render({ model: { on, off() {}, send() {} }, el });
  await heard['msg:custom']({ type: 'full', view });
  window.restart = () => heard['comm_live_update']();
}"""


async def test_a_run_whose_kernel_is_restarted_is_no_longer_shown_as_under_way(
    open_view: OpenStage,
):
    stage = await open_view()
    plan = two_searches()
    question = InputClarification(user_guidance="Which year?")
    asking = [StepStarted("amazon"), ClarificationRaised("google", question)]
    await stage.page.evaluate(RENDER, view_of(plan, told(plan, asking)))
    stop = stage.view.get_by_role("button", name="Stop")
    await expect(stop).to_be_visible()
    await expect(stage.view.locator("form")).to_have_count(1)
    await stage.page.evaluate("restart()")
    await expect(stop).to_have_count(0)
    await expect(stage.view.locator("form")).to_have_count(0)
    await expect(stage.view.locator(".portia-state")).to_contain_text("was running")
    await expect(stage.view).to_contain_text("was restarted")
    await expect(stage.view).to_contain_text("then: %portia resume prun-")
    await expect(stage.step("amazon").locator(".portia-time")).to_have_text("")


async def test_a_step_unfolds_by_keyboard_and_shows_its_whole_output(open_view: OpenStage):
    stage = await open_view()
    rows = [{"month": "Jan", "price": 1.5}, {"month": "Feb", "price": 2}]
    events = [
        StepDone("amazon", 1, rows),
        StepDone("google", 1, {"deep": ["a"]}, "In short."),
        StepFailed("faster", 1, ERROR),
    ]
    await stage.draw_run(two_searches(), events, is_live=False)
    for name in ("amazon", "google", "faster"):
        button = stage.step(name).locator(".portia-row")
        assert await button.get_attribute("aria-expanded") == "false"
        await button.focus()
        await stage.page.keyboard.press("Enter")
        assert await button.get_attribute("aria-expanded") == "true"
    await expect(stage.step("amazon").get_by_role("columnheader")).to_have_text(["month", "price"])
    await expect(stage.step("google").locator(".portia-json")).to_contain_text("deep: [ 1 item ]")
    await expect(stage.step("google").locator(".portia-summary")).to_have_text("In short.")
    await expect(stage.step("faster").locator(".portia-failure")).to_contain_text("tools.py")
    await stage.page.keyboard.press("Space")
    await expect(stage.step("faster").locator(".portia-more")).to_be_hidden()


async def test_a_card_of_the_picture_opens_its_step(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    await stage.card(1).click()
    await expect(stage.step("google").locator(".portia-row")).to_be_focused()
    await expect(stage.step("google").locator(".portia-more")).to_be_visible()


async def test_stop_says_so_once(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [StepStarted("amazon")])
    stop = stage.view.get_by_role("button", name="Stop")
    await stop.click()
    await stage.view.get_by_role("button", name="Stopping…").click(force=True)
    assert await stage.sent() == [{"type": "stop"}]
    await stage.update({"head": {"state": "READY_TO_RESUME", "next": "Go on with: %portia resume"}})
    await expect(stage.view.locator(".portia-stop")).to_be_hidden()
    await expect(stage.view.locator(".portia-next")).to_have_text("Go on with: %portia resume")


async def test_a_plan_becomes_its_run(open_view: OpenStage):
    stage = await open_view()
    await stage.draw(view_of(two_searches()))
    await expect(stage.view.locator(".portia-state")).to_have_text("plan")
    await expect(stage.view.locator(".portia-stop")).to_be_hidden()
    await stage.update({"head": {"kind": "run", "state": "IN_PROGRESS", "began": 1.0}})
    await expect(stage.view.locator(".portia-state")).to_have_text("running")
    await expect(stage.view.locator(".portia-word")).to_have_text(["waiting"] * 3)
    await expect(stage.view.locator(".portia-stop")).to_be_visible()


CHOICE = MultipleChoiceClarification(options=("red", "blue"), user_guidance="Which colour?")
FORMS: list[tuple[Clarification, list[str], Any]] = [
    (InputClarification(argument_name="year", user_guidance="Which?"), ["2", "4", "Enter"], "24"),
    (InputClarification(user_guidance="Which?", default="x"), ["Enter"], ""),
    (CHOICE, ["ArrowDown", "Enter"], {"option": 1}),
    (CHOICE, ["Space", "Enter"], {"option": 0}),
    (ValueConfirmationClarification(user_guidance="5?"), ["Enter"], True),
    (ValueConfirmationClarification(user_guidance="5?"), ["Tab", "Enter"], False),
    (UserVerificationClarification(user_guidance="Go?"), ["Space"], True),
    (UserVerificationClarification(user_guidance="Go?"), ["Tab", "Space"], False),
    (ActionClarification(action_url="https://a.example/", user_guidance="?"), ["Enter"], True),
    (approval("Run this plan?"), ["Enter", "Tab", "Enter"], True),
    (approval("Call?", tool_id="rm", arguments={}), ["Tab", "Tab", "Enter"], False),
]


@pytest.mark.parametrize(("question", "keys", "answer"), FORMS)
async def test_each_form_takes_focus_and_is_answered_by_keyboard_once(
    open_view: OpenStage, question: Clarification, keys: list[str], answer: Any
):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    await stage.page.evaluate(
        "window.keys = []; document.addEventListener('keydown', e => window.keys.push(e.key))"
    )
    await stage.ask(question)
    for key in [*keys, "Enter"]:
        await stage.page.keyboard.press(key)
    assert await stage.sent() == [{"type": "answer", "id": question.id, "value": answer}]
    # No key reached the page, where it would be a shortcut of the notebook's.
    assert await stage.page.evaluate("window.keys") == []
    await expect(stage.view.get_by_role("status")).to_contain_text("Question: ")
    await stage.update({"questions": []})
    await expect(stage.view.locator("form")).to_have_count(0)
    assert stage.problems == []


async def test_a_refused_answer_says_why_at_its_field_and_can_be_mended(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    question = InputClarification(argument_name="year", user_guidance="Which year?")
    await stage.ask(question)
    await stage.page.keyboard.press("Enter")
    await expect(stage.view.get_by_role("alert")).to_have_text("Write an answer first.")
    assert await stage.sent() == []
    await stage.page.keyboard.type("MMXX")
    await stage.page.keyboard.press("Enter")
    await stage.update({"refused": {"id": question.id, "message": "'MMXX' is no year <b>"}})
    field = stage.view.get_by_role("textbox", name="year")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_value("MMXX")
    await expect(stage.view.get_by_role("alert")).to_have_text("'MMXX' is no year <b>")
    await field.fill("2020")
    await stage.page.keyboard.press("Enter")
    assert [message["value"] for message in await stage.sent()] == ["MMXX", "2020"]


async def test_a_choice_without_a_choice_is_asked_again(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    await stage.ask(CHOICE)
    await stage.page.keyboard.press("Enter")
    await expect(stage.view.get_by_role("alert")).to_have_text("Choose one of the options.")
    assert await stage.sent() == []


async def test_focus_stays_where_a_person_is_typing(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    await stage.page.locator("#elsewhere").focus()
    await stage.ask(InputClarification(user_guidance="Which?"))
    await expect(stage.page.locator("#elsewhere")).to_be_focused()


async def test_what_is_being_typed_survives_other_questions_and_steps(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    first, second = (InputClarification(user_guidance=f"Question {n}?") for n in (1, 2))
    from portia_nb.notebook.questions import show_question

    await stage.ask(first)
    await stage.page.keyboard.type("half an ans")
    await stage.update(
        {
            "questions": [show_question(first), show_question(second)],
            "steps": {"amazon": {"state": "running", "start": 1}},
        }
    )
    await stage.page.keyboard.type("wer")
    await expect(stage.view.get_by_role("textbox").first).to_have_value("half an answer")
    await expect(stage.view.get_by_role("textbox").first).to_be_focused()


async def test_an_approval_shows_the_exact_call(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    arguments = {"path": "safe\u202etxt.exe", "content": "line\n\x1b[2Jend"}
    await stage.ask(approval("Write?", tool_id="file_writer_tool", arguments=arguments))
    await expect(stage.view.locator("legend")).to_have_text("Approve a call of file_writer_tool")
    values = stage.view.locator("dd pre")
    assert await values.all_inner_texts() == ["safe⟨U+202E⟩txt.exe", "line\n␛[2Jend"]


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://sign.in.example/x?a=1", True),
        ("http://127.0.0.1:8000/", True),
        ("https://user@\u0430pple.example/", True),  # a Cyrillic letter
        ("https://", False),
    ],
)
async def test_an_action_links_only_where_it_says(
    open_view: OpenStage, address: str, is_link: bool
):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    question = {"id": "q", "kind": "action", "text": "Sign in", "url": address}
    await stage.update({"questions": [question]})
    link = stage.view.locator("form a")
    assert await link.count() == int(is_link)
    if is_link:
        assert await link.inner_text() == await link.get_attribute("href")
        assert await link.get_attribute("rel") == "noopener noreferrer"
        assert (await link.inner_text()).isascii()


async def test_a_script_address_is_never_a_link(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(two_searches(), [])
    for address in ("javascript:alert(1)", "data:text/html,x", " javascript:alert(1)", "file:///e"):
        question = {"id": address, "kind": "action", "text": "?", "url": address}
        await stage.update({"questions": [question]})
        await expect(stage.view.locator(".portia-address")).to_have_text(address)
    assert await stage.view.locator("a").count() == 0


PAYLOADS = [
    "<script>pwn()</script>",
    "<img src=x onerror=pwn()>",
    "<svg onload=pwn()>",
    "<svg><script>pwn()</script></svg>",
    "\"><img src=x onerror=pwn()>",
    "' onmouseover=pwn() x='",
    "javascript:pwn()",
    "<a href=javascript:pwn()>x</a>",
    "<iframe srcdoc='<script>parent.pwn()</script>'></iframe>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=pwn()>",
    "<details open ontoggle=pwn()>",
    "<input autofocus onfocus=pwn()>",
    "<object data=javascript:pwn()>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "![x](https://evil.example/beacon.png)",
    "<img src=https://evil.example/beacon.png>",
    "<body onload=pwn()><base href=https://evil.example/>",
    "]]><script>pwn()</script><![CDATA[",
    "{{constructor.constructor('pwn()')()}}",
    "__proto__",
    "<template><script>pwn()</script></template>",
]  # fmt: skip


async def test_no_payload_runs_or_loads_anything_anywhere_in_the_view(open_view: OpenStage):
    stage = await open_view()
    await stage.page.evaluate(
        "() => { window.pwned = 0; window.pwn = () => { window.pwned += 1; }; }"
    )
    for number, payload in enumerate(PAYLOADS):
        plan = Plan.model_validate(
            {
                "plan_context": {"query": payload},
                "steps": [
                    {
                        "name": f"{payload}{n}",
                        "task": payload,
                        "tool_id": payload,
                        "condition": payload,
                    }
                    for n in range(4)
                ],
            }
        )
        a, b, c, d = (step.name for step in plan.steps)
        error = ErrorRecord(payload, payload, payload, payload)
        questions = [
            InputClarification(user_guidance=payload, argument_name=payload, path=payload),
            MultipleChoiceClarification(user_guidance=payload, options=(payload, "b")),
            approval(payload, tool_id=payload, arguments={payload: payload}),
        ]
        events = [
            StepDone(a, 1, payload, payload),
            StepDone(b, 1, [{payload: payload}]),
            StepFailed(c, 1, error),
            StepStarted(d),
            TextStreamed(d, payload),
            *(ClarificationRaised(payload, question) for question in questions),
            RunFailed(error),
        ]
        await stage.draw_run(plan, events)
        for row in await stage.view.locator(".portia-row").all():
            await row.click()
        await stage.update({"steps": {payload: {"state": "done", "output": {"text": payload}}}})
        await stage.update({"refused": {"id": questions[0].id, "message": payload}})
        text = await stage.view.inner_text()
        assert text.count(payload) >= 10, f"payload {number} is not shown as it is"
        elements = await stage.view.evaluate(
            "view => [...view.querySelectorAll('*')].map(e => e.localName)"
        )
        assert not {"script", "img", "iframe", "object", "style", "link", "a", "base"} & set(
            elements
        )
        handlers = await stage.view.evaluate(
            "view => [...view.querySelectorAll('*')].flatMap(e => [...e.attributes])"
            ".filter(a => a.name.startsWith('on')).length"
        )
        assert handlers == 0
    assert await stage.page.evaluate("window.pwned") == 0
    assert stage.problems == []


@pytest.mark.parametrize(
    "inside",
    [
        "<script>pwn()</script>",
        '<g onclick="pwn()"/>',
        '<a href="javascript:pwn()"/>',
        '<use href="https://evil.example/x.svg#a"/>',
        '<image href="https://evil.example/x.png"/>',
        '<rect style="fill:red"/>',
        '<rect fill="url(https://evil.example/x)"/>',
        "<foreignObject/>",
        '<g xmlns="http://www.w3.org/1999/xhtml"/>',
        "<broken",
    ],
)
async def test_a_picture_that_is_not_ours_is_left_out_and_the_list_stands(
    open_view: OpenStage, inside: str
):
    stage = await open_view()
    svg = f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'
    view = view_of(two_searches())
    del view["picture"]
    await stage.draw(view)
    deflated = base64.b64encode(zlib.compress(svg.encode())).decode()
    async with stage.page.expect_console_message(lambda m: "no picture" in m.text):
        await stage.page.evaluate(
            "view => { window.module.drawRun(document.getElementById('host'), view) }",
            {**json.loads(json.dumps(view)), "picture": {"deflated": deflated}},
        )
    await expect(stage.view.locator(".portia-step")).to_have_count(3)
    assert await stage.view.locator(".portia-picture").count() == 0


async def test_two_views_on_one_page_share_no_id(open_view: OpenStage):
    stage = await open_view()
    view = view_of(two_searches(), told(two_searches(), []))
    await stage.draw(view)
    await stage.page.evaluate(
        "view => { const el = document.createElement('div'); document.body.append(el);"
        " window.module.drawRun(el, view); }",
        json.loads(json.dumps(view)),
    )
    await expect(stage.page.locator(".portia-picture svg")).to_have_count(2)
    ids = await stage.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)) > 30


MODEL = """packed => {
  const heard = new Set();
  window.told = [];
  window.model = {
    send: message => window.told.push(message),
    on: (name, handler) => heard.add(handler),
    off: (name, handler) => heard.delete(handler),
    say: (message, buffers) => heard.forEach(handler => handler(message, buffers)),
    ears: () => heard.size,
  };
  window.cleanUp = window.module.default.render({
    model: window.model, el: document.getElementById('host'),
  });
}"""


async def test_the_widget_asks_for_the_run_and_applies_messages_in_order(open_view: OpenStage):
    stage = await open_view()
    await stage.page.evaluate(MODEL)
    assert await stage.page.evaluate("window.told") == [{"type": "ready"}]
    await expect(stage.page.locator("#host")).to_have_text(
        "Waiting for the kernel to send this run…"
    )
    run = told(two_searches(), [StepStarted("amazon")])
    whole = json.dumps({"type": "full", "view": view_of(run.plan, run)}).encode()
    # The long message takes longer to unpack; the short one must wait for it all the same.
    await stage.page.evaluate(
        """bytes => {
          const view = new DataView(new Uint8Array(bytes).buffer);
          window.model.say({ type: 'packed' }, [view]);
          window.model.say({ type: 'delta', steps: { amazon: { state: 'done' } } });
        }""",
        list(zlib.compress(whole)),
    )
    await expect(stage.step("amazon").locator(".portia-word")).to_have_text("done")
    await stage.view.get_by_role("button", name="Stop").click()
    assert (await stage.page.evaluate("window.told"))[-1] == {"type": "stop"}
    # A reload or a reconnection: the whole view again.
    await stage.page.evaluate(
        "bytes => window.model.say({type: 'packed'}, [new Uint8Array(bytes)])",
        list(zlib.compress(whole)),
    )
    await expect(stage.step("amazon").locator(".portia-word")).to_have_text("running")
    await stage.page.evaluate("window.cleanUp()")
    assert await stage.page.evaluate("window.model.ears()") == 0
    await expect(stage.view).to_have_count(0)
    assert stage.problems == []


CHANGES = """async () => {
  const seen = [];
  const watcher = new MutationObserver(records => seen.push(...records));
  const view = document.querySelector('.portia-view');
  watcher.observe(view, { subtree: true, childList: true, attributes: true, characterData: true });
  const steps = {};
  for (let i = 0; i < 10; i++) {
    steps[`step_${i * 49}`] = { state: 'done', start: 1, end: 2, output: { text: 'out' } };
  }
  window.drawn.update({ steps });
  // The picture follows in the next frame.
  await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  seen.push(...watcher.takeRecords());
  const element = node => node.nodeType === 1 ? node : node.parentElement;
  const item = node => element(node)?.closest('.portia-step, svg > g');
  return [seen.length, new Set(seen.map(record => item(record.target)).filter(Boolean)).size];
}"""


async def test_ten_changes_at_500_steps_touch_their_rows_and_cards_alone(open_view: OpenStage):
    """How long that takes is benchmark B15."""
    stage = await open_view()
    await stage.draw_run(chain(500), [])
    touched, items = await stage.page.evaluate(CHANGES)
    assert 10 <= items <= 20
    assert touched <= 200
    assert stage.problems == []


async def test_a_long_list_follows_the_step_that_runs(open_view: OpenStage):
    stage = await open_view()
    await stage.draw_run(chain(100), [])
    await stage.update({"steps": {"step_80": {"state": "running", "start": 1}}})
    await expect(stage.step("step_80")).to_be_in_viewport()


LOOKS: list[tuple[str, dict[str, Any]]] = [
    ("light", {}),
    ("dark", {}),
    ("light", {"forced_colors": "active"}),
    ("light", {"width": 420}),
]


@pytest.mark.parametrize(("theme", "options"), LOOKS, ids=["light", "dark", "forced", "narrow"])
async def test_axe_finds_nothing_and_the_view_fits(
    open_view: OpenStage, theme: str, options: dict[str, Any]
):
    stage = await open_view(theme=theme, **options)
    plan, events = all_states()
    questions = [form[0] for form in FORMS[::2]]
    more = [ClarificationRaised("", question) for question in questions]
    await stage.draw_run(plan, [*events, *more, RunFailed(ERROR)])
    for row in await stage.view.locator(".portia-row").all():
        await row.click()
    await check_accessible(stage)
    done = [StepDone("amazon", 1, [{"a": 1}]), StepDone("faster", 1, "x"), RunCompleted("faster")]
    await stage.draw_run(two_searches(), done)
    await check_accessible(stage)
    await stage.draw(view_of(two_searches()))
    await check_accessible(stage)


async def check_accessible(stage: Stage) -> None:
    found = await Axe().run(stage.page, context=".portia-view")
    told = [
        (each["id"], node["target"], node["failureSummary"])
        for each in found.response["violations"]
        for node in each["nodes"]
    ]
    assert told == []
    wider = await stage.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wider <= 0


async def test_nothing_moves_for_those_who_want_no_motion(open_view: OpenStage):
    stage = await open_view(reduced_motion="reduce")
    await stage.draw_run(two_searches(), [StepStarted("amazon")])
    assert await stage.page.evaluate("document.getAnimations().length") == 0
