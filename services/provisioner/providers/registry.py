"""All providers. Only this file names them: a new one is a package beside it, and a line here."""

import os
from collections.abc import Mapping
from typing import Final

from services.provisioner.providers import machines, scaleway
from services.provisioner.providers.registration import Registration

PROVIDERS: Final[tuple[Registration, ...]] = (
    scaleway.REGISTRATION,
    machines.REGISTRATION,
)


def configured(environment: Mapping[str, str] = os.environ) -> tuple[Registration, ...]:
    return tuple(registration for registration in PROVIDERS if registration.configured(environment))
