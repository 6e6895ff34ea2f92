"""The catalogue's settings."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat
from pydantic_settings import NoDecode, SettingsConfigDict

from services.api.access.settings import AccessSettings
from shared.settings import WithHub, words
from shared.weights_mirror.settings import WithWeightsMirror


class CatalogueSettings(AccessSettings, WithHub, WithWeightsMirror):
    """`simulated`: what is simulated, `cloud`, `hub` or both; shown to users.

    `hub_search_timeout_seconds`: how long a search for models waits for the hub.
    """

    model_config = SettingsConfigDict(populate_by_name=True)

    simulated: Annotated[tuple[Literal["cloud", "hub"], ...], NoDecode, BeforeValidator(words)] = Field(
        default=(), examples=["cloud, hub, or both, as cloud,hub"]
    )

    hub_timeout_seconds: PositiveFloat = 10.0
    hub_cache_seconds: PositiveFloat = 600.0
    hub_search_timeout_seconds: PositiveFloat = 4.0
    hub_search_cache_seconds: PositiveFloat = 60.0
