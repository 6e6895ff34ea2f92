"""`/events` and `/instances/{id}/events`: events as they happen (server-sent events)."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.openapi.spec import OpenAPIFormat, Schema
from litestar.params import FromPath, HeaderParameter, QueryParameter

from services.api.access.api_keys import ApiKey
from services.api.access.authentication import Authentication
from services.api.admission.intents import Intents
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.instances import identified
from services.api.feed.sse import Begin, EventSource
from services.api.http.event_stream import EventStream
from services.api.refusals import FieldError, invalid
from shared.clock import CLOCK

AS_IT_IS: Final = "as_it_is"
"""An option of routes whose answers are not compressed, since streams must be sent at once."""
_FOLLOWED: Final = {**MEMBERS, AS_IT_IS: True}

LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="Resume behind this event, without a gap or a repetition."),
]
After = Annotated[
    str | None,
    QueryParameter(
        description="Like Last-Event-ID, which wins if both are given: a browser cannot send that at first."
    ),
]
From = Annotated[
    str | None,
    QueryParameter(
        name="from",
        max_length=64,
        schema_extra={"any_of": [Schema(const="start"), Schema(format=OpenAPIFormat.DATE_TIME)]},
        description="Begin with the first event instead of with the next one (`start`), or with the first one that was "
        "recorded at this time or later, such as `2026-01-31T09:30:00Z`.",
    ),
]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DESCRIPTION: Final = (
    "Each event is a CloudEvent (JSON). Its `data` holds the fact (`event`), the instance after it as followers of the "
    "stream get it (`instance`), and `description`: what GET /instances/{id} showed then, but for `eta`. An event of a "
    "deployment has `deployment` instead, and in `words` what happened and why. `reset` means "
    "that the stream has no event with the given Last-Event-ID: load anew what you show. Every few "
    "seconds, and after its events, `estimate` says when an instance that is starting up will be ready, as `eta` of "
    "`GET /instances/{id}` does; it is no event and has no id. At first comes an id alone, to resume behind before any "
    "event has come. Lines that begin with a colon are signs of life."
)


@get(
    "/events",
    opt=_FOLLOWED,
    summary="Follow all events that this key may see",
    description=_DESCRIPTION,
    media_type="text/event-stream",
)
async def all_events(
    *,
    request: Request[Any, ApiKey, Any],
    authentication: Provided[Authentication],
    event_source: Provided[EventSource],
    last_event_id: LastEventId = None,
    after: After = None,
    begin: From = None,
) -> EventStream:
    return event_source.stream(
        request.auth,
        until=authentication.expires_at(request.headers.get),
        last_event_id=last_event_id or after or None,
        instance_id=None,
        begin=_beginning(begin),
    )


@get(
    "/instances/{instance_id:str}/events",
    opt=_FOLLOWED,
    summary="Follow the events of an instance",
    description=_DESCRIPTION,
    media_type="text/event-stream",
)
async def events_of_instance(
    *,
    request: Request[Any, ApiKey, Any],
    instance_id: FromPath[str],
    authentication: Provided[Authentication],
    event_source: Provided[EventSource],
    intents: Provided[Intents],
    last_event_id: LastEventId = None,
    after: After = None,
    begin: From = None,
) -> EventStream:
    instance = await intents.load(identified(instance_id), request.auth)
    return event_source.stream(
        request.auth,
        until=authentication.expires_at(request.headers.get),
        last_event_id=last_event_id or after or None,
        instance_id=instance.id,
        begin=_beginning(begin),
    )


def _beginning(begin: str | None) -> Begin:
    """A time that does not fit into nanoseconds is before all events, or in the future. Raises Invalid."""
    if begin is None:
        return None
    if begin == "start":
        return "start"
    try:
        at = datetime.fromisoformat(begin)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        detail = f"{begin!r} is neither `start` nor a time with its offset, such as 2026-01-31T09:30:00Z."
        raise invalid(FieldError(pointer="from", detail=detail))
    if at > CLOCK.now():
        return None
    return at if at > _EPOCH else "start"


ROUTES: Final = (all_events, events_of_instance)
