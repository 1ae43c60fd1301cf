"""The models that a `Config` hands out, for people to ask themselves."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .models import Purpose

if TYPE_CHECKING:
    from portia_nb.llm.generative import GenerativeModel


class HandsOutModels:
    """The calls of `Config` that return a model.

    Each returns a model with `get_response`, `get_structured_response` and their async twins.
    Nothing is opened, and no key is needed, before it is asked; each has connections of its own.
    What it is asked belongs to no run, so no run counts it.
    """

    default_model: Any

    def model_for(self, purpose: Purpose) -> Any:
        """Return the model that is set for `purpose`, else the default one, else None."""
        raise NotImplementedError

    def get_default_model(self) -> GenerativeModel:
        """Return the default model; see `get_generative_model`."""
        return self.get_generative_model(self.default_model)

    def get_planning_model(self) -> GenerativeModel:
        """Return the model that plans; see `get_generative_model`."""
        return self._for("planning")

    def get_execution_model(self) -> GenerativeModel:
        """Return the model that does steps; see `get_generative_model`."""
        return self._for("execution")

    def get_introspection_model(self) -> GenerativeModel:
        """Return the model that judges conditions; see `get_generative_model`."""
        return self._for("introspection")

    def get_summarizer_model(self) -> GenerativeModel:
        """Return the model that writes summaries; see `get_generative_model`."""
        return self._for("summary")

    def get_generative_model(self, model: Any = None) -> GenerativeModel:
        """Return a model to be asked by hand.

        Args:
            model: ``"provider/name"``, any model, or None for the provider's own choice.

        Raises:
            InvalidConfigError: the name holds no provider that is known, or it is no model.
            ConfigNotFoundError: the provider needs an address and has none.
        """
        return self._ready(model, "execution")

    def _for(self, purpose: Purpose) -> GenerativeModel:
        return self._ready(self.model_for(purpose), purpose)

    def _ready(self, model: Any, purpose: Purpose) -> GenerativeModel:
        # By name: settings stand below all that asks models, and only this habit of the reference's
        # leads up from here (docs/decisions/config-hands-out-models.md).
        return import_module("portia_nb.session.generative").model_of(self, model, purpose)
