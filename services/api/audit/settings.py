"""The settings of the audit log."""

from pydantic import Field

from shared.settings import ServiceSettings


class AuditSettings(ServiceSettings):
    """`audit_retention_days`: for how long it is kept who asked for what."""

    audit_retention_days: int = Field(default=730, gt=0, le=36_500)
