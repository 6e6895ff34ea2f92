"""`/console/keys`: keys, their organisations and their limits."""

from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.catalogue.access_cache import AccessCache
from services.api.console.rendering import Pages
from services.api.control.dependencies import Provided


@get("/console/keys")
async def keys(request: Request[Any, ApiKey, Any], access: Provided[AccessCache], pages: Provided[Pages]) -> Template:
    return pages.page(request, "keys", configured=access.has_configured_admin)


ROUTES: Final = (keys,)
