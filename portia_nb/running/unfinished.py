"""How far an unfinished step had got, as events of a run that goes on with it under another id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from portia_nb.model.conversation import AgentCall
from portia_nb.model.events import AgentToolReturned, AgentTurn, AnyEvent, OutputHeld, StepStarted
from portia_nb.model.run import StepRecord


def idempotency_key(run_id: str, path: str, call: str = "") -> str:
    """Return the same text whenever this step of this run makes its call, also after a kill.

    Args:
        run_id: the run's.
        path: the step's.
        call: of an agent, which of its calls.
    """
    which = f"{run_id}\n{path}" + (f"\n{call}" if call else "")
    return hashlib.sha256(which.encode()).hexdigest()[:32]


def so_far(record: StepRecord, run_id: str, *, effect: bool) -> list[AnyEvent]:
    """Return what the run `run_id` is to know of an unfinished step, so that nothing is repeated.

    Those are an agent's conversation, outputs about which a hook asks, and with `effect` the call
    of which nobody knows what became of it: who starts the run is asked, as who resumes the old one
    would be. An agent's call always has a side effect of its own, which says whether to ask.
    """
    events = [*_conversation(record, run_id), *_held(record, run_id)]
    call = record.tool_under_way
    if call is not None and (effect or record.conversation is not None):
        events.append(call)
    return [StepStarted(record.path, record.attempt), *events] if events else []


def _conversation(record: StepRecord, run_id: str) -> Iterator[AnyEvent]:
    if record.conversation is None:
        return
    for turn in record.conversation.turns:
        asked = tuple(call.asked for call in turn.calls)
        yield AgentTurn(record.path, max(record.attempt, 1), turn.text, asked)
        for call in turn.calls:
            yield from _call(call, record, run_id)


def _call(call: AgentCall, record: StepRecord, run_id: str) -> Iterator[AnyEvent]:
    """Yield that a call was made and came back; of one whose output is held, that follows."""
    made, back = call.called, call.returned
    held = None if made is None else (record.held or {}).get(made.idempotency_key)
    if back is None and made is not None and held is not None:
        given = (held.path, held.attempt, held.tool_id, 0.0, None, call.key)
        back = AgentToolReturned(*given, held.value, held.summary)
    if back is not None:
        if made is not None:
            key = idempotency_key(run_id, record.path, call.key)
            yield replace(made, idempotency_key=key)
        yield back


def _held(record: StepRecord, run_id: str) -> Iterator[OutputHeld]:
    agent = record.conversation
    calls = () if agent is None else tuple(agent.calls())
    keys = {c.called.idempotency_key: c.key for c in calls if c.called and c.returned is None}
    for old_key, held in (record.held or {}).items():
        if (call := "" if agent is None else keys.get(old_key)) is not None:
            yield replace(held, idempotency_key=idempotency_key(run_id, record.path, call))
