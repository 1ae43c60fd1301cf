"""One step of a finished run is edited: only it and what depends on it asks the model again."""

from __future__ import annotations

from collections import Counter

from portia_nb import Plan, PlanBuilderV2, PlanRunState, StepOutput
from tests.servers.chat_wire import ChatRequest
from tests.servers.openai_server import OpenAIServer

from .conftest import Story

NEEDS = {
    "market": [],
    "prices": [],
    "weather": [],
    "trends": ["market"],
    "costs": ["prices"],
    "outlook": ["weather", "trends"],
    "margins": ["costs", "prices"],
    "risks": ["outlook"],
    "chances": ["trends", "margins"],
    "advice": ["risks", "chances"],
    "letter": ["advice"],
    "imprint": [],
}
AFTER_COSTS = {"costs", "margins", "chances", "advice", "letter"}


def twelve_steps() -> Plan:
    builder = PlanBuilderV2("Advise a shop")
    for name, needs in NEEDS.items():
        inputs = [StepOutput(each) for each in needs]
        builder.llm_step(task=f"Write on: {name}.", inputs=inputs, step_name=name)
    return builder.build()


class Shop(OpenAIServer):
    """Answers with what it was asked, and counts who asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        super().__init__(self.reply_to)

    def reply_to(self, request: ChatRequest) -> str:
        text = request.text.rpartition("Write on: ")[2]
        name = text.partition(".")[0].split()[0]
        self.asked[name] += 1
        return f"On {text.partition('.')[0]}, after {self.asked.total()} calls"


def test_only_the_edited_step_and_what_depends_on_it_ask_the_model_again(story: Story):
    with Shop() as server:
        portia = story.portia(server)
        run = portia.run_plan(twelve_steps())
        assert run.state is PlanRunState.COMPLETE
        assert server.asked == Counter(dict.fromkeys(NEEDS, 1))
        server.asked.clear()

        forked = portia.fork(run, "costs", task="Write on: costs in euros.")

        assert forked.state is PlanRunState.COMPLETE
        assert server.asked == Counter(dict.fromkeys(AFTER_COSTS, 1))
        assert len(server.requests) == len(NEEDS) + len(AFTER_COSTS)
        for name in NEEDS:
            is_same = forked.outputs[name].value == run.outputs[name].value
            assert is_same is (name not in AFTER_COSTS), name
        assert forked.outputs["costs"].value.startswith("On costs in euros")

        # Another process, without the first run, asks no more than that.
        portia.store.delete_run(run.id)
        portia.store.close()
        server.asked.clear()
        again = story.portia(server).fork(forked.id, "imprint")
        assert server.asked == Counter({"imprint": 1})
        assert again.outputs["letter"].value == forked.outputs["letter"].value


def test_an_output_corrected_by_hand_asks_the_model_only_for_what_depends_on_it(story: Story):
    with Shop() as server:
        portia = story.portia(server)
        run = portia.run_plan(twelve_steps())
        server.asked.clear()
        forked = portia.fork(run, "advice", output="Sell umbrellas")
        assert server.asked == Counter({"letter": 1})
        assert "Sell umbrellas" in server.requests[-1].text
        assert forked.outputs["advice"].value == "Sell umbrellas"
