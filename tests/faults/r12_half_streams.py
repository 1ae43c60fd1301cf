"""R12: a model's stream is cut at every place, split inside characters, or trickles."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

import pytest

from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.errors import ModelReplyCutOff, ModelUnreachable
from portia_nb.session.opening import open_run
from tests.llm.asking import ask
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Reply

from .asked_models import model_at
from .row import Facts, Row, Trial

TEXT = "Grüße aus Bodø: 世界, 🏔️👩‍👩‍👧 und e\u0301. " * 4
WHOLE = Reply(text=TEXT, chunk_characters=3)
EVENTS = 2 + -(-len(TEXT) // 3)
"""Of the stream: role, text in pieces, the end; then usage and [DONE]."""
IDLE_S = 0.5


async def cut_once(number: int) -> None:
    """Cut the stream at one place, in one of the ways, and let the next try be whole."""
    place, how = number % EVENTS, ("cut_after_chunks", "end_after_chunks")[number // EVENTS % 2]
    broken = replace(WHOLE, **{how: place})
    with OpenAIServer([broken]) as server:
        async with model_at(server.url, model_retries=0, model_timeout_s=5) as model:
            with pytest.raises(ModelReplyCutOff):
                await model.reply(ask(), on_text=lambda _: None)
    pieces: list[str] = []
    size = random.Random(number).randint(1, 7)
    with OpenAIServer([broken, replace(WHOLE, write_bytes=size)]) as server:
        async with model_at(server.url, model_retries=1, model_timeout_s=20) as model:
            reply = await model.reply(ask(), on_text=pieces.append)
    assert reply.text == TEXT
    assert TEXT.startswith("".join(pieces)), "what was shown is no beginning of the reply"
    assert "\ufffd" not in reply.text


async def trickle(number: int) -> float:
    """Let a stream that has begun fall silent, or trickle; return how late it was given up."""
    rng = random.Random(number)
    stalled = replace(WHOLE, stall_after_chunks=rng.randrange(2, EVENTS - 2))
    # Bytes come all the time, and an event takes longer than the idle limit.
    slow = replace(WHOLE, write_bytes=1, chunk_delay_s=0.004)
    heard = [time.monotonic()]
    with OpenAIServer([stalled if number % 2 else slow]) as server:
        async with model_at(
            server.url, model_retries=0, model_timeout_s=20, idle_timeout_s=IDLE_S
        ) as model:
            with pytest.raises(ModelUnreachable):
                await model.reply(ask(), on_text=lambda _: heard.append(time.monotonic()))
            late_s = time.monotonic() - heard[-1] - IDLE_S
    assert len(heard) > 1, "the reply never began"
    assert -0.05 <= late_s <= 1.0, f"ended {late_s:+.2f} s from the idle limit"
    return late_s


def in_a_run(trial: Trial) -> None:
    """Cut every try of a step's stream: half a text must not be kept as the step's output."""
    place = trial.number % EVENTS
    builder = PlanBuilderV2("says").llm_step(task="Say it.", step_name="say", retries=0)
    with OpenAIServer(lambda _: replace(WHOLE, cut_after_chunks=place)) as server:
        config = Config(
            base_url=server.url, openai_api_key="sk-fault", model_retries=0,
            store=str(trial.folder / "store"),
        )  # fmt: skip
        portia = Portia(config, tools=[])
        run = portia.run_plan(builder.build())
        assert run.state == "FAILED"
        assert run.error is not None
        assert run.error.type == "ModelReplyCutOff", run.error
        kinds = [recorded.event.kind for recorded in portia.store.load_events(run.id)]
        assert "step_done" not in kinds
        assert open_run(portia.store, run.id).steps["say"].value is None
        portia.store.close()


async def _cuts(trial: Trial) -> float:
    for number in trial.numbers:
        await cut_once(number)
    return max(await asyncio.gather(*(trickle(trial.first + n) for n in range(4))))


def halve(trial: Trial) -> Facts:
    """Cut the streams of this trial, let four trickle, and cut one in a run."""
    late_s = asyncio.run(_cuts(trial))
    in_a_run(trial)
    return {"trickling streams ended": 4, "max s late": late_s}


ROW = Row(
    id="R12",
    fault=f"a stream cut at each of {EVENTS} pieces, two ways; split characters; a trickle",
    full=2 * EVENTS,
    batch=10,
    sample_batch=3,
    trial=halve,
    sample=(1,),
    jobs=1,
    trial_s=180,
    holds="half a reply never taken as one, idle limit held within 1 s",
)
