"""The settings of admission."""

from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveFloat

from shared.settings import WithHub
from shared.store_space import Store, Threshold, Thresholds


class AdmissionSettings(WithHub):
    """`limits_check_seconds`: how often spending limits are checked."""

    projection_wait_seconds: PositiveFloat = 0.5
    journal_timeout_seconds: PositiveFloat = 5.0
    limits_check_seconds: PositiveFloat = 60.0

    store_folders: dict[Store, Path] = Field(default={}, examples=['JSON such as {"nats": "/data/nats"}'])
    """Where NATS and PostgreSQL store, as this process sees it."""
    low_space_bytes: NonNegativeInt = 5_000_000_000
    low_space_share: float = Field(default=0.1, ge=0, le=1)
    reserved_space_bytes: NonNegativeInt = 1_000_000_000
    reserved_space_share: float = Field(default=0.02, ge=0, le=1)

    @property
    def space(self) -> Thresholds:
        return Thresholds(
            low=Threshold(self.low_space_bytes, self.low_space_share),
            reserved=Threshold(self.reserved_space_bytes, self.reserved_space_share),
        )
