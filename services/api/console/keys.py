"""`/console/keys`: who may ask, on whose behalf, and how much."""

from typing import Any, Final

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from services.api.console.rendering import Pages
from services.api.keys import ApiKey
from services.api.mirror import Mirror


@get("/console/keys")
async def keys(
    request: Request[Any, ApiKey, Any], mirror: NamedDependency[Mirror], pages: NamedDependency[Pages]
) -> Template:
    return pages.page(request, "keys", configured=mirror.has_configured_admin)


ROUTES: Final = (keys,)
