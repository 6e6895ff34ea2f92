"""A small Hugging Face hub: what `list_models`, `model_info`, `auth_check` and overviews ask, for a few models."""

from simulator.hub.api import Hub

__all__ = ["Hub"]
