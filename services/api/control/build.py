"""What the control API is made of, besides what its routes ask of the rooms below."""

from dataclasses import dataclass

from nats.aio.client import Client

from services.api.admission.launch_rights import LaunchRights
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.hub.search import HubSearch
from services.api.control.model_search import ModelSearch
from services.api.control.reconciliation import Reconciliation
from services.api.control.repository import InstanceRepository
from services.api.control.settings import ControlSettings
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class ControlServices:
    instances: InstanceRepository
    model_search: ModelSearch
    reconciliation: Reconciliation


def control_services(
    connection: Client,
    pool: Pool,
    settings: ControlSettings,
    *,
    access: AccessCache,
    search: HubSearch,
    rights: LaunchRights,
) -> ControlServices:
    return ControlServices(
        InstanceRepository(pool),
        ModelSearch(access, search, rights),
        Reconciliation(connection, settings.reconcile_timeout_seconds),
    )
