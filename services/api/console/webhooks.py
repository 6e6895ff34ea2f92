"""`/console/webhooks`: addresses outside that get events, and each by itself."""

from typing import Any, Final

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.console.rendering import Pages
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.webhooks import WEBHOOK_TYPES, own_webhook
from services.api.webhooks.repository import WebhookRepository


@get("/console/webhooks", opt=MEMBERS)
async def webhooks(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "webhooks", types=sorted(WEBHOOK_TYPES))


@get("/console/webhooks/{webhook_id:str}", opt=MEMBERS)
async def webhook(
    request: Request[Any, ApiKey, Any],
    webhook_id: FromPath[str],
    repository: Provided[WebhookRepository],
    pages: Provided[Pages],
) -> Template:
    found = await own_webhook(webhook_id, request.auth, repository)
    return pages.page(request, "webhook", webhook=found, types=sorted(WEBHOOK_TYPES))


ROUTES: Final = (webhooks, webhook)
