"""What admission is made of."""

from dataclasses import dataclass

from services.api.admission.deployment_intake import DeploymentIntake
from services.api.admission.deployment_intents import DeploymentIntents
from services.api.admission.fitting import Fitting
from services.api.admission.image_builds import ImageBuilds
from services.api.admission.intake import Intake
from services.api.admission.intents import Intents
from services.api.admission.launch_rights import LaunchRights
from services.api.admission.launches import Launches
from services.api.admission.new_models import NewModels
from services.api.admission.read_your_writes import ReadYourWrites
from services.api.admission.replica_launches import ReplicaLaunches
from services.api.admission.settings import AdmissionSettings
from services.api.admission.spending_limits import LimitChecks
from services.api.admission.stores import Stores
from services.api.catalogue.build import CatalogueServices
from services.api.records.place import ProcessPlace
from services.api.tenancy.build import TenancyServices
from services.api.usage.build import UsageServices
from shared.journal.deployments import DeploymentJournal
from shared.journal.journal import Journal
from shared.offers.instance_types import InstanceTypes
from shared.offers.provider_status import ProviderStatuses
from shared.store_space import StoreSpace


@dataclass(frozen=True)
class AdmissionServices:
    intents: Intents
    fitting: Fitting
    launches: Launches
    limits: LimitChecks
    rights: LaunchRights
    new_models: NewModels
    deployments: DeploymentIntents
    replica_launches: ReplicaLaunches
    image_builds: ImageBuilds


def admission_services(  # noqa: PLR0913 - each is a part that admission needs
    settings: AdmissionSettings,
    *,
    journal: Journal,
    deployments: DeploymentJournal,
    read_your_writes: ReadYourWrites,
    tenancy: TenancyServices,
    catalogue: CatalogueServices,
    usage: UsageServices,
    instance_types: InstanceTypes,
    statuses: ProviderStatuses,
    space: StoreSpace,
    place: ProcessPlace,
) -> AdmissionServices:
    access = catalogue.access
    rights = LaunchRights(access, settings.allowed_images)
    launches = Launches(access, tenancy.organizations, usage.costs, place)
    stores = Stores(space, patience_s=settings.journal_timeout_seconds)
    intake = Intake(
        cataloguing=catalogue.cataloguing,
        instance_types=instance_types,
        statuses=statuses,
        rights=rights,
        simulated=catalogue.simulated,
        image_versions=catalogue.image_versions,
        stores=stores,
    )
    intents = Intents(journal, read_your_writes, intake, launches, stores)
    deployment_intake = DeploymentIntake(intake, access)
    return AdmissionServices(
        intents,
        Fitting(intake),
        launches,
        LimitChecks(access, usage.costs, launches, instance_types, journal),
        rights,
        NewModels(catalogue.cataloguing),
        DeploymentIntents(deployments, read_your_writes, deployment_intake, launches, stores),
        ReplicaLaunches(deployments, journal, intents, access, stores),
        ImageBuilds(journal, read_your_writes, intake, launches, stores),
    )
