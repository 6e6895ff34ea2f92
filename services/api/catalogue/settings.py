"""What the catalogue reads from the environment."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat
from pydantic_settings import NoDecode, SettingsConfigDict

from services.api.access.settings import AccessSettings
from shared.settings import HttpUrl, WithHub


def _words(value: Any) -> Any:
    """As `cloud,hub`: whoever exports it writes no JSON."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


class CatalogueSettings(AccessSettings, WithHub):
    """`simulated`: what of cloud and hub is simulated, for its users to be told.

    `hub_search_timeout_seconds`: for how long somebody who searches for a model waits for the hub's part of the answer.
    """

    model_config = SettingsConfigDict(populate_by_name=True)

    simulated: Annotated[tuple[Literal["cloud", "hub"], ...], NoDecode, BeforeValidator(_words)] = Field(
        default=(), examples=["cloud, hub, or both, as cloud,hub"]
    )

    hf_endpoint: HttpUrl = Field(default="https://huggingface.co", validation_alias="HF_ENDPOINT")
    hub_timeout_seconds: PositiveFloat = 10.0
    hub_cache_seconds: PositiveFloat = 600.0
    hub_search_timeout_seconds: PositiveFloat = 4.0
    hub_search_cache_seconds: PositiveFloat = 60.0
