"""What the control API is made of, besides what its routes ask of the rooms below."""

from dataclasses import dataclass

from nats.aio.client import Client

from services.api.admission.build import AdmissionServices
from services.api.catalogue.build import CatalogueServices
from services.api.control.deployments_shown import ShownDeployments
from services.api.control.model_search import ModelSearch
from services.api.control.reconciliation import Reconciliation
from services.api.control.repository import InstanceRepository
from services.api.control.settings import ControlSettings
from services.api.control.worker_logs import WorkerLogs
from services.api.estimates.estimates import Estimates
from shared.load_heard import HeardLoad
from shared.postgres.connection import Pool
from shared.worker_output import WorkerOutputs


@dataclass(frozen=True)
class ControlServices:
    instances: InstanceRepository
    model_search: ModelSearch
    reconciliation: Reconciliation
    worker_logs: WorkerLogs
    shown_deployments: ShownDeployments


def control_services(
    connection: Client,
    pool: Pool,
    settings: ControlSettings,
    *,
    catalogue: CatalogueServices,
    admission: AdmissionServices,
    estimates: Estimates,
    heard: HeardLoad,
) -> ControlServices:
    instances = InstanceRepository(pool)
    return ControlServices(
        instances,
        ModelSearch(catalogue.access, catalogue.search, admission.rights),
        Reconciliation(connection, settings.reconcile_timeout_seconds),
        WorkerLogs(
            connection,
            WorkerOutputs(connection.jetstream(), replicas=settings.stream_replicas),
            settings.worker_log_timeout_seconds,
        ),
        ShownDeployments(instances, estimates, heard, catalogue.access),
    )
