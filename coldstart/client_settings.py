"""Settings of the commands that use an api. Read without pydantic, so that these commands start fast."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coldstart.places import data_dir
from shared.urls import HTTP, HTTP_EXAMPLE, checked_url
from shared.variables import PREFIX, SettingsInvalid


@dataclass(frozen=True)
class ClientSettings:
    """Default: the stack that runs in `data_dir`, with its admin key."""

    data_dir: Path = field(default_factory=data_dir)
    api_url: str | None = None
    api_key: str | None = field(default=None, repr=False)


def client_settings(environment: Mapping[str, str] = os.environ) -> ClientSettings:
    """A variable that is empty is not set. Raises SettingsInvalid."""
    api_url, api_key = environment.get(f"{PREFIX}API_URL"), environment.get(f"{PREFIX}API_KEY")
    if api_url:
        try:
            checked_url(api_url, HTTP)
        except ValueError:
            shown = "" if "@" in api_url else f", not {api_url!r}"
            raise SettingsInvalid(f"{PREFIX}API_URL takes {HTTP_EXAMPLE}{shown}.") from None
    return ClientSettings(data_dir(environment), api_url or None, api_key or None)
