"""`/console/launch`: make a deployment or change one, or create an instance."""

from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.admission.launch_body import InstanceBody
from services.api.console.rendering import Pages
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from shared.deployments.wish import Rollout, Scaling
from shared.lifecycle.wish import DEFAULT_PROVIDER

_VOLUME_GB: Final = InstanceBody.model_fields["volume_gb"].default


@get("/console/launch", opt=MEMBERS)
async def launch(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    asked = request.query_params
    return pages.page(
        request,
        "launch",
        of_machine=asked.get("as") == "machine" and not asked.get("deployment"),
        volume_gb=_VOLUME_GB,
        default_provider=DEFAULT_PROVIDER,
        scaling=Scaling(),
        rollout=Rollout(),
    )


ROUTES: Final = (launch,)
