"""`/deployments`: declare, read, scale and end deployments."""

import re
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from services.api.access.api_keys import ApiKey
from services.api.admission.deployment_body import LONGEST_NAME, DeploymentBody, ScaleBody
from services.api.admission.deployment_intents import DeploymentIntents
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import MEMBERS
from services.api.control.callers import TraceParent, caller
from services.api.control.dependencies import Provided
from services.api.control.deployment_views import DeploymentView, NewDeployment
from services.api.control.deployments_shown import ShownDeployments
from services.api.control.openapi.answers import header, refusals
from services.api.control.pages import LONGEST, Cursor, Limit, Page, page, position, version
from services.api.deployments.repository import DeploymentRepository, DeploymentTimelineRow
from services.api.feed.feed import Feed
from services.api.feed.repository import ReadModelRepository
from services.api.refusals import FieldError, Kind, invalid
from services.api.tenancy.ownership import organization_for, whose
from shared.actor import Actor
from shared.deployments.decide import DeploymentIntent
from shared.deployments.deployment import DeploymentStatus
from shared.deployments.events import deployment_id

_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_HUB_REFUSES: Final = "The hub refuses our token"

Owner = Annotated[
    str | None,
    QueryParameter(
        max_length=63,
        description="Of the organisation with this slug. Default: the key's; for administrators, the shared one.",
    ),
]

OnlyNew = Annotated[
    Literal["*"] | None,
    HeaderParameter(name="If-None-Match", description="`*`: only make it; refuse with 412 if there is one."),
]


@put(
    "/deployments/{name:str}",
    opt=MEMBERS,
    responses={
        201: ResponseSpec(NewDeployment, description="It was made", generate_examples=False),
        **refusals(
            {Kind.UNMET: "The name is taken, and `If-None-Match` asks for a new one", Kind.FAILED: _HUB_REFUSES}
        ),
    },
    response_headers=[header("Location", "Where the deployment is shown")],
    summary="Make a deployment, or change it to be so",
    description="201 if it is new, 200 if it was there before. If it is so already, nothing is recorded. What could "
    "never be launched is refused, as by POST /instances.",
)
async def put_deployment(  # noqa: PLR0913 - each is a part of the request, or a service
    *,
    request: Request[Actor, ApiKey, Any],
    name: FromPath[str],
    data: JSONBody[DeploymentBody],
    intents: Provided[DeploymentIntents],
    shown: Provided[ShownDeployments],
    access: Provided[AccessCache],
    organization: Owner = None,
    if_none_match: OnlyNew = None,
    traceparent: TraceParent = None,
) -> Response[NewDeployment]:
    if _NAME.fullmatch(name) is None:
        detail = f"{name!r} is no name of a deployment: it may have up to {LONGEST_NAME} letters, digits, dots, dashes "
        detail += "and underscores, and begins with a letter or digit."
        raise invalid(FieldError(pointer="/name", detail=detail))
    if None not in (organization, data.organization) and organization != data.organization:
        detail = f"{data.organization!r} is not the organisation in the address, {organization!r}."
        raise invalid(FieldError(pointer="/organization", detail=detail))
    owner = await organization_for(data.organization or organization, request.auth, access)
    if if_none_match is None and "If-None-Match" in request.headers:  # a `null`, which is taken for nothing
        raise invalid(FieldError(pointer="If-None-Match", detail="It is `*`, or left out."))
    only_new = if_none_match is not None
    made = await intents.put(name, data, request.auth, owner, caller(request, traceparent), only_new=only_new)
    view = await shown.one(made.deployment)
    where = f"?organization={owner.slug}" if owner else ""
    return Response(
        NewDeployment(**view.__dict__, warnings=made.warnings),
        status_code=201 if made.created else 200,
        headers={"Location": f"/deployments/{name}{where}"},
    )


@get(
    "/deployments",
    opt=MEMBERS,
    summary="List deployments, newest first",
    response_headers=[header("Last-Event-ID", "How much of the event stream the list is made of at least")],
    description="A deleted one is shown until nothing of it is left. A user's key sees those of its organisation.",
)
async def list_deployments(  # noqa: PLR0913 - each filter is an argument
    *,
    request: Request[Actor, ApiKey, Any],
    deployments: Provided[DeploymentRepository],
    shown: Provided[ShownDeployments],
    read_model: Provided[ReadModelRepository],
    feed: Provided[Feed],
    access: Provided[AccessCache],
    status: Annotated[
        list[DeploymentStatus] | None, QueryParameter(description="Only those in this status; repeatable.")
    ] = None,
    model: Annotated[str | None, QueryParameter(max_length=200, description="Only those of this model.")] = None,
    organization: Annotated[
        str | None, QueryParameter(max_length=63, description="Only those of the organisation with this slug.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[Page[DeploymentView]]:
    seen = await feed.place_of(await read_model.reached())
    found = await deployments.page(
        after=position(cursor),
        limit=limit + 1,
        statuses=status,
        model=model,
        organization_id=whose(organization, request.auth, access),
    )
    items = await shown.of(found)
    return Response(page(items, limit, lambda last: (last.created_at, last.id)), headers={"Last-Event-ID": str(seen)})


@get("/deployments/{name:str}", opt=MEMBERS, summary="Show a deployment as the journal knows it now")
async def show_deployment(
    *,
    request: Request[Actor, ApiKey, Any],
    name: FromPath[str],
    intents: Provided[DeploymentIntents],
    shown: Provided[ShownDeployments],
    access: Provided[AccessCache],
    organization: Owner = None,
) -> DeploymentView:
    return await shown.one(await intents.load(named(name, organization, request.auth, access)))


@get(
    "/deployments/{name:str}/timeline",
    opt=MEMBERS,
    summary="List what happened to a deployment, oldest first",
    description="Each decision of the scaler has its reason and the figures that it was made by.",
)
async def list_deployment_timeline(  # noqa: PLR0913 - each is a part of the request, or a service
    *,
    request: Request[Actor, ApiKey, Any],
    name: FromPath[str],
    intents: Provided[DeploymentIntents],
    deployments: Provided[DeploymentRepository],
    access: Provided[AccessCache],
    organization: Owner = None,
    last: Annotated[int, QueryParameter(ge=0, le=LONGEST, description="Begin with the newest so many; 0: all.")] = 0,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeploymentTimelineRow]:
    deployment = await intents.shown(await intents.load(named(name, organization, request.auth, access)))
    after = max(version(cursor), deployment.version - last if last else 0)
    rows = await deployments.timeline(deployment.id, after=after, limit=limit + 1)
    return page(rows, limit, lambda last: (last.version,))


@delete(
    "/deployments/{name:str}",
    opt=MEMBERS,
    status_code=202,
    summary="Delete a deployment, and end all its instances",
    description="Their running requests end first.",
)
async def delete_deployment(
    *,
    request: Request[Actor, ApiKey, Any],
    name: FromPath[str],
    intents: Provided[DeploymentIntents],
    shown: Provided[ShownDeployments],
    access: Provided[AccessCache],
    organization: Owner = None,
    traceparent: TraceParent = None,
) -> DeploymentView:
    of = named(name, organization, request.auth, access)
    return await shown.one(await intents.intend(of, DeploymentIntent.DELETE, caller(request, traceparent)))


@post(
    "/deployments/{name:str}/scale",
    opt=MEMBERS,
    status_code=202,
    summary="Change how many replicas there are at least and at most",
    description="A field that is left out stays. Nothing is rolled out.",
)
async def scale_deployment(
    *,
    request: Request[Actor, ApiKey, Any],
    name: FromPath[str],
    data: JSONBody[ScaleBody],
    intents: Provided[DeploymentIntents],
    shown: Provided[ShownDeployments],
    access: Provided[AccessCache],
    organization: Owner = None,
    traceparent: TraceParent = None,
) -> DeploymentView:
    of = named(name, organization, request.auth, access)
    return await shown.one(await intents.scale(of, data, caller(request, traceparent)))


def _intent(intent: DeploymentIntent, summary: str) -> HTTPRouteHandler:
    @post(
        f"/deployments/{{name:str}}/{intent}",
        opt=MEMBERS,
        status_code=202,
        summary=summary,
        operation_id=f"{intent}_deployment",
        responses=refusals({Kind.CONFLICT: "The deployment, as it is now, does not allow that"}),
    )
    async def intend(
        *,
        request: Request[Actor, ApiKey, Any],
        name: FromPath[str],
        intents: Provided[DeploymentIntents],
        shown: Provided[ShownDeployments],
        access: Provided[AccessCache],
        organization: Owner = None,
        traceparent: TraceParent = None,
    ) -> DeploymentView:
        of = named(name, organization, request.auth, access)
        return await shown.one(await intents.intend(of, intent, caller(request, traceparent)))

    return intend


ROUTES: Final = (
    put_deployment,
    list_deployments,
    show_deployment,
    list_deployment_timeline,
    delete_deployment,
    scale_deployment,
    _intent(DeploymentIntent.PAUSE, "End all its instances, and wake for no request"),
    _intent(DeploymentIntent.RESUME, "Go on after a pause, or after it has given up"),
    _intent(DeploymentIntent.RESTART, "Replace every replica by a new one of the same"),
    _intent(DeploymentIntent.ROLLBACK, "Go back to what served before"),
)


def named(name: str, organization: str | None, owner: ApiKey, access: AccessCache) -> UUID:
    """The id of the deployment that has this name, if there is one. Raises OrganizationUnknown."""
    return deployment_id(name, whose(organization, owner, access))
