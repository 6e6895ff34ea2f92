"""The adapter's settings: Scaleway's own variables, and two of ours."""

from typing import Final
from uuid import UUID

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import HttpUrl

GPU_ZONES: Final = ("fr-par-2", "pl-waw-2", "fr-par-1")
"""Zones in which Scaleway rents GPUs; its documentation's page "Product availability" (December 2025)."""
GPU_IMAGE: Final = "ubuntu_noble_gpu_os_13_nvidia"
"""The marketplace's label for "Ubuntu Noble GPU OS 13": Ubuntu 24.04 with NVIDIA's driver and Docker."""
ZONE: Final = r"^[a-z]{2}-[a-z]{3}-[1-9]$"


class ScalewaySettings(BaseSettings):
    """`access_key` to `api_url` are variables that every Scaleway tool reads; `zones` and `image` are ours."""

    model_config = SettingsConfigDict(
        env_prefix="SCW_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    access_key: str = Field(
        pattern=r"^SCW[A-Z0-9]{17}$", examples=["SCW and 17 capital letters or digits, as Scaleway's console shows it"]
    )
    secret_key: SecretStr = Field(examples=["the secret of that key, which is a UUID"])
    default_project_id: UUID
    default_organization_id: UUID | None = None
    """Only to read the organisation's quotas, if the key may not read its project."""
    default_zone: str = Field(default=GPU_ZONES[0], pattern=ZONE, examples=["a zone such as fr-par-2"])
    api_url: HttpUrl = "https://api.scaleway.com"

    zones: tuple[str, ...] = Field(default=GPU_ZONES, validation_alias="COLDSTART_SCALEWAY_ZONES")
    """A JSON list. A removed zone hides what is still rented in it: release that first."""
    image: str = Field(default=GPU_IMAGE, validation_alias="COLDSTART_SCALEWAY_IMAGE")
    """The image that servers boot: a marketplace label, or the id of an image (which exists in one zone only)."""

    @field_validator("secret_key")
    @classmethod
    def _is_a_uuid(cls, key: SecretStr) -> SecretStr:
        try:
            UUID(key.get_secret_value())
        except ValueError:
            raise ValueError("a secret key is a UUID") from None
        return key

    @field_validator("api_url")
    @classmethod
    def _without_trailing_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @property
    def zones_in_order(self) -> tuple[str, ...]:
        """The default zone first, each once."""
        return tuple(dict.fromkeys((self.default_zone, *self.zones)))
