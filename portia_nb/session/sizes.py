"""How long texts and values are in tokens: counted where they are known, assumed where not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from portia_nb.model.language import Message
from portia_nb.model.plain import to_plain_json
from portia_nb.model.plan import Condition, LoopStep, PlanInput
from portia_nb.model.reference import (
    Argument,
    DictOf,
    Input,
    ListOf,
    Parts,
    StepOutput,
    Value,
    references,
)
from portia_nb.running.prompts import judge

CHARACTERS_A_TOKEN = 4
TEXT_TOKENS = 300
"""What a model writes for a step."""
DATA_TOKENS = 150
"""What a model writes where data in a shape is wanted."""
ARGUMENT_TOKENS = 60
"""What a model writes to choose a tool's arguments."""
JUDGEMENT_TOKENS = 10
SUMMARY_TOKENS = 120
TOOL_OUTPUT_TOKENS = 400
INPUT_TOKENS = 50
"""An input of the plan without a default."""
TOOL_SPEC_TOKENS = 150
"""A tool that isn't known here."""
ROUNDS = 5
"""Rounds of a loop whose number isn't written in the plan."""
AGENT_CALLS = 4
"""Tool calls of a ReAct agent, each with a model call of its own."""


def tokens(text: str) -> int:
    """Return about how many tokens `text` is: characters outside of ASCII count as one each.

    >>> tokens("Say hello"), tokens("你好")
    (3, 2)
    """
    plain = sum(1 for character in text if character.isascii())
    return -(-plain // CHARACTERS_A_TOKEN) + len(text) - plain


def sent_tokens(messages: Sequence[Message]) -> int:
    """Return how long the text of a conversation is."""
    return sum(tokens(message.content) for message in messages)


def sizes_of_inputs(inputs: Sequence[PlanInput]) -> dict[str, int]:
    """Return how long each input of a plan is, by its name without ``$``."""
    return {
        given.name.removeprefix("$"): INPUT_TOKENS
        if given.value is None
        else literal_size(given.value)
        for given in inputs
    }


def literal_size(value: Any) -> int:
    """Return how long a value is as a model sees it."""
    return tokens(value if isinstance(value, str) else json.dumps(to_plain_json(value)))


def size_of(argument: Argument, sizes: Mapping[str, int]) -> int:
    """Return about how long an argument is, once what it refers to is there."""
    match argument:
        case Value(value):
            return literal_size(value)
        case StepOutput(step=name):
            return sizes.get(str(name), TOOL_OUTPUT_TOKENS)
        case Input(name=name):
            return sizes.get(name, INPUT_TOKENS)
        case Parts() | ListOf() | DictOf():
            return 10 + sum(size_of(reference, sizes) for reference in references(argument))


def judged_tokens(condition: Condition, sizes: Mapping[str, int]) -> int:
    """Return how long the question is that a model judges."""
    given = sum(size_of(argument, sizes) for argument in condition.args.values())
    return sent_tokens(judge.judge_messages(condition.text(), {})) + given


def rounds_of(step: LoopStep) -> tuple[int, bool]:
    """Return how many rounds a loop takes, and whether the plan says so."""
    match step.over:
        case Value(value) if isinstance(value, list | tuple):
            return len(value), True  # pyright: ignore[reportUnknownArgumentType]
        case ListOf(items):
            return len(items), True
        case _:
            return min(ROUNDS, step.max_iterations), False
