"""A small Hugging Face hub: what `list_models`, `model_info` and `auth_check` ask, for a handful of models."""

from simulator.hub.api import Hub

__all__ = ["Hub"]
