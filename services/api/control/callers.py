"""Who sent a request."""

import re
from typing import Annotated, Any, Final

from litestar import Request
from litestar.params import HeaderParameter

from services.api.access.api_keys import ApiKey
from services.api.access.caller import Caller
from shared.actor import Actor

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

TraceParent = Annotated[
    str | None,
    HeaderParameter(name="traceparent", description="The sender's W3C trace context; an invalid one is ignored."),
]


def caller(request: Request[Actor, ApiKey, Any], traceparent: str | None) -> Caller:
    """Of a request that needs a key. A `traceparent` that is no W3C trace context is ignored."""
    known = traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None
    return Caller(request.user, known)
