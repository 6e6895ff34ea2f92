"""`/instances/{id}/critical-path`: which steps of a launch the next one waited for."""

from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import FromPath, QueryParameter

from services.api.access.api_keys import ApiKey
from services.api.admission.intents import Intents
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.errors import AttemptUnknown
from services.api.control.instances import identified
from services.api.control.openapi.answers import refusals
from services.api.control.repository import InstanceRepository
from services.api.refusals import Kind
from shared.clock import CLOCK
from shared.lifecycle.critical_path import CriticalPath, critical_path, without_intervals

_MOST: Final = 2**31 - 1


@get(
    "/instances/{instance_id:str}/critical-path",
    opt=MEMBERS,
    summary="Say which steps of a launch the next one waited for",
    description="Each step of the attempt and each phase of its install, until it was ready. What is critical follows "
    "without a gap, and lasts as long as the whole launch; the others had `slack_seconds` to spare.",
    responses=refusals({Kind.NOT_FOUND: "The instance has no such attempt, or its events are not kept"}),
)
async def show_critical_path(
    *,
    request: Request[Any, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    instances: Provided[InstanceRepository],
    attempt: Annotated[int, QueryParameter(ge=0, le=_MOST, description="0: the newest.")] = 0,
) -> CriticalPath:
    instance = await intents.shown(await intents.load(identified(instance_id), request.auth))
    wanted = attempt or instance.attempt
    now = CLOCK.now()
    moments = await instances.launch(instance.id, wanted)
    path = critical_path(moments, wanted, now, instance.specification.purpose)
    if path is not None:
        return path
    if wanted != instance.attempt:
        raise AttemptUnknown(f"No event of attempt {wanted} is kept. The newest attempt is {instance.attempt}.")
    return without_intervals(instance, now)


ROUTES: Final = (show_critical_path,)
