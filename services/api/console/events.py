"""`/console/events`: events as they happen."""

from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.console.rendering import Pages
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.lifecycle.events import EVENTS


@get("/console/events", opt=MEMBERS)
async def events(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "events", types=sorted([*EVENTS, *DEPLOYMENT_EVENTS]))


ROUTES: Final = (events,)
