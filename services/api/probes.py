"""`/healthz`, `/readyz`, `/metrics`: for operators."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from nats.js import JetStreamContext

from services.api import metrics
from services.api.access.api_keys import Role
from services.api.access.authentication import Authentication
from services.api.access.errors import KeyNeeded
from services.api.control.authorization import OPEN
from services.api.control.dependencies import Provided
from services.api.control.openapi.answers import refusals
from services.api.feed.feed import Feed
from services.api.feed.lost_database import LostDatabase
from services.api.observers import Observers
from services.api.process_metrics import of_all
from services.api.provider_statuses import KnownStatuses
from services.api.records.place import ProcessPlace
from services.api.refusals import Kind, Refused
from services.api.router.metrics import Gauges
from services.api.settings import ApiSettings
from services.api.stand_in_application import served_by_kept_routes
from shared.bus.server_clock import warning as clock_warning
from shared.bus.topology_guard import TopologyGuard
from shared.clock import CLOCK
from shared.offers.provider_status import ProviderStatus
from shared.store_space import StoreRoom, StoreSpace


class RoutesStale(Refused, kind=Kind.UNAVAILABLE, code="routes_stale", title="The routing table is stale"):
    """The event stream has been silent for too long."""


class EventsNotRecorded(Refused, kind=Kind.UNAVAILABLE, code="events_not_recorded", title="Nothing can be recorded"):
    """Another program has changed the stream, and that could not be reverted."""


@get("/healthz", opt=OPEN, summary="Is this process alive?")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@get(
    "/readyz",
    opt=OPEN,
    summary="May requests be sent here?",
    responses=refusals({Kind.UNAVAILABLE: "Not now", Kind.LIMITED: "Too many wrong keys came from this address"}),
    description="503 while the routing table is older than its staleness limit, and while what is asked for could not "
    "be recorded, as far as the last look at the event stream tells (every few seconds). `troubles` are changes of the "
    "stream's configuration that could not be undone. The database is not asked: inference goes on without it. "
    "With COLDSTART_ROUTER_SNAPSHOT_DIR the status is `degraded` while requests are answered by routes that are older. "
    "`providers` says of each whether something can be launched there: what already runs there is served all the same, "
    "so that is no reason to send requests elsewhere. Only an administrator reads the provider's `reason`. "
    "`stores` says of NATS and PostgreSQL whether their space is `enough`, `low`, or `reserved` for ending instances; "
    "then launches are refused. Only an administrator reads the figures. "
    "`warnings` are no such reason either: sentences for people, such "
    "as that health takes what it sees for an outage of its own.",
)
async def readyz(  # noqa: PLR0913 - whoever knows something
    request: Request[Any, Any, Any],
    *,
    authentication: Provided[Authentication],
    feed: Provided[Feed],
    guard: Provided[TopologyGuard],
    settings: Provided[ApiSettings],
    providers: Provided[KnownStatuses],
    observers: Provided[Observers],
    lost: Provided[LostDatabase],
    space: Provided[StoreSpace],
) -> dict[str, Any]:
    if feed.is_stale():
        detail = f"Nothing was heard from the event stream for more than {settings.routes_expire_seconds:g} s."
        raise RoutesStale(detail)
    degraded = feed.age > settings.router_staleness_seconds
    troubles = guard.troubles
    unrecorded = [trouble.reason for trouble in troubles if trouble.of_appends]
    if unrecorded and not degraded:
        raise EventsNotRecorded("; ".join([*unrecorded, *([space.shortage] if space.shortage else [])]))
    administers = await _administers(request, authentication)
    clock = filter(None, [clock_warning(CLOCK.measured)])
    return {
        "status": "degraded" if degraded else "ready",
        "routing_table_age_seconds": round(feed.age, 3),
        "troubles": [trouble.reason for trouble in troubles],
        "warnings": [
            *([served_by_kept_routes(feed.age)] if degraded else []),
            *lost.warnings,
            *observers.warnings,
            *clock,
            *space.warnings(figures=administers),
        ],
        "providers": _providers(providers.known, administers=administers),
        "stores": _stores(space.rooms, administers=administers),
    }


async def _administers(request: Request[Any, Any, Any], authentication: Authentication) -> bool:
    """A load balancer has no key, and what a provider answers may say much of an installation."""
    with suppress(KeyNeeded):
        return (await authentication.admitted(request.scope, request.headers.get)).role is Role.ADMIN
    return False


def _stores(rooms: Sequence[StoreRoom], *, administers: bool) -> list[dict[str, Any]]:
    figures = ("free_bytes", "total_bytes") if administers else ()
    return [
        {"store": each.store, "space": each.level, **{name: getattr(each, name) for name in figures}} for each in rooms
    ]


def _providers(statuses: Sequence[ProviderStatus], *, administers: bool) -> list[dict[str, Any]]:
    fields = {"provider", "since", "checked_at"} | ({"reason"} if administers else set())
    return [
        {"reason": None, **status.model_dump(mode="json", include=fields), "usable": status.reason is None}
        for status in statuses
    ]


def metrics_routes(access: str) -> tuple[HTTPRouteHandler, ...]:
    """`access`: `open` to everybody, `admin` keys only, or `off`: then the route does not exist."""
    if access == "off":
        return ()
    opt = OPEN if access == "open" else {}
    return (
        get("/metrics", opt=opt, summary="Metrics in Prometheus's format", media_type=metrics.CONTENT_TYPE)(
            read_metrics
        ),
    )


async def read_metrics(
    feed: Provided[Feed], gauges: Provided[Gauges], jetstream: Provided[JetStreamContext], place: Provided[ProcessPlace]
) -> Response[bytes]:
    own = await metrics.rendered(feed, gauges, jetstream)
    return Response(await of_all(place, own), media_type=metrics.CONTENT_TYPE)


ROUTES: Final = (healthz, readyz)
