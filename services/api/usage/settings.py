"""The settings of the usage log."""

from pydantic import Field, PositiveFloat

from shared.settings import ServiceSettings


class UsageSettings(ServiceSettings):
    usage_write_seconds: PositiveFloat = 1.0
    usage_retention_days: int = Field(default=400, gt=0)
