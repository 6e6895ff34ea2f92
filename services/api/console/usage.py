"""`/console/usage`: usage and costs."""

from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.console.rendering import Pages
from services.api.control.authorization import ANY_KEY
from services.api.control.dependencies import Provided


@get("/console/usage", opt=ANY_KEY)
async def usage(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "usage")


ROUTES: Final = (usage,)
