"""The api's settings: those of its rooms, each in its own `settings.py`."""

from typing import Literal

from services.api.admission.settings import AdmissionSettings
from services.api.audit.settings import AuditSettings
from services.api.catalogue.settings import CatalogueSettings
from services.api.console.settings import ConsoleSettings
from services.api.control.settings import ControlSettings
from services.api.estimates.settings import EstimateSettings
from services.api.router.settings import RouterSettings


class ApiSettings(
    RouterSettings,
    CatalogueSettings,
    AdmissionSettings,
    EstimateSettings,
    ControlSettings,
    ConsoleSettings,
    AuditSettings,
):
    """`metrics_access`: who may read `/metrics`: administrators, everybody, or nobody."""

    metrics_access: Literal["admin", "open", "off"] = "admin"
