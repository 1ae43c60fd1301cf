"""End users: for whom runs are made."""

import pytest
from pydantic import ValidationError

from portia_nb import EndUser


def test_an_end_user_needs_an_id_only():
    user = EndUser(external_id="u-1")
    assert (user.name, user.email, user.phone_number, user.additional_data) == ("", "", "", {})
    with pytest.raises(ValidationError):
        EndUser(external_id="")


def test_additional_data_is_set_read_and_removed():
    user = EndUser(external_id="u-1", additional_data={"plan": "gold"})
    user.set_additional_data("city", "Oslo")
    assert user.get_additional_data("city") == "Oslo"
    user.remove_additional_data("plan")
    assert user.additional_data == {"city": "Oslo"}
    assert user.get_additional_data("plan") is None


def test_additional_data_is_text_and_only_what_is_there_can_be_removed():
    user = EndUser(external_id="u-1")
    with pytest.raises(ValidationError):
        user.set_additional_data("age", 7)  # type: ignore[arg-type]
    assert user.additional_data == {}
    with pytest.raises(KeyError):
        user.remove_additional_data("age")


def test_users_share_no_data():
    EndUser(external_id="u-1").set_additional_data("a", "b")
    assert EndUser(external_id="u-2").additional_data == {}


def test_an_end_user_goes_to_json_and_back():
    user = EndUser(external_id="u-1", name="Ada", additional_data={"a": "b"})
    assert EndUser.model_validate_json(user.model_dump_json()) == user
