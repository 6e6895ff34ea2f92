"""Every `COLDSTART_` variable that anything here reads: `python -m coldstart.variables > shared/variables.txt`."""

import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from pydantic_settings import BaseSettings

from coldstart.client_settings import ClientSettings
from coldstart.settings import BackupSettings, MirrorSettings, StackSettings
from services.api.settings import ApiSettings
from services.health.settings import HealthSettings
from services.progress.settings import ProgressSettings
from services.provisioner.providers.registry import PROVIDERS
from services.provisioner.settings import ProvisionerSettings
from services.scaler.settings import ScalerSettings
from services.webhooks.settings import WebhooksSettings
from shared.environment import variables
from shared.variables import PREFIX

_ALL: Final[tuple[type[BaseSettings], ...]] = (
    *(StackSettings, BackupSettings, MirrorSettings),
    *(ApiSettings, HealthSettings, ProgressSettings, ProvisionerSettings, ScalerSettings, WebhooksSettings),
    *(registration.settings for registration in PROVIDERS),
)


def every() -> Iterator[str]:
    """In the order of the alphabet."""
    named = {name for kind in _ALL for field in kind.model_fields for name in variables(kind, field)}
    named |= {f"{PREFIX}{field.name.upper()}" for field in fields(ClientSettings)}
    yield from sorted(name for name in named if name.startswith(PREFIX))


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\n" for name in every()))
