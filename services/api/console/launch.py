"""`/console/launch`: create an instance."""

from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.admission.intake import InstanceBody
from services.api.console.rendering import Pages
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from shared.lifecycle.wish import DEFAULT_PROVIDER

_VOLUME_GB: Final = InstanceBody.model_fields["volume_gb"].default


@get("/console/launch", opt=MEMBERS)
async def launch(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "launch", volume_gb=_VOLUME_GB, default_provider=DEFAULT_PROVIDER)


ROUTES: Final = (launch,)
