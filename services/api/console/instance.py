"""`/console/instances/{id}`: one instance, now and in the past."""

from typing import Any, Final

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.admission.intents import Intents
from services.api.console.rendering import Pages
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.instances import identified
from shared.clock import CLOCK
from shared.description import Description


@get("/console/instances/{instance_id:str}", opt=MEMBERS)
async def instance(
    request: Request[Any, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    pages: Provided[Pages],
) -> Template:
    found = await intents.load(identified(instance_id), request.auth)
    return pages.page(request, "instance", instance=Description.of(found, CLOCK.now()))


ROUTES: Final = (instance,)
