"""What the room of webhooks is made of."""

from dataclasses import dataclass

from services.api.access.settings import AccessSettings
from services.api.webhooks.repository import WebhookRepository
from services.api.webhooks.secrets import WebhookSecrets
from shared.postgres.connection import Pool
from shared.secrets import Secrets


@dataclass(frozen=True)
class WebhookServices:
    webhooks: WebhookRepository
    webhook_secrets: WebhookSecrets


def webhook_services(pool: Pool, settings: AccessSettings) -> WebhookServices:
    secrets = Secrets(settings.master_secret.get_secret_value())
    return WebhookServices(WebhookRepository(pool), WebhookSecrets(secrets))
