"""What the console is made of."""

from dataclasses import dataclass

from services.api.access.build import AccessServices
from services.api.console.links import SignInLinks
from services.api.console.rendering import Pages
from services.api.console.settings import ConsoleSettings
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class ConsoleServices:
    pages: Pages
    links: SignInLinks


def console_services(pool: Pool, access: AccessServices, settings: ConsoleSettings) -> ConsoleServices:
    return ConsoleServices(
        Pages(access.authentication, access.sessions),
        SignInLinks(pool, access.sessions, lifetime_s=settings.sign_in_link_seconds),
    )
