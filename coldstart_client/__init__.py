"""A client of Coldstart's API: instances, deployments, models and events, typed, blocking and asynchronous.

Nothing of Coldstart's services is imported: httpx, httpx-sse and pydantic are enough. Names are loaded when they are
first used, so that a program that needs only some of them starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from coldstart_client.errors import (
    ApiError,
    ColdstartError,
    ConfigurationError,
    Conflict,
    EventsLost,
    Forbidden,
    InstanceFailed,
    InvalidRequest,
    LimitReached,
    NoAnswer,
    NotFound,
    PreconditionFailed,
    RateLimited,
    ServerFault,
    StreamLost,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unfinished,
    UpstreamFailed,
    WaitTimedOut,
    WrongField,
)

if TYPE_CHECKING:
    from coldstart_client.aio.client import AsyncClient
    from coldstart_client.blocking.client import Client
    from coldstart_client.messages import DeploymentEvent, Estimated, Event, InstanceEvent
    from coldstart_client.progress import Progress
    from coldstart_client.stream_messages import Connected

_LATER: Final = {
    "AsyncClient": "coldstart_client.aio.client",
    "Client": "coldstart_client.blocking.client",
    "Connected": "coldstart_client.stream_messages",
    "DeploymentEvent": "coldstart_client.messages",
    "Estimated": "coldstart_client.messages",
    "Event": "coldstart_client.messages",
    "InstanceEvent": "coldstart_client.messages",
    "Progress": "coldstart_client.progress",
}
__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "ColdstartError",
    "ConfigurationError",
    "Conflict",
    "Connected",
    "DeploymentEvent",
    "Estimated",
    "Event",
    "EventsLost",
    "Forbidden",
    "InstanceEvent",
    "InstanceFailed",
    "InvalidRequest",
    "LimitReached",
    "NoAnswer",
    "NotFound",
    "PreconditionFailed",
    "Progress",
    "RateLimited",
    "ServerFault",
    "StreamLost",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Unfinished",
    "UpstreamFailed",
    "WaitTimedOut",
    "WrongField",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
