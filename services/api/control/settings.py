"""The settings of the control API."""

from pydantic import PositiveFloat

from shared.settings import ServiceSettings


class ControlSettings(ServiceSettings):
    reconcile_timeout_seconds: PositiveFloat = 120.0
    worker_log_timeout_seconds: PositiveFloat = 15.0
