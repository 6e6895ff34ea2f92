"""What the room of the audit log is made of."""

from dataclasses import dataclass

from services.api.audit.repository import AuditRepository
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class AuditServices:
    audit: AuditRepository


def audit_services(pool: Pool) -> AuditServices:
    return AuditServices(AuditRepository(pool))
