"""Who may ask, and for what: as the database holds it, and as it is asked at every request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from services.api.access.api_keys import ApiKey, ApiKeys, configured_keys
from services.api.catalogue.catalogue import Catalogue, Model, ServedModels
from services.api.tenancy.offerings import Offering
from services.api.tenancy.organizations import Organization, Organizations


@dataclass(frozen=True)
class AccessRecords:
    """Read in one transaction, which began at `read_at`. A key comes with its hash."""

    keys: Sequence[tuple[bytes, ApiKey]]
    organizations: Sequence[Organization]
    models: Sequence[Model]
    offerings: Sequence[Offering]
    read_at: datetime


class KnownAccess:
    """`catalogue`, `keys` and `organizations` are replaced together, and are consistent.

    `admin_key` is valid whatever the records say. `records` is None before the first ones. `served` tells which model a
    deployment serves, once deployments are known.
    """

    def __init__(self, admin_key: SecretStr | None) -> None:
        self._configured = configured_keys(admin_key)
        self.records: AccessRecords | None = None
        self.served: ServedModels = lambda *_: None
        self.catalogue = Catalogue.of(())
        self.keys = ApiKeys.of(self._configured)
        self.organizations = Organizations.of(())

    @property
    def has_configured_admin(self) -> bool:
        return bool(self._configured)

    def organization_of(self, owner: ApiKey) -> Organization | None:
        return self.organizations.identified(owner.organization_id)

    def take(self, records: AccessRecords) -> None:
        """Forget everything and go on with these."""
        self.records = records
        self.catalogue = Catalogue.of(records.models, records.offerings, self._served_now)
        self.organizations = Organizations.of(records.organizations)
        self.keys = ApiKeys.of([*records.keys, *self._configured])

    def _served_now(self, name: str, organization_id: UUID) -> str | None:
        return self.served(name, organization_id)
