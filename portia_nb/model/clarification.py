"""Questions that a run puts to a person, one class a kind, told apart in JSON by `category`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from portia_nb.errors import InvalidAnswer
from portia_nb.model.answer_shape import read_shaped, read_yes_no
from portia_nb.model.ids import ClarificationUUID, PlanRunUUID


class ClarificationCategory(StrEnum):
    """Kinds of question; the values are those of the reference's JSON."""

    ACTION = "Action"
    INPUT = "Input"
    MULTIPLE_CHOICE = "Multiple Choice"
    VALUE_CONFIRMATION = "Value Confirmation"
    USER_VERIFICATION = "User Verification"
    CUSTOM = "Custom"


_EXTRAS = (
    "path",
    "call",
    "default",
    "expires_in_s",
    "expires_at",
    "answered_by",
    "answered_at",
    "subject",
    "chosen",
    "answer_schema",
)


class Clarification(BaseModel, frozen=True):
    """One question, and, once it is `resolved`, its answer.

    Tools make one of the subclasses and return it; the run fills in which run, step and tool it
    came from. Frozen: `answered` returns the answered copy.
    """

    model_config = ConfigDict(extra="forbid")

    id: ClarificationUUID = Field(default_factory=ClarificationUUID.new)
    plan_run_id: PlanRunUUID | None = None
    category: ClarificationCategory = ClarificationCategory.CUSTOM
    response: Any = None
    """The answer, None until there is one."""
    step: int | None = None
    """Index in the plan of the top-level step that asks."""
    user_guidance: str = ""
    """The question, in plain words."""
    resolved: bool = False
    source: str | None = None
    """Who asks: a tool, a step, or a hook."""
    path: str | None = None
    """Path of the step that asks, e.g. ``"each_city[2]/sky"``."""
    call: str | None = None
    """Of an agent's step: which of its calls asks."""
    default: Any = None
    """An answer to take where nobody can be asked; None: there is none."""
    expires_in_s: float | None = Field(default=None, gt=0)
    """Seconds within which it must be answered, from when it is put. Then its `default` is taken,
    and where it has none the run fails with `ClarificationExpired`. None: it may wait for ever."""
    expires_at: float | None = None
    """When that is, in seconds since the epoch; the run fills it in from `expires_in_s`."""
    answered_by: str | None = None
    """Who or what answered, e.g. ``form``, ``handler``, ``the caller``, ``default``, ``expiry``."""
    answered_at: float | None = None
    """When that was, in seconds since the epoch."""

    def check_answer(self, response: Any) -> Any:
        """Return `response` as the question needs it.

        Raises:
            InvalidAnswer: the question doesn't allow it; the message says what it allows.
        """
        return response

    def answered(self, response: Any) -> Self:
        """Return this question resolved by `response`.

        Raises:
            InvalidAnswer: as `check_answer`.
        """
        return self.model_copy(update={"response": self.check_answer(response), "resolved": True})

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        for name in _EXTRAS:
            if data.get(name) is None:
                data.pop(name, None)
        return data


class InputClarification(Clarification, frozen=True):
    """A value for an argument is missing.

    >>> InputClarification(argument_name="city", user_guidance="Which city?").category.value
    'Input'
    """

    category: Literal[ClarificationCategory.INPUT] = ClarificationCategory.INPUT
    argument_name: str = ""
    chosen: dict[str, Any] | None = None
    """Arguments of the same call that a model had chosen already; they're used with the answer."""
    answer_schema: dict[str, Any] | None = None
    """JSON schema of the answer, such as ``{"type": "integer"}``; None: any answer will do."""

    def check_answer(self, response: Any) -> Any:
        """Return `response` as the schema has it; text is read as the number, date or list meant.

        Raises:
            InvalidAnswer: it doesn't fit the schema.
        """
        return _in_shape(self, response, self.answer_schema)


class MultipleChoiceClarification(Clarification, frozen=True):
    """One of several values must be chosen.

    >>> q = MultipleChoiceClarification(user_guidance="?", options=["red", "blue"])
    >>> q.answered("green")
    Traceback (most recent call last):
        ...
    portia_nb.errors.InvalidAnswer: 'green' is not offered for '?': choose one of 'red', 'blue'
    """

    category: Literal[ClarificationCategory.MULTIPLE_CHOICE] = ClarificationCategory.MULTIPLE_CHOICE
    argument_name: str = ""
    options: tuple[Any, ...]
    chosen: dict[str, Any] | None = None
    """As in `InputClarification`."""

    def check_answer(self, response: Any) -> Any:
        """Return the option that `response` names; the text of an option names it too.

        Raises:
            InvalidAnswer: it names none.
        """
        for option in self.options:
            if type(option) is type(response) and option == response:
                return option
        for option in self.options:
            if isinstance(response, str) and str(option) == response:
                return option
        raise InvalidAnswer(
            f"{response!r} is not offered for {self.user_guidance!r}: choose one of "
            + ", ".join(repr(option) for option in self.options),
            clarification_id=self.id,
        )


class ActionClarification(Clarification, frozen=True):
    """The person must do something elsewhere, such as sign in at `action_url`."""

    category: Literal[ClarificationCategory.ACTION] = ClarificationCategory.ACTION
    action_url: str
    require_confirmation: bool = False
    """True: the person says when it is done."""

    @model_validator(mode="after")
    def _refuse_other_schemes(self) -> Self:
        # The address is shown as a link, and tools or models may have made it.
        if not self.action_url.lower().startswith(("https://", "http://")):
            raise ValueError(f"action_url must be an http(s) address, not {self.action_url!r:.120}")
        return self


def _read_yes_no(response: Any, guidance: str) -> bool:
    try:
        return read_yes_no(response)
    except ValueError:
        raise InvalidAnswer(
            f"{response!r} is neither yes nor no, and {guidance!r} needs one of them"
        ) from None


class ValueConfirmationClarification(Clarification, frozen=True):
    """The person confirms the value of an argument, or refuses it."""

    category: Literal[ClarificationCategory.VALUE_CONFIRMATION] = (
        ClarificationCategory.VALUE_CONFIRMATION
    )
    argument_name: str = ""

    def check_answer(self, response: Any) -> Any:
        """Return True or False; words such as ``"yes"`` are read.

        Raises:
            InvalidAnswer: it is neither yes nor no.
        """
        return _read_yes_no(response, self.user_guidance)


class UserVerificationClarification(Clarification, frozen=True):
    """The person lets the run go on, or stops it."""

    category: Literal[ClarificationCategory.USER_VERIFICATION] = (
        ClarificationCategory.USER_VERIFICATION
    )
    subject: dict[str, Any] | None = None
    """For the approval of a call: ``tool_id``, exact ``arguments``, and the ``sha256`` of both."""

    @property
    def user_confirmed(self) -> bool:
        """True once the answer was yes."""
        return self.resolved and self.response is True

    def check_answer(self, response: Any) -> Any:
        """Return True or False; words such as ``"no"`` are read, so a written no never approves.

        Raises:
            InvalidAnswer: it is neither yes nor no.
        """
        return _read_yes_no(response, self.user_guidance)

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = Clarification._print(self, handler)  # type: ignore[operator]
        return {**data, "user_confirmed": self.user_confirmed}

    @model_validator(mode="before")
    @classmethod
    def _forget_derived(cls, data: Any) -> Any:
        if isinstance(data, dict) and "user_confirmed" in data:
            return {key: value for key, value in data.items() if key != "user_confirmed"}
        return data


class CustomClarification(Clarification, frozen=True):
    """A question of a kind that only its asker and its handler know."""

    category: Literal[ClarificationCategory.CUSTOM] = ClarificationCategory.CUSTOM
    name: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    answer_schema: dict[str, Any] | None = None
    """As in `InputClarification`."""

    def check_answer(self, response: Any) -> Any:
        """Return `response` as the schema has it, as `InputClarification` does.

        Raises:
            InvalidAnswer: it doesn't fit the schema.
        """
        return _in_shape(self, response, self.answer_schema)


def _in_shape(asked: Clarification, response: Any, schema: dict[str, Any] | None) -> Any:
    if schema is None:
        return response
    try:
        return read_shaped(response, schema)
    except ValueError as error:
        raise InvalidAnswer(str(error), clarification_id=asked.id) from None


AnyClarification = Annotated[
    InputClarification
    | MultipleChoiceClarification
    | ActionClarification
    | ValueConfirmationClarification
    | UserVerificationClarification
    | CustomClarification,
    Discriminator("category"),
]
"""A clarification read from JSON as the class that its category names."""

ClarificationListType = list[AnyClarification]
ClarificationType = ClarificationCategory

_adapter: TypeAdapter[Clarification] = TypeAdapter(AnyClarification)


def read_clarification(data: Any) -> Clarification:
    """Read a clarification's JSON as the class that its category names.

    Raises:
        pydantic.ValidationError: `data` is no clarification.
    """
    return _adapter.validate_python(data)
