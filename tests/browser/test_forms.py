"""N14: a form for every kind of answer, by keyboard, with complaints at its field."""

import datetime
from typing import Annotated, Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect
from pydantic import Field

from portia_nb.errors import InvalidAnswer
from portia_nb.model.callables import SchemaRef
from portia_nb.model.clarification import (
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
)
from portia_nb.notebook.questions import read_answer, show_question
from tests.browser.stage import Stage, open_stage
from tests.notebook.stories import two_searches


def asks(given: Any, **more: Any) -> InputClarification:
    schema = SchemaRef.of(given).json_schema
    return InputClarification(user_guidance="What?", answer_schema=schema, **more)


CITIES = [f"City {n}" for n in range(60)]
MANY = MultipleChoiceClarification(options=(*CITIES, "Oslo"), user_guidance="Which city?")
COLOURS = asks(list[Literal["red", "green", "blue"]])
TYPED: list[tuple[Clarification, list[str], Any]] = [
    (asks(Annotated[int, Field(ge=1, le=9)]), ["7", "Enter"], 7),
    (asks(int, default=3), ["Enter"], 3),
    (asks(float), ["2", ".", "5", "Enter"], 2.5),
    (asks(datetime.date), ["0", "5", "1", "7", "2", "0", "2", "6", "Enter"], "2026-05-17"),
    (asks(datetime.time), ["0", "9", "3", "0", "A", "Enter"], "09:30:00"),
    (asks(bool), ["Space", "Enter"], True),
    (asks(bool), ["ArrowDown", "Enter"], False),
    (asks(bool, default=True), ["Enter"], True),
    (asks(list[int]), ["1", "Enter", "2", "Control+Enter"], [1, 2]),
    (asks(list[str]), ["a", ",", "b", "Enter", "c", "Control+Enter"], ["a,b", "c"]),
    (asks(dict[str, int]), ["{", "}", "Control+Enter"], {}),
    (COLOURS, ["Space", "Tab", "Tab", "Space", "Enter"], ["red", "blue"]),
    (COLOURS, ["Enter"], []),
    (MANY, ["o", "s", "l", "Enter"], "Oslo"),
    (MANY, ["5", "9", "ArrowDown", "Space", "Enter"], "City 59"),
    (CustomClarification(name="pick", data={"of": [1]}, user_guidance="?"), ["x", "Enter"], "x"),
]


def meant(question: Clarification, sent: list[Any]) -> Any:
    """Return what Python makes of the one answer that the form has sent."""
    (message,) = sent
    assert message["type"] == "answer" and message["id"] == question.id
    return question.check_answer(read_answer(question, message["value"]))


@pytest.mark.parametrize(("question", "keys", "answer"), TYPED)
async def test_each_type_has_a_field_that_keys_alone_answer(
    browser: Browser, question: Clarification, keys: list[str], answer: Any
):
    """N14."""
    async with open_stage(browser, locale="en-US") as stage:
        await stage.draw_run(two_searches(), [])
        await stage.ask(question)
        await stage.page.keyboard.press("Escape")
        for key in [*keys, "Enter"]:
            await stage.page.keyboard.press(key)
        assert meant(question, await stage.sent()) == answer
        assert stage.problems == []


async def refuse(stage: Stage, question: Clarification) -> str:
    """Let Python refuse the latest answer, and return its complaint."""
    value = (await stage.sent())[-1]["value"]
    with pytest.raises(InvalidAnswer) as caught:
        question.check_answer(read_answer(question, value))
    message = str(caught.value)
    await stage.update({"refused": {"id": question.id, "message": message}})
    return message


async def test_a_complaint_stands_at_its_field_and_takes_no_focus_from_elsewhere(browser: Browser):
    """N14: what Python refuses is said at the field, described and marked."""
    question = asks(Annotated[int, Field(le=9)], argument_name="count")
    async with open_stage(browser) as stage:
        await stage.draw_run(two_searches(), [])
        await stage.ask(question)
        field = stage.view.get_by_role("spinbutton", name="count")
        await expect(field).to_be_focused()
        await expect(field).to_have_accessible_description(
            "What? Asked for: a whole number, at most 9."
        )
        await stage.page.keyboard.press("Enter")
        await expect(stage.view.get_by_role("alert")).to_have_text("Write a whole number.")
        await stage.page.keyboard.type("12")
        await stage.page.keyboard.press("Enter")
        says = await refuse(stage, question)
        assert says == "12 won't do: it must be at most 9"
        await expect(field).to_be_focused()
        await expect(field).to_have_value("12")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(
            f"What? Asked for: a whole number, at most 9. {says}"
        )
        await stage.page.keyboard.press("Enter")
        await stage.page.locator("#elsewhere").focus()
        await refuse(stage, question)
        await expect(stage.page.locator("#elsewhere")).to_be_focused()
        await field.fill("9")
        await field.press("Enter")
        assert meant(question, (await stage.sent())[-1:]) == 9


async def test_many_options_are_filtered_by_typing_and_a_chosen_one_stays_in_sight(
    browser: Browser,
):
    """N14."""
    async with open_stage(browser) as stage:
        await stage.draw_run(two_searches(), [])
        await stage.ask(MANY)
        await expect(stage.view.get_by_label("Filter")).to_be_focused()
        await stage.page.keyboard.type("city 5")
        count = stage.view.locator("form").get_by_role("status")
        await expect(count).to_have_text("11 of 61 options")
        await stage.page.keyboard.press("Enter")
        await expect(stage.view.get_by_role("alert")).to_have_text("Choose one of the options.")
        group = stage.view.get_by_role("radiogroup", name="Which city?")
        await expect(group).to_have_attribute("aria-invalid", "true")
        await expect(stage.view.get_by_label("Filter")).to_be_focused()
        await stage.view.get_by_label("City 5", exact=True).check()
        await stage.view.get_by_label("Filter").fill("oslo")
        await expect(stage.view.get_by_role("radio")).to_have_count(2)
        await expect(stage.view.get_by_label("City 5", exact=True)).to_be_visible()


async def test_several_questions_stand_at_once_and_focus_goes_on_to_the_next(browser: Browser):
    """N14: and a key that is held down answers only one of them."""
    first = InputClarification(user_guidance="Who?", argument_name="who")
    second = asks(int, argument_name="count")
    third = UserVerificationClarification(user_guidance="Go on?")
    async with open_stage(browser) as stage:
        await stage.draw_run(two_searches(), [])
        shown = [show_question(each) for each in (first, second, third)]
        await stage.update({"questions": shown})
        await expect(stage.view.locator("form")).to_have_count(3)
        await expect(stage.view.get_by_label("who")).to_be_focused()
        await stage.page.keyboard.type("Ada")
        await stage.page.keyboard.press("Enter")
        await stage.update({"questions": shown[1:]})
        await expect(stage.view.get_by_label("count")).to_be_focused()
        await stage.page.keyboard.type("3")
        await stage.page.keyboard.down("Enter")
        await stage.update({"questions": shown[2:]})
        await expect(stage.view.get_by_role("button", name="Yes, go on")).to_be_focused()
        await stage.page.keyboard.down("Enter")
        await stage.page.keyboard.up("Enter")
        assert [each["value"] for each in await stage.sent()] == ["Ada", "3"]
        await stage.page.keyboard.press("Enter")
        assert (await stage.sent())[-1]["value"] is True


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_typed_form(browser: Browser, theme: str):
    """N14, N22."""
    async with open_stage(browser, theme=theme, width=420) as stage:
        await stage.draw_run(two_searches(), [])
        questions = [form[0] for form in TYPED]
        unlike = {str(show_question(each).get("field", each.id)): each for each in questions}
        await stage.update({"questions": [show_question(each) for each in unlike.values()]})
        for form in await stage.view.locator("form").all():
            await form.get_by_role("button").last.click()
        found = await Axe().run(stage.page, context=".portia-view")
        assert [
            (e["id"], [n["target"] for n in e["nodes"]]) for e in found.response["violations"]
        ] == []
