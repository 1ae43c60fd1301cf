"""R10: the model's server refuses, fails, hangs, resets, or isn't there."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.errors import (
    ModelError,
    ModelRateLimited,
    ModelReplyCutOff,
    ModelServerError,
    ModelUnreachable,
)
from portia_nb.llm import connections
from portia_nb.session.opening import open_run
from tests.llm.asking import ask
from tests.servers.chat_wire import ChatRequest
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Fault, failing, rate_limited, reset, silent, truncated

from .asked_models import RETRIES, model_at
from .row import Facts, Row, Trial

Made = tuple[Fault, float]
"""A fault, and the least seconds that a client must wait after it."""


def _dated(rng: random.Random) -> Made:
    # In whole seconds, and in the past by the time it is read: no wait.
    return rate_limited(format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True)), 0


def _after(rng: random.Random) -> Made:
    seconds = round(rng.uniform(0.05, 0.3), 3)
    return rate_limited(seconds), seconds


PASSING: dict[str, tuple[Callable[[random.Random], Made], type[ModelError]]] = {
    "429 with Retry-After": (_after, ModelRateLimited),
    "429 with a date": (_dated, ModelRateLimited),
    "429": (lambda rng: (rate_limited(), 0.0), ModelRateLimited),
    "500": (lambda rng: (failing(500), 0.0), ModelServerError),
    "502": (
        lambda rng: (Fault(status=502, body=b"<html>Bad gateway</html>"), 0.0),
        ModelServerError,
    ),
    "503": (lambda rng: (failing(503), 0.0), ModelServerError),
    "read timeout": (lambda rng: (silent(5), 0.0), ModelUnreachable),
    "reset": (lambda rng: (reset(), 0.0), ModelUnreachable),
    "cut off": (lambda rng: (truncated(missing=rng.randint(1, 999)), 0.0), ModelReplyCutOff),
}
"""Faults of a server that answers; they pass or stay."""


def _patience(name: str) -> dict[str, float]:
    """Return how long a call may take: long, where a slow machine must not look like a fault."""
    return {"model_timeout_s": 0.8 if name == "read timeout" else 10.0}


async def passes(name: str, rng: random.Random) -> float:
    """Let a fault pass after one or two tries, and return the longest wait it asked for."""
    made = [PASSING[name][0](rng) for _ in range(rng.randint(1, RETRIES))]
    with OpenAIServer([*(fault for fault, _ in made), "Oslo"]) as server:
        async with model_at(server.url, **_patience(name)) as model:
            reply = await model.reply(ask())
        times = [request.http.at_s for request in server.requests]
    assert reply.text == "Oslo"
    assert reply.usage.calls == len(made) + 1
    assert reply.usage.input_tokens > 0
    for (_, least_s), before, after in zip(made, times, times[1:], strict=False):
        assert after - before >= least_s, f"{name}: tried again after {after - before:.3f} s"
    return max(least_s for _, least_s in made)


async def stays(name: str, rng: random.Random) -> None:
    """Let a fault stay."""
    make, error = PASSING[name]
    with OpenAIServer([make(rng)[0] for _ in range(RETRIES + 1)]) as server:
        async with model_at(server.url, **_patience(name)) as model:
            with pytest.raises(error) as caught:
                await model.reply(ask())
        assert len(server.requests) == RETRIES + 1
    assert caught.value.calls == RETRIES + 1


@contextlib.contextmanager
def nobody_there() -> Iterator[str]:
    """Yield the address of a port that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"


@contextlib.contextmanager
def nobody_accepts() -> Iterator[str]:
    """Yield the address of a port whose queue is full, so that connecting hangs."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listening.getsockname()
        for _ in range(4):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}/v1"


@contextlib.contextmanager
def speaks_no_tls() -> Iterator[str]:
    """Yield an https address where a server speaks plain HTTP."""
    with OpenAIServer() as server:
        yield server.url.replace("http:", "https:")
        server.take_violations()


ABSENT = {
    "refused": (nobody_there, RETRIES + 1, "can't reach"),
    "connect timeout": (nobody_accepts, RETRIES + 1, "no answer|can't reach"),
    "TLS error": (speaks_no_tls, 1, "no safe connection"),
}


async def is_absent(name: str) -> None:
    """Ask where no server answers."""
    place, calls, says = ABSENT[name]
    with place() as url:
        async with model_at(url) as model:
            with pytest.raises(ModelUnreachable, match=says) as caught:
                await model.reply(ask())
    assert caught.value.calls == calls


def portia_at(server: OpenAIServer, trial: Trial) -> Portia:
    """Return a Portia that asks `server`."""
    return Portia(
        Config(
            base_url=server.url,
            openai_api_key="sk-fault",
            model_retries=RETRIES,
            model_timeout_s=1.5,
            store=str(trial.folder / "store"),
        ),
        tools=[],
    )


def is_counted(names: list[str], rng: random.Random, trial: Trial) -> int:
    """Let a run meet these faults, each once, and return how many calls it counted."""
    met: set[str] = set()
    lock = threading.Lock()

    def answer(request: ChatRequest) -> Any:
        name = next(name for name in names if f"<{name}>" in request.text)
        with lock:
            first = name not in met
            met.add(name)
        return PASSING[name][0](rng)[0] if first else "Oslo"

    lasting = PlanBuilderV2("asks in vain").llm_step(task="Say it.", step_name="ask").build()
    with OpenAIServer(lambda _: PASSING[names[0]][0](rng)[0]) as server:
        portia = portia_at(server, trial)
        failed = portia.run_plan(lasting)
        assert failed.state == "FAILED"
        record = open_run(portia.store, failed.id).steps["ask"]
        assert record.usage.calls == len(server.requests) >= RETRIES + 1, "calls in vain count too"
        portia.store.close()
    builder = PlanBuilderV2("asks")
    for place, name in enumerate(names):
        builder.llm_step(task=f"Say where: <{name}>", step_name=f"ask{place}")
    with OpenAIServer(answer) as server:
        portia = portia_at(server, trial)
        run = portia.run_plan(builder.build())
        assert run.state == "COMPLETE", run.error
        counted = sum(
            record.usage.calls for record in open_run(portia.store, run.id).steps.values()
        )
        portia.store.close()
        assert counted == len(server.requests) == 2 * len(names)
    return counted


async def all_faults(rng: random.Random) -> float:
    """Try every fault in both ways, all at once, and return the longest wait asked for."""
    waits = await asyncio.gather(*(passes(name, rng) for name in PASSING))
    await asyncio.gather(*(stays(name, rng) for name in PASSING))
    await asyncio.gather(*(is_absent(name) for name in ABSENT))
    return max(waits)


def break_the_server(trial: Trial) -> Facts:
    """Do one round of all faults: alone, and in a run."""
    rng = random.Random(trial.number)
    # How long connecting may take is no setting, and 10 s are long for a trial.
    before, connections.CONNECT_TIMEOUT_S = connections.CONNECT_TIMEOUT_S, 0.3
    began = time.monotonic()
    try:
        asked_s = asyncio.run(all_faults(rng))
    finally:
        connections.CONNECT_TIMEOUT_S = before
    took_s = time.monotonic() - began
    names = list(PASSING)
    counted = is_counted(rng.sample(names, 4), rng, trial)
    return {"calls counted": counted, "max s asked for and waited": asked_s, "max s": took_s}


KINDS = len(PASSING) + len(ABSENT)
ROW = Row(
    id="R10",
    fault=f"{KINDS} faults of a model's server, each passing and lasting",
    full=KINDS * 20,
    batch=KINDS,
    trial=break_the_server,
    sample=(0,),
    holds=f"at most {RETRIES + 1} tries, Retry-After honoured, every call counted",
)
