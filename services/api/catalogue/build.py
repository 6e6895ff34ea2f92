"""What the catalogue is made of, and the cache that it shares with access and tenancy."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.cataloguing import Cataloguing
from services.api.catalogue.hub.cache import HubCache
from services.api.catalogue.hub.client import Hub, Lookups
from services.api.catalogue.hub.connections import use_proxies_by_address
from services.api.catalogue.hub.search import HubSearch
from services.api.catalogue.image_versions import ImageVersionRepository
from services.api.catalogue.repository import ModelRepository
from services.api.catalogue.settings import CatalogueSettings
from services.api.catalogue.simulated import Simulated
from services.api.catalogue.slugs import Slugs
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class CatalogueServices:
    access: AccessCache
    models: ModelRepository
    cataloguing: Cataloguing
    slugs: Slugs
    simulated: Simulated
    search: HubSearch
    image_versions: ImageVersionRepository


async def loaded_access_cache(pool: Pool, settings: CatalogueSettings, on_projected: Callable[[], None]) -> AccessCache:
    access = AccessCache(
        settings.database_url,
        pool,
        admin_key=settings.admin_key,
        refresh_s=settings.refresh_seconds,
        timeout_s=settings.database_timeout_seconds,
        on_projected=on_projected,
    )
    await access.load()
    return access


@contextmanager
def catalogue_services(pool: Pool, access: AccessCache, settings: CatalogueSettings) -> Generator[CatalogueServices]:
    """Whoever still waits for the hub when the block ends is cancelled."""
    use_proxies_by_address()
    hub = Hub(settings.hf_endpoint, settings.hf_token, settings.hub_timeout_seconds)
    stack = ExitStack()
    lookups = HubCache(_mirrored(hub, settings, stack), settings.hub_cache_seconds)
    search = HubSearch(
        settings.hf_endpoint,
        settings.hf_token,
        timeout_s=settings.hub_search_timeout_seconds,
        kept_s=settings.hub_search_cache_seconds,
    )
    models, simulated = ModelRepository(pool), Simulated(settings.simulated, hub.models)
    try:
        yield CatalogueServices(
            access,
            models,
            Cataloguing(access, models, lookups, simulated),
            Slugs(access, hub),
            simulated,
            search,
            ImageVersionRepository(pool),
        )
    finally:
        search.close()
        lookups.close()
        stack.close()
        hub.close()


def _mirrored(hub: Hub, settings: CatalogueSettings, stack: ExitStack) -> Lookups:
    if settings.mirror is None:
        return hub
    from services.api.catalogue.hub.mirrored import Mirrored  # noqa: PLC0415  its client takes 20 MB

    mirrored = Mirrored(hub, settings.mirror, timeout_s=settings.hub_timeout_seconds)
    stack.callback(mirrored.close)
    return mirrored
