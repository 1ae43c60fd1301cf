"""A model that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portia_nb.model.language import ModelReply, ModelRequest


class Answering:
    """Answers requests with `answers`, in order: data of a reply, a `ModelReply`, or an error."""

    name = "test/model"

    def __init__(self, *answers: Any) -> None:
        self.answers: Sequence[Any] = answers
        self.requests: list[ModelRequest] = []

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        self.requests.append(request)
        answer = self.answers[len(self.requests) - 1]
        if isinstance(answer, Exception):
            raise answer
        return (
            answer if isinstance(answer, ModelReply) else ModelReply(data=answer, model=self.name)
        )


def planned(output: str, tool_id: str = "llm_tool", /, **more: Any) -> dict[str, Any]:
    """Return one step as a planner replies it."""
    step = {"task": f"Do {output}", "inputs": [], "tool_id": tool_id, "output": f"${output}"}
    if "inputs" in more:
        more["inputs"] = [{"name": n, "description": f"about {n}"} for n in more["inputs"]]
    return {**step, **more}
