"""`/launches` and `/instances/{id}/steps`: how long past launches took, the basis of estimates."""

from typing import Any, Final

from litestar import Request, get
from litestar.params import FromPath
from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.admission.intents import Intents
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.instances import identified
from services.api.estimates.estimates import Estimates
from shared.eta.launch import Launch
from shared.eta.steps import UsualSteps


class PastLaunches(BaseModel):
    """All launches in use: the newest, at most `COLDSTART_ETA_LAUNCHES`."""

    model_config = ConfigDict(frozen=True)
    items: list[Launch]
    next_cursor: None = None


@get(
    "/launches",
    summary="List the past launches that estimates are made from, the newest first",
    description="`reached` holds, for every percentage that a launch showed, the seconds from its beginning.",
)
async def list_launches(estimates: Provided[Estimates]) -> PastLaunches:
    return PastLaunches(items=estimates.history.launches)


@get(
    "/instances/{instance_id:str}/steps",
    opt=MEMBERS,
    summary="Say how long each step of such a launch usually takes",
    description="Read from past launches of the same provider, type and model, or of wider groups, as `basis` says.",
)
async def list_steps(
    request: Request[Any, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    estimates: Provided[Estimates],
) -> UsualSteps:
    return estimates.steps_of(await intents.load(identified(instance_id), request.auth))


ROUTES: Final = (list_launches, list_steps)
