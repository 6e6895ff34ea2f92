"""`/deployments/{name}/load` and `…/explain`: how much is asked of a deployment, and what follows from that."""

from datetime import timedelta
from typing import Annotated, Any, Final, Self

from litestar import Request, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.admission.deployment_intents import DeploymentIntents
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.deployments import Owner, named
from services.api.control.repository import InstanceRepository
from services.api.deployments.explaining import ScalingExplained
from services.api.deployments.repository import DeploymentRepository, LoadSlot
from shared.clock import CLOCK
from shared.deployments.explain import ScalingExplanation
from shared.deployments.load import Lead
from shared.load_heard import Heard, HeardLoad


class DeploymentLoadView(BaseModel):
    """Requests in flight and held now, and how many arrive, are refused and are served in a second.

    `known`: an api was heard lately; without one all of these are 0. `lead`: how long a replica ordered now takes.
    `slots`: what it was in each five minutes, oldest first. Where nothing was asked, there may be no slot.
    """

    model_config = ConfigDict(frozen=True)
    known: bool
    in_flight: int
    held: int
    arriving_per_s: float
    refused_per_s: float
    served_per_s: float
    lead: Lead
    slots: list[LoadSlot]

    @classmethod
    def of(cls, heard: Heard, lead: Lead, slots: list[LoadSlot], *, known: bool) -> Self:
        return cls(**(heard.__dict__ | {"lead": lead}), slots=slots, known=known)


@get("/deployments/{name:str}/load", opt=MEMBERS, summary="Show a deployment's load, now and over the last hours")
async def show_load(  # noqa: PLR0913 - each is a part of the request, or a service
    *,
    request: Request[Any, ApiKey, Any],
    name: FromPath[str],
    intents: Provided[DeploymentIntents],
    deployments: Provided[DeploymentRepository],
    explained: Provided[ScalingExplained],
    heard: Provided[HeardLoad],
    access: Provided[AccessCache],
    organization: Owner = None,
    hours: Annotated[int, QueryParameter(ge=1, le=192, description="So far back.")] = 24,
) -> DeploymentLoadView:
    deployment = await intents.load(named(name, organization, request.auth, access))
    slots = await deployments.slots(deployment.id, since=CLOCK.now() - timedelta(hours=hours))
    return DeploymentLoadView.of(heard.of(deployment.id), explained.lead(deployment), slots, known=heard.known)


@get(
    "/deployments/{name:str}/explain",
    opt=MEMBERS,
    summary="Tell what would be done for a deployment now, and why",
    description="By the same rules as the scaler's, with the load, past launches and schedule of this moment.",
)
async def explain_deployment(
    *,
    request: Request[Any, ApiKey, Any],
    name: FromPath[str],
    intents: Provided[DeploymentIntents],
    instances: Provided[InstanceRepository],
    explained: Provided[ScalingExplained],
    access: Provided[AccessCache],
    organization: Owner = None,
) -> ScalingExplanation:
    deployment = await intents.load(named(name, organization, request.auth, access))
    found = await instances.identified([replica.instance_id for replica in deployment.replicas])
    return await explained.of(deployment, {one.id: one for one in found}, CLOCK.now())


ROUTES: Final = (show_load, explain_deployment)
