"""The settings of estimates."""

from pydantic import Field, PositiveFloat

from shared.settings import ServiceSettings


class EstimateSettings(ServiceSettings):
    """`eta_refresh_seconds`: how often past launches are read again."""

    eta_refresh_seconds: PositiveFloat = 60.0
    eta_launches: int = Field(default=1_000, gt=0, description="of the newest past launches, for estimates")
