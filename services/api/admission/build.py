"""What admission is made of."""

from dataclasses import dataclass

from services.api.admission.fitting import Fitting
from services.api.admission.intake import Intake
from services.api.admission.intents import Intents
from services.api.admission.launch_rights import LaunchRights
from services.api.admission.launches import Launches
from services.api.admission.new_models import NewModels
from services.api.admission.read_your_writes import ReadYourWrites
from services.api.admission.settings import AdmissionSettings
from services.api.admission.spending_limits import LimitChecks
from services.api.catalogue.build import CatalogueServices
from services.api.tenancy.build import TenancyServices
from services.api.usage.build import UsageServices
from shared.journal.journal import Journal
from shared.offers.instance_types import InstanceTypes
from shared.offers.provider_status import ProviderStatuses


@dataclass(frozen=True)
class AdmissionServices:
    intents: Intents
    fitting: Fitting
    launches: Launches
    limits: LimitChecks
    rights: LaunchRights
    new_models: NewModels


def admission_services(
    settings: AdmissionSettings,
    *,
    journal: Journal,
    read_your_writes: ReadYourWrites,
    tenancy: TenancyServices,
    catalogue: CatalogueServices,
    usage: UsageServices,
    instance_types: InstanceTypes,
    statuses: ProviderStatuses,
) -> AdmissionServices:
    access = catalogue.access
    rights = LaunchRights(access, settings.allowed_images)
    launches = Launches(access, tenancy.organizations, usage.costs)
    intake = Intake(
        cataloguing=catalogue.cataloguing,
        instance_types=instance_types,
        statuses=statuses,
        rights=rights,
        simulated=catalogue.simulated,
        image_versions=catalogue.image_versions,
    )
    return AdmissionServices(
        Intents(journal, read_your_writes, intake, launches, settings.journal_timeout_seconds),
        Fitting(intake),
        launches,
        LimitChecks(access, usage.costs, launches, instance_types, journal),
        rights,
        NewModels(catalogue.cataloguing),
    )
