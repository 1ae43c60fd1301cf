"""R11: the planner's model answers with what is no plan, and with plans that can't run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, seed, settings

from portia_nb import Config, Portia, tool
from portia_nb.errors import ModelError, PlanError
from portia_nb.model.plan import Plan
from portia_nb.planning.check import find_problems
from portia_nb.planning.planner import MAX_REPLIES
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Fault, Reply

from .row import Facts, Row, Trial

EXAMPLES = 40
"""Arbitrary JSON values, from Hypothesis, beside each round of the corpus."""


@tool(side_effect=True)
def send(text: str, copies: int = 1) -> str:
    """Send a text."""
    raise AssertionError("a plan was executed while it was made")


def step(output: str, tool_id: str = "llm_tool", *inputs: str, **args: Any) -> dict[str, Any]:
    """Return one step of a reply."""
    return {
        "task": f"Do {output}",
        "inputs": [{"name": f"${name}", "description": name} for name in inputs],
        "tool_id": tool_id,
        "output": f"${output}",
        "args": args or None,
        "condition": None,
    }


def good() -> dict[str, Any]:
    """Return a reply that is a plan."""
    steps = [step("a"), step("b", "llm_tool", "a"), step("c", "send", "b", text="$b")]
    return {"steps": steps, "error": None}


def cut(rng: random.Random) -> str:
    text = json.dumps(good())
    return text[: rng.randrange(len(text))]


def doubled(rng: random.Random) -> str:
    plan = good()
    plan["steps"].append({**rng.choice(plan["steps"])})
    return json.dumps(plan)


def cyclic(rng: random.Random) -> str:
    names = [f"s{n}" for n in range(rng.randint(1, 6))]
    return json.dumps(
        {
            "steps": [step(n, "llm_tool", names[i - 1]) for i, n in enumerate(names)],
            "error": None,
        }
    )


def changed(rng: random.Random) -> str:
    """Put a value of another kind, or nothing, in some place of a good reply."""
    plan = good()
    where = rng.choice(plan["steps"])
    key = rng.choice(list(where))
    if rng.random() < 0.4:
        del where[key]
    else:
        where[key] = rng.choice(
            [0, -1.5, True, [], [[]], {}, {"x": {}}, "", "\x00", "$", None, 10**40]
        )
        if key in ("args", "condition") and where[key] is None:
            where["task"] = 7
    return json.dumps(plan)


def unknown(rng: random.Random) -> str:
    plan = good()
    step_ = rng.choice(plan["steps"])
    if rng.random() < 0.5:
        step_["tool_id"] = rng.choice(
            ["rm_rf", "SEND", "send ", "portia:send", "", "llm_tool,send"]
        )
    else:
        step_["inputs"] = [{"name": "$nowhere", "description": "?"}]
    return json.dumps(plan)


def misfit(rng: random.Random) -> str:
    plan = good()
    plan["steps"][2]["args"] = rng.choice(
        [{"txt": "x"}, {"text": "x", "copies": "many"}, {"text": "x", "more": 1}, {"copies": 2}]
    )
    return json.dumps(plan)


def noise(rng: random.Random) -> str:
    return rng.choice(
        [
            "", " ", "null", "[]", "7", '"plan"', "{}", '{"steps": []}', '{"steps": null}', "NaN",
            "I'd be happy to help!", '{"steps": [null]}', '{"steps": [[]], "error": null}', "{'a'}",
            '{"steps": NaN, "error": null}', "```json\n```", "[" * 3_000, '{"a":' * 3_000, "\ufeff",
            '{"error": 3, "steps": []}', '{"plan": []}', "\u202e}{", "<script>alert(1)</script>",
        ]
    )  # fmt: skip


def huge(rng: random.Random) -> str:
    return rng.choice(["a" * 10_000_000, json.dumps({"steps": [step("x" * 9_000_000)]})])


def many(rng: random.Random) -> str:
    return json.dumps({"steps": [step("s", "nope") for _ in range(rng.randint(300, 3_000))]})


CORPUS: tuple[Callable[[random.Random], str], ...] = (
    cut, doubled, cyclic, changed, unknown, misfit, noise, cut, changed, noise, many,
)  # fmt: skip


def reply_of(number: int) -> str:
    """Return reply `number` of the corpus."""
    rng = random.Random(number)
    return huge(rng) if number % 50 == 49 else CORPUS[number % len(CORPUS)](rng)


def is_sound(plan: Plan, portia: Portia) -> bool:
    """Tell whether a plan that came out of a reply can run."""
    return not find_problems(plan, portia.tools)


def plan_with(reply: str | Fault, portia: Portia, server: OpenAIServer, asked: list[Any]) -> bool:
    """Let the model answer with `reply` as often as it is asked; tell whether a plan came of it."""
    asked[:] = [reply]
    before = len(server.requests)
    try:
        plan = portia.plan("Send a greeting to all customers")
    except (PlanError, ModelError) as error:
        assert str(error), "an error without words"
        assert len(str(error)) < 5_000
        made = False
    else:
        assert is_sound(plan, portia), f"an unsound plan came out of {reply!r:.300}"
        made = True
    assert 1 <= len(server.requests) - before <= MAX_REPLIES
    return made


def answer_badly(trial: Trial) -> Facts:
    """Plan with each reply of the corpus that is this trial's, then with arbitrary JSON."""
    asked: list[Any] = []
    made = refused = 0
    with OpenAIServer(lambda _: Reply(text=asked[0])) as server:
        config = Config(
            base_url=server.url, openai_api_key="sk-fault", model_retries=0, store="memory"
        )
        portia = Portia(config, tools=[send()])
        assert plan_with(json.dumps(good()), portia, server, asked), "a good reply is a plan"
        for number in trial.numbers:
            if plan_with(reply_of(number), portia, server, asked):
                made += 1
            else:
                refused += 1
        leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
        keys = st.sampled_from(
            ["steps", "error", "task", "inputs", "tool_id", "output", "args", "$a"]
        )
        values = st.recursive(
            leaves,
            lambda v: st.lists(v, max_size=4) | st.dictionaries(keys | st.text(), v),
            max_leaves=20,
        )

        @seed(trial.number)
        @settings(
            max_examples=EXAMPLES if trial.count > 3 else 10,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            st.fixed_dictionaries({"steps": st.lists(values, max_size=3), "error": leaves}) | values
        )
        def any_json(value: Any) -> None:
            nonlocal made, refused
            text = json.dumps(value)
            if plan_with(text, portia, server, asked):
                made += 1
            else:
                refused += 1

        any_json()
    return {"refused with a typed error": refused, "still a sound plan": made}


ROW = Row(
    id="R11",
    fault="a planner's replies: cut, misfit, cyclic, doubled, unknown tools, 10 MB; arbitrary JSON",
    full=200,
    batch=20,
    sample_batch=11,
    trial=answer_badly,
    sample=(0,),
    trial_s=120,
    holds=f"at most {MAX_REPLIES} replies, then a typed error; no unsound plan",
)
