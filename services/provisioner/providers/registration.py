"""What everything but its own package knows of a provider."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

from pydantic_settings import BaseSettings

from services.provisioner.provider import Provider
from shared.machine import Shell

MakeProvider = Callable[[UUID], AbstractAsyncContextManager[Provider]]
"""From the installation's id, which every resource bears as a tag."""


@dataclass(frozen=True)
class ProviderContext:
    """What the provisioner gives each provider: within how many seconds a call has to end, and a shell to machines."""

    call_timeout_s: float
    shell: Shell


@dataclass(frozen=True)
class Registration:
    """A provider that is configured when one of `variables` is set, and then reads `settings`.

    `name` is what requests call it. `title` says for people what is configured, from the environment; `in_words` names
    its variables, and `needed` all that it needs and whose they are.
    `make` reads the settings, and raises SettingsInvalid.
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
