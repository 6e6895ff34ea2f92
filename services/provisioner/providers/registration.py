"""What the rest of the program knows of a provider."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

from pydantic_settings import BaseSettings

from services.provisioner.provider import Provider
from shared.machine import Shell

MakeProvider = Callable[[UUID], AbstractAsyncContextManager[Provider]]
"""Takes the installation's id, with which every resource is tagged."""


@dataclass(frozen=True)
class ProviderContext:
    """What the provisioner gives each provider: the time limit of a call in seconds, and a shell to machines."""

    call_timeout_s: float
    shell: Shell


@dataclass(frozen=True)
class Registration:
    """A provider is configured if one of `variables` is set, and then reads `settings`.

    `name` is its name in requests. `title` tells people what is configured, from the environment; `in_words` names its
    variables, and `needed` everything that it needs and to whom it belongs.
    `make` reads the settings and raises SettingsInvalid.
    """

    name: str
    variables: tuple[str, ...]
    settings: type[BaseSettings]
    title: Callable[[Mapping[str, str]], str]
    in_words: str
    needed: str
    make: Callable[[ProviderContext], MakeProvider]

    def configured(self, environment: Mapping[str, str]) -> bool:
        """An empty variable counts as absent."""
        return any(environment.get(variable) for variable in self.variables)
