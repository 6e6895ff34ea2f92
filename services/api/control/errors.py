"""The refusals of the control API's own routes; the rooms below have theirs.

Refused
├── OrganizationExists, OrganizationInUse
├── OfferingExists, OfferingCollides, OfferingUnknown, ModelRemoved
├── ModelUnknown, ModelInUse, ModelOffered
├── ApiKeyUnknown, LastKey
├── InstanceIdMalformed, AttemptUnknown
├── MachineImageUnknown
├── WorkerLogUnreadable
└── NoProvisioner, ReconciliationUnfinished
"""

from services.api.refusals import Kind, Refused


class OrganizationExists(
    Refused, kind=Kind.CONFLICT, code="organization_exists", title="There is such an organisation already"
):
    pass


class OrganizationInUse(
    Refused, kind=Kind.CONFLICT, code="organization_in_use", title="The organisation still has instances"
):
    pass


class OfferingExists(Refused, kind=Kind.CONFLICT, code="offering_exists", title="There is such an offering already"):
    pass


class OfferingCollides(Refused, kind=Kind.CONFLICT, code="offering_collides", title="A public model has this name"):
    pass


class OfferingUnknown(Refused, kind=Kind.NOT_FOUND, code="offering_not_found", title="There is no such offering"):
    pass


class ModelRemoved(Refused, kind=Kind.CONFLICT, code="model_gone", title="The model is not in the catalogue any more"):
    """It was removed from the catalogue after it was looked up."""


class ModelUnknown(Refused, kind=Kind.NOT_FOUND, code="model_not_found", title="There is no such model"):
    pass


class ModelInUse(Refused, kind=Kind.CONFLICT, code="model_in_use", title="The model still has instances"):
    pass


class ModelOffered(Refused, kind=Kind.CONFLICT, code="model_offered", title="The model is offered by organisations"):
    pass


class MachineImageUnknown(
    Refused, kind=Kind.NOT_FOUND, code="machine_image_not_found", title="There is no such machine image"
):
    pass


class ApiKeyUnknown(Refused, kind=Kind.NOT_FOUND, code="api_key_not_found", title="There is no such key"):
    pass


class LastKey(
    Refused, kind=Kind.CONFLICT, code="last_admin_key", title="Nobody could administer this installation any more"
):
    pass


class InstanceIdMalformed(Refused, kind=Kind.NOT_FOUND, code="instance_not_found", title="There is no such instance"):
    """The id is not a UUID, so no instance has it."""


class AttemptUnknown(Refused, kind=Kind.NOT_FOUND, code="attempt_not_found", title="There is no such attempt"):
    pass


class WorkerLogUnreadable(
    Refused, kind=Kind.UNAVAILABLE, code="worker_log_unreadable", title="The worker's log cannot be read now"
):
    """The machine, or a provisioner, does not answer."""


class NoProvisioner(Refused, kind=Kind.UNAVAILABLE, code="no_provisioner", title="Nobody can reconcile now"):
    pass


class ReconciliationUnfinished(
    Refused, kind=Kind.UNFINISHED, code="reconciliation_unfinished", title="The reconciliation takes long"
):
    """The reconciliation continues."""
