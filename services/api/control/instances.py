"""`/instances`: create, read and end instances."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from services.api.access.api_keys import ApiKey
from services.api.access.caller import Caller
from services.api.admission.intents import Accepted, Intents
from services.api.admission.launch_body import InstanceBody
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import MEMBERS
from services.api.control.callers import TraceParent, caller
from services.api.control.dependencies import Provided
from services.api.control.errors import InstanceIdMalformed
from services.api.control.openapi.answers import header, refusals
from services.api.control.pages import Cursor, Limit, Page, page, position, version
from services.api.control.repository import InstanceRepository
from services.api.control.views import TimelineRow
from services.api.estimates.estimates import Estimates
from services.api.feed.feed import Feed
from services.api.feed.repository import ReadModelRepository
from services.api.refusals import Kind
from services.api.tenancy.ownership import organization_for, whose
from shared.actor import Actor
from shared.clock import CLOCK
from shared.description import InstanceView, NewInstance
from shared.journal.journal import Decision
from shared.lifecycle import decide
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status

_Ask = Callable[[Intents, UUID, ApiKey, Caller], Awaitable[Instance]]
"""`Intents`, the instance's id, whose key asks, and the caller."""
_HUB_REFUSES: Final = "The hub refuses our token"
_OF_A_NEW_ONE: Final = (
    header("Location", "Where the instance is shown"),
    header("Idempotency-Replayed", "`true`: an earlier request with this Idempotency-Key began the instance"),
)
_REFUSED: Final = refusals({Kind.CONFLICT: "The instance is not in a state in which that can be done"})

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="A repetition with the same key and body returns the same instance; another body is refused.",
    ),
]


@post(
    "/instances",
    opt=MEMBERS,
    status_code=202,
    responses=refusals({Kind.NOT_FOUND: "The organisation has been deleted", Kind.FAILED: _HUB_REFUSES}),
    response_headers=_OF_A_NEW_ONE,
    summary="Ask for an instance",
    description="It is created, installed and watched in the background; follow it at /instances/{id}/events.",
)
async def create(
    *,
    request: Request[Actor, ApiKey, Any],
    data: JSONBody[InstanceBody],
    intents: Provided[Intents],
    estimates: Provided[Estimates],
    access: Provided[AccessCache],
    idempotency_key: IdempotencyKey = None,
    traceparent: TraceParent = None,
) -> Response[NewInstance]:
    organization = await organization_for(data.organization, request.auth, access)
    accepted = await intents.request(data, request.auth, organization, idempotency_key, caller(request, traceparent))
    return _answer(accepted, estimates)


@get(
    "/instances",
    opt=MEMBERS,
    summary="List instances, newest first",
    response_headers=[header("Last-Event-ID", "How much of the event stream the list is made of at least")],
    description="Archived ones only with ?status=archived. A user's key sees those of its organisation. The header "
    "Last-Event-ID says how much of the event stream they are made of at least: /events resumes behind it with no gap.",
)
async def list_(  # noqa: PLR0913 - each filter is an argument
    *,
    request: Request[Actor, ApiKey, Any],
    instances: Provided[InstanceRepository],
    read_model: Provided[ReadModelRepository],
    estimates: Provided[Estimates],
    feed: Provided[Feed],
    access: Provided[AccessCache],
    status: Annotated[
        list[Status] | None,
        QueryParameter(description="Only those in this status; repeatable."),
    ] = None,
    model: Annotated[str | None, QueryParameter(max_length=200, description="Only those of this model.")] = None,
    organization: Annotated[
        str | None, QueryParameter(max_length=63, description="Only those of the organisation with this slug.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[Page[InstanceView]]:
    seen = await feed.place_of(await read_model.reached())
    found = await instances.page(
        after=position(cursor),
        limit=limit + 1,
        statuses=status,
        model=model,
        organization_id=whose(organization, request.auth, access),
    )
    now = CLOCK.now()
    items = [InstanceView.of(instance, now, eta=estimates.of(instance, now)) for instance in found]
    return Response(page(items, limit, lambda last: (last.created_at, last.id)), headers={"Last-Event-ID": str(seen)})


@get("/instances/{instance_id:str}", opt=MEMBERS, summary="Show an instance as the journal knows it now")
async def show(
    request: Request[Actor, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    estimates: Provided[Estimates],
) -> InstanceView:
    return _shown(await intents.load(identified(instance_id), request.auth), estimates)


@get("/instances/{instance_id:str}/timeline", opt=MEMBERS, summary="List what happened to an instance, oldest first")
async def timeline(
    *,
    request: Request[Actor, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    instances: Provided[InstanceRepository],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TimelineRow]:
    instance = await intents.shown(await intents.load(identified(instance_id), request.auth))
    rows = await instances.timeline(instance.id, after=version(cursor), limit=limit + 1)
    return page(rows, limit, lambda last: (last.version,))


@delete(
    "/instances/{instance_id:str}",
    opt=MEMBERS,
    status_code=202,
    summary="Terminate an instance and release all it holds",
    responses=_REFUSED,
)
async def terminate(
    request: Request[Actor, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    estimates: Provided[Estimates],
    traceparent: TraceParent = None,
) -> InstanceView:
    return _shown(
        await intents.terminate(identified(instance_id), request.auth, caller(request, traceparent)), estimates
    )


@post(
    "/instances/{instance_id:str}/relaunch",
    opt=MEMBERS,
    status_code=202,
    responses=refusals({Kind.CONFLICT: "The instance has not failed", Kind.FAILED: _HUB_REFUSES}),
    response_headers=_OF_A_NEW_ONE,
    summary="Launch a failed instance again",
    description="It becomes another instance with the same wishes. If those were out of stock, it may get any type; if "
    "the type's GPU memory was too small, it gets a shorter context or, where none is known that fits, a type with "
    "more memory. The first of `warnings` then says so.",
)
async def relaunch(
    *,
    request: Request[Actor, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    estimates: Provided[Estimates],
    access: Provided[AccessCache],
    idempotency_key: IdempotencyKey = None,
    traceparent: TraceParent = None,
) -> Response[NewInstance]:
    accepted = await intents.relaunch(
        identified(instance_id), request.auth, access.organizations, idempotency_key, caller(request, traceparent)
    )
    return _answer(accepted, estimates)


def _by(decision: Decision) -> _Ask:
    return lambda intents, instance_id, owner, by: intents.intend(instance_id, decision, owner, by)


def _intent(verb: str, ask: _Ask, summary: str) -> HTTPRouteHandler:
    @post(
        f"/instances/{{instance_id:str}}/{verb}",
        opt=MEMBERS,
        status_code=202,
        summary=summary,
        operation_id=verb,
        responses=_REFUSED,
    )
    async def intend(
        request: Request[Actor, ApiKey, Any],
        instance_id: FromPath[str],
        intents: Provided[Intents],
        estimates: Provided[Estimates],
        traceparent: TraceParent = None,
    ) -> InstanceView:
        return _shown(
            await ask(intents, identified(instance_id), request.auth, caller(request, traceparent)), estimates
        )

    return intend


ROUTES: Final = (
    create,
    list_,
    show,
    timeline,
    terminate,
    relaunch,
    _intent("drain", _by(decide.drain), "Let running requests end, then terminate"),
    _intent("reinstall", Intents.reinstall, "Install the worker anew on the same server"),
    _intent("archive", _by(decide.archive), "Put an ended instance away"),
)


def identified(instance_id: str) -> UUID:
    """Raises InstanceIdMalformed unless it is a UUID."""
    try:
        return UUID(instance_id)
    except ValueError:
        detail = f"{instance_id!r} is not the id of an instance: those are UUIDs. GET /instances lists them."
        raise InstanceIdMalformed(detail) from None


def _answer(accepted: Accepted, estimates: Estimates) -> Response[NewInstance]:
    instance, at = accepted.instance, CLOCK.now()
    headers = {"Location": f"/instances/{instance.id}"}
    if not accepted.began:
        headers["Idempotency-Replayed"] = "true"
    shown = NewInstance.of(instance, at, eta=estimates.of(instance, at), warnings=accepted.warnings)
    return Response(shown, status_code=202, headers=headers)


def _shown(instance: Instance, estimates: Estimates) -> InstanceView:
    now = CLOCK.now()
    return InstanceView.of(instance, now, eta=estimates.of(instance, now))
