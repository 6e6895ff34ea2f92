"""`/console/playground`: a chat with any ready model."""

from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.console.rendering import Pages
from services.api.control.authorization import ANY_KEY
from services.api.control.dependencies import Provided


@get("/console/playground", opt=ANY_KEY)
async def playground(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "playground")


ROUTES: Final = (playground,)
