"""For whom a run is made: a person who uses what somebody built with portia_nb."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EndUser(BaseModel):
    """A person for whom runs are made, as the program that serves them knows them.

    Tools see it as ``ctx.end_user``, and runs keep it.

    >>> ada = EndUser(external_id="u-1", name="Ada")
    >>> ada.set_additional_data("city", "London")
    >>> ada.get_additional_data("city"), ada.get_additional_data("country")
    ('London', None)
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    external_id: str = Field(min_length=1)
    """The id that the program itself has for them."""
    name: str = ""
    email: str = ""
    phone_number: str = ""
    additional_data: dict[str, str] = Field(default_factory=dict)
    """Whatever else tools should know of them: text by name."""

    def set_additional_data(self, key_name: str, key_value: str) -> None:
        """Put `key_value` under `key_name`, in the place of what was there.

        Raises:
            pydantic.ValidationError: one of the two isn't text.
        """
        # Assigned anew, so that the pair is checked.
        self.additional_data = {**self.additional_data, key_name: key_value}

    def get_additional_data(self, key_name: str) -> str | None:
        """Return what stands under `key_name`, None where nothing does."""
        return self.additional_data.get(key_name)

    def remove_additional_data(self, key_name: str) -> None:
        """Take `key_name` away.

        Raises:
            KeyError: nothing stands under it.
        """
        kept = dict(self.additional_data)
        del kept[key_name]
        self.additional_data = kept
