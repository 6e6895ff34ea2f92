"""Which real providers are configured here; where none is, the cloud is simulated."""

import os
from collections.abc import Mapping

from services.provisioner.providers.registry import PROVIDERS, configured


def providers() -> frozenset[str]:
    """As requests name them."""
    return frozenset(registration.name for registration in configured())


def names() -> str:
    """What is configured, for people; empty when nothing is."""
    return " and ".join(registration.title(os.environ) for registration in configured())


def variables_in_words(before: str, between: str) -> str:
    """What one sets for a provider, of all that there are: `before` each of them, and `between` two."""
    return between.join(f"{before}{registration.in_words}" for registration in PROVIDERS)


def none_of_them() -> Mapping[str, str]:
    """An environment in which no provider is configured, whatever is so here."""
    return {variable: "" for registration in PROVIDERS for variable in registration.variables}
