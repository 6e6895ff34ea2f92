"""What the control API reads from the environment."""

from pydantic import PositiveFloat

from shared.settings import ServiceSettings


class ControlSettings(ServiceSettings):
    reconcile_timeout_seconds: PositiveFloat = 120.0
