"""End users as runs know them: from what a caller gives, to the journal, and back."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from portia_nb.model.end_user import EndUser

NOBODY = "portia:default_user"
"""Id of the end user that tools see where a run is made for nobody in particular."""


def read_end_user(given: Any) -> EndUser:
    """Return the end user that a caller gives: one, the id of one, or None for nobody.

    Raises:
        TypeError: it is something else.

    >>> read_end_user("ada").external_id, read_end_user(None).external_id
    ('ada', 'portia:default_user')
    """
    if isinstance(given, EndUser):
        return given
    if given is None or given == "":
        return EndUser(external_id=NOBODY)
    if isinstance(given, str):
        return EndUser(external_id=given)
    raise TypeError(f"end_user is an EndUser or the id of one, not a {type(given).__name__}")


def end_user_to_json(user: EndUser) -> tuple[str | None, dict[str, Any] | None]:
    """Return an end user's id and all else that is known of them, each None where there is none."""
    known = user.model_dump(mode="json", exclude={"external_id"}, exclude_defaults=True)
    return (user.external_id if user.external_id != NOBODY or known else None), known or None


def kept_end_user(external_id: str | None, data: dict[str, Any] | None) -> EndUser:
    """Return the end user of a kept run; what a later version knew of them besides is left out."""
    if not external_id:
        return EndUser(external_id=NOBODY)
    known = {name: value for name, value in (data or {}).items() if name in EndUser.model_fields}
    try:
        return EndUser.model_validate({**known, "external_id": external_id})
    except ValidationError:
        return EndUser(external_id=external_id)
