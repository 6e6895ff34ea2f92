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
from services.api.provider_statuses import KnownStatuses
from services.api.refusals import Kind, Refused
from services.api.router.metrics import Gauges
from services.api.settings import ApiSettings
from shared.bus.topology_guard import TopologyGuard
from shared.offers.provider_status import ProviderStatus


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
    "`providers` says of each whether something can be launched there: what already runs there is served all the same, "
    "so that is no reason to send requests elsewhere. Only an administrator reads the provider's `reason`.",
)
async def readyz(
    request: Request[Any, Any, Any],
    *,
    authentication: Provided[Authentication],
    feed: Provided[Feed],
    guard: Provided[TopologyGuard],
    settings: Provided[ApiSettings],
    providers: Provided[KnownStatuses],
) -> dict[str, Any]:
    if feed.is_stale():
        detail = f"Nothing was heard from the event stream for more than {settings.router_staleness_seconds:g} s."
        raise RoutesStale(detail)
    troubles = guard.troubles
    if unrecorded := [trouble.reason for trouble in troubles if trouble.of_appends]:
        raise EventsNotRecorded("; ".join(unrecorded))
    return {
        "status": "ready",
        "routing_table_age_seconds": round(feed.age, 3),
        "troubles": [trouble.reason for trouble in troubles],
        "providers": await _shown(providers.known, request, authentication),
    }


async def _shown(
    statuses: Sequence[ProviderStatus], request: Request[Any, Any, Any], authentication: Authentication
) -> list[dict[str, Any]]:
    """A load balancer has no key, and what a provider answers may say much of an installation."""
    administers = False
    with suppress(KeyNeeded):
        administers = (await authentication.admitted(request.scope, request.headers.get)).role is Role.ADMIN
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
    feed: Provided[Feed], gauges: Provided[Gauges], jetstream: Provided[JetStreamContext]
) -> Response[bytes]:
    return Response(await metrics.rendered(feed, gauges, jetstream), media_type=metrics.CONTENT_TYPE)


ROUTES: Final = (healthz, readyz)
