"""Questions in a plan: the builder's steps that ask a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from portia_nb.model.plan import UserInputStep, UserVerifyStep, text_argument
from portia_nb.model.reference import StepOutput, to_argument

from .flow import FlowBuilder, StepRef
from .given import answer_schema, json_only


class QuestionBuilder(FlowBuilder):
    """The calls of `PlanBuilderV2` that ask a person; a `message` may hold references.

    >>> from portia_nb import PlanBuilderV2
    >>> plan = (
    ...     PlanBuilderV2("Book a table")
    ...     .user_input(message="For how many?", answer_type=int, step_name="guests")
    ...     .user_verify(message="Shall it be booked?", step_name="sure")
    ...     .build()
    ... )
    >>> [step.kind for step in plan.steps]
    ['user_input', 'user_verify']
    """

    def user_verify(
        self,
        *,
        message: str,
        step_name: str | None = None,
        default: bool | None = None,
        expires_in_s: float | None = None,
        after: Sequence[StepRef] = (),
    ) -> Self:
        """Ask yes or no; no ends the run as FAILED.

        `default` is the answer to take where nobody can be asked; None: the run waits. After
        `expires_in_s` seconds it is taken too, and where there is none the run fails.
        """
        common = self._common(step_name)
        shown, _ = text_argument(question := to_argument(message))
        step = UserVerifyStep(
            **common, task=shown, message=question, default=default, expires_in_s=expires_in_s
        )
        return self._add(step, after)

    def user_input(
        self,
        *,
        message: str,
        options: Sequence[Any] | StepOutput | None = None,
        step_name: str | None = None,
        answer_type: Any = None,
        default: Any = None,
        expires_in_s: float | None = None,
        after: Sequence[StepRef] = (),
    ) -> Self:
        """Ask for text, or for one of `options`; the answer is the step's output.

        `options` is a list, or a reference to one. `answer_type` is what the answer must be: a type
        such as ``int``, ``bool``, ``datetime.date`` or ``list[str]``, a pydantic model, or a JSON
        schema; the form has a fitting field, and dates stay ISO text. `default` is the answer to
        take where nobody can be asked; None: the run waits. After `expires_in_s` seconds it is
        taken too, and where there is none the run fails.
        """
        common = self._common(step_name)
        shown, _ = text_argument(question := to_argument(message))
        schema = answer_schema(answer_type, default, has_options=options is not None)
        if schema is not None and isinstance(schema.get("enum"), list):
            options, schema = schema["enum"], None
        choices = options if options is None or isinstance(options, StepOutput) else list(options)
        step = UserInputStep(
            **common,
            task=shown,
            message=question,
            options=None if choices is None else to_argument(choices),
            answer_schema=schema,
            default=json_only(default, "a question's default"),
            expires_in_s=expires_in_s,
        )
        return self._add(step, after)
