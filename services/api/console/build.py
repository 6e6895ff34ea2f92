"""What the console is made of."""

from dataclasses import dataclass

from services.api.access.build import AccessServices
from services.api.audit.build import AuditServices
from services.api.console.links import SignInLinks
from services.api.console.rendering import Pages
from services.api.console.settings import ConsoleSettings
from services.api.console.sign_ins import SignIns
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class ConsoleServices:
    pages: Pages
    links: SignInLinks
    sign_ins: SignIns


def console_services(
    pool: Pool, access: AccessServices, audit: AuditServices, settings: ConsoleSettings
) -> ConsoleServices:
    return ConsoleServices(
        Pages(access.authentication, access.sessions),
        SignInLinks(pool, access.sessions, lifetime_s=settings.sign_in_link_seconds),
        SignIns(audit.audit, access.authentication),
    )
