"""What the control API is made of, besides what its routes ask of the rooms below."""

from dataclasses import dataclass

from nats.aio.client import Client

from services.api.admission.build import AdmissionServices
from services.api.catalogue.build import CatalogueServices
from services.api.control.model_search import ModelSearch
from services.api.control.reconciliation import Reconciliation
from services.api.control.repository import InstanceRepository
from services.api.control.settings import ControlSettings
from services.api.control.worker_logs import WorkerLogs
from shared.postgres.connection import Pool
from shared.worker_output import WorkerOutputs


@dataclass(frozen=True)
class ControlServices:
    instances: InstanceRepository
    model_search: ModelSearch
    reconciliation: Reconciliation
    worker_logs: WorkerLogs


def control_services(
    connection: Client,
    pool: Pool,
    settings: ControlSettings,
    *,
    catalogue: CatalogueServices,
    admission: AdmissionServices,
) -> ControlServices:
    return ControlServices(
        InstanceRepository(pool),
        ModelSearch(catalogue.access, catalogue.search, admission.rights),
        Reconciliation(connection, settings.reconcile_timeout_seconds),
        WorkerLogs(
            connection,
            WorkerOutputs(connection.jetstream(), replicas=settings.stream_replicas),
            settings.worker_log_timeout_seconds,
        ),
    )
