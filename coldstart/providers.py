"""The real providers that are configured here; without any, the cloud is simulated."""

import os
from collections.abc import Mapping

from services.provisioner.providers.registry import PROVIDERS, configured


def providers() -> frozenset[str]:
    """Their names in requests."""
    return frozenset(registration.name for registration in configured())


def names() -> str:
    """What is configured, for people; empty if nothing is."""
    return " and ".join(registration.title(os.environ) for registration in configured())


def variables_in_words(before: str, between: str) -> str:
    """The variables of all providers, for a sentence: `before` each provider's, and `between` two."""
    return between.join(f"{before}{registration.in_words}" for registration in PROVIDERS)


def none_of_them() -> Mapping[str, str]:
    """An environment in which no provider is configured."""
    return {variable: "" for registration in PROVIDERS for variable in registration.variables}
