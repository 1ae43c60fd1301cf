"""What an agent's step has said and called so far, added up from its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from portia_nb.model.call_events import (
    AgentLimited,
    AgentToolCalled,
    AgentToolReturned,
    AgentTurn,
    ToolCalled,
)
from portia_nb.model.language import ToolCall

AgentEvent = AgentTurn | AgentToolCalled | AgentToolReturned | AgentLimited


@dataclass(slots=True)
class AgentCall:
    """One call that an agent's model asked for."""

    key: str
    """Number of its turn, a dot, and its place in it: the same in every process."""
    asked: ToolCall
    called: AgentToolCalled | None = None
    """The latest time that it was made; None: it hasn't been."""
    returned: AgentToolReturned | None = None
    """What came of it; None: it is still to be made, or to be made again."""


@dataclass(slots=True)
class Turn:
    """One reply of an agent's model: what it said, and the calls that it asked for."""

    text: str
    calls: tuple[AgentCall, ...]


@dataclass(slots=True)
class Conversation:
    """The turns of one agent's step, changed by events alone."""

    turns: list[Turn] = field(default_factory=list)

    def calls(self) -> Iterator[AgentCall]:
        """Yield every call, in order."""
        return (call for turn in self.turns for call in turn.calls)

    def under_way(self, attempt: int) -> list[AgentToolCalled]:
        """Return the calls of this attempt that have not come back."""
        last = self.turns[-1].calls if self.turns else ()
        return [
            call.called
            for call in last
            if call.called and not call.returned and call.called.attempt == attempt
        ]

    def note(self, event: AgentEvent, under_way: ToolCalled | None) -> ToolCalled | None:
        """Note what happened.

        Returns the call of which nobody would know what became of it, if the process died now:
        `under_way`, unless that came back or another was made.
        """
        match event:
            case AgentTurn(_, _, text, asked):
                number = len(self.turns)
                calls = (AgentCall(f"{number}.{place}", each) for place, each in enumerate(asked))
                self.turns.append(Turn(text, tuple(calls)))
            case AgentToolCalled(call=key):
                if call := self._find(key):
                    call.called = event
                return event
            case AgentToolReturned(call=key):
                if call := self._find(key):
                    if event.error is None or event.is_told:
                        call.returned = event
                    else:
                        call.called = None  # the step failed with it: a resume makes it again
                # Unlike other calls' its output is kept: it isn't repeated with its step.
                if isinstance(under_way, AgentToolCalled) and under_way.call == key:
                    return None
            case AgentLimited():
                pass  # its model answers now; the log and the views say why
        return under_way

    def hold(self, idempotency_key: str) -> None:
        """Note that a hook asks about what a call put out, which the model isn't told before."""
        for call in self.calls():
            if call.called is not None and call.called.idempotency_key == idempotency_key:
                call.returned = None

    def key_of(self, idempotency_key: str) -> str | None:
        """Return the key of the call that was made under this idempotency key."""
        made = ((call.key, call.called) for call in self.calls())
        return next((k for k, c in made if c and c.idempotency_key == idempotency_key), None)

    def _find(self, key: str) -> AgentCall | None:
        return next((call for call in self.calls() if call.key == key), None)
