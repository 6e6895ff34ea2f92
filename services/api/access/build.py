"""What access is made of."""

from dataclasses import dataclass

from services.api.access.api_keys import KnownApiKeys
from services.api.access.authentication import Authentication
from services.api.access.repository import ApiKeyRepository
from services.api.access.sessions import Sessions
from services.api.access.settings import AccessSettings
from services.api.access.wrong_keys import WrongKeys
from services.api.records.place import ProcessPlace
from shared.postgres.connection import Pool
from shared.secrets import Secrets


@dataclass(frozen=True)
class AccessServices:
    api_keys: ApiKeyRepository
    sessions: Sessions
    authentication: Authentication


def access_services(pool: Pool, known: KnownApiKeys, settings: AccessSettings, place: ProcessPlace) -> AccessServices:
    sessions = Sessions(Secrets(settings.master_secret.get_secret_value()).session_key())
    return AccessServices(
        ApiKeyRepository(pool), sessions, Authentication(known, sessions, WrongKeys(records=place.records))
    )
