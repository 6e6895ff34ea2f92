"""A small Hugging Face hub: what `list_models`, `model_info`, `auth_check` and overviews ask, and config.json."""

from simulator.hub.api import Hub

__all__ = ["Hub"]
