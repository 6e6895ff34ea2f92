"""The secrets with which receivers verify messages; they are derived, and stored nowhere."""

from dataclasses import dataclass

from services.api.webhooks.webhooks import Webhook
from shared.secrets import Secrets
from shared.webhooks import secret_text


@dataclass(frozen=True)
class WebhookSecrets:
    secrets: Secrets

    def of(self, webhook: Webhook) -> str:
        """The newest, as receivers configure it."""
        return secret_text(self.secrets.webhook_key(webhook.id, webhook.secret_number))
