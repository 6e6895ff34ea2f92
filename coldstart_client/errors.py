"""All that can go wrong, as types.

ColdstartError
├── ConfigurationError       the address, the key or the settings file cannot be used
├── NoAnswer                 the api cannot be reached, or broke off
│   └── StreamLost           an event stream stayed away for too long
├── UnexpectedAnswer         the answer is none of this API, or of a version that this one does not know
├── EventsLost               the stream no longer has the position to resume from
├── InstanceFailed           the instance that was waited for cannot become ready
├── WaitTimedOut             the instance that was waited for was not ready in time
└── ApiError                 the api refused; one class for each kind of refusal
    ├── InvalidRequest       400, 405, 408, 413, 414, 415, 422, 431: the request itself is wrong
    ├── Unauthenticated      401
    ├── Forbidden            403
    │   └── LimitReached     a limit of the organisation
    ├── NotFound             404
    ├── Conflict             409: not as things are now
    ├── PreconditionFailed   412
    ├── RateLimited          429
    ├── ServerFault          500
    ├── UpstreamFailed       502: a service that the api needs refused
    ├── Unavailable          503
    └── Unfinished           504: the work goes on, but takes longer than a request may
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from coldstart_client.answers import InstanceView


class ColdstartError(Exception):
    """The root of all errors of this library. The text is for people."""


class ConfigurationError(ColdstartError):
    """What the client was given, or found in its environment, cannot be used."""


class NoAnswer(ColdstartError):
    """The api cannot be reached, or broke off: whether it has taken the request is not known."""


class StreamLost(NoAnswer):
    """An event stream stayed away for longer than `patience_s`."""


class UnexpectedAnswer(ColdstartError):
    """The answer is none of this API, or has what this version of the library does not know."""


class EventsLost(ColdstartError):
    """The api has no event at the position to resume from: load anew what you show, then follow from `position`."""

    def __init__(self, message: str, position: str) -> None:
        super().__init__(message)
        self.position: Final = position


class InstanceFailed(ColdstartError):
    """`instance` has failed or is ending. `code` is that of its error; None if somebody has ended it."""

    def __init__(self, message: str, instance: "InstanceView") -> None:
        super().__init__(message)
        self.instance: Final = instance
        self.code: Final = instance.error.code if instance.error else None


class WaitTimedOut(ColdstartError):
    """`instance` as it was last seen; None if it never was. Its launch goes on."""

    def __init__(self, message: str, instance: "InstanceView | None") -> None:
        super().__init__(message)
        self.instance: Final = instance


@dataclass(frozen=True)
class WrongField:
    """`pointer` is a JSON pointer into the request's body, e.g. `/vllm_args/1`, or the name of a parameter."""

    pointer: str
    detail: str


class ApiError(ColdstartError):
    """A refusal, from its problem document (RFC 9457).

    `code` is stable, for programs; empty if something before the api answered, such as a proxy. `message` says what
    happened, `hint` what to do. `wrong_fields` are those that it is about. `retry_after` is in seconds; None if the
    answer names no time. `figures` are the document's further members.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "",
        hint: str = "",
        wrong_fields: Sequence[WrongField] = (),
        retry_after: float | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(": ".join(said for said in (message, hint) if said))
        self.message: Final = message
        self.status: Final = status
        self.code: Final = code
        self.hint: Final = hint
        self.wrong_fields: Final = tuple(wrong_fields)
        self.retry_after: Final = retry_after
        self.figures: Final = dict(figures or {})


class InvalidRequest(ApiError):
    """The request itself is wrong; `wrong_fields` says where."""


class Unauthenticated(ApiError):
    """The key is missing, unknown, expired or revoked."""


class Forbidden(ApiError):
    """The key may not do that."""


class LimitReached(Forbidden):
    """The organisation has as much as it may have."""


class NotFound(ApiError):
    """There is no such thing, or not for this key."""


class Conflict(ApiError):
    """Not as things are now."""


class PreconditionFailed(ApiError):
    """There is one already, and only a new one was asked for."""


class RateLimited(ApiError):
    """Too much was asked; `retry_after` says when to ask again."""


class ServerFault(ApiError):
    """A fault of the api's."""


class UpstreamFailed(ApiError):
    """A service that the api needs refused, or a proxy could not reach the api."""


class Unavailable(ApiError):
    """The database or the event stream does not answer; `retry_after` says when to try again."""


class Unfinished(ApiError):
    """The work goes on, but takes longer than a request may."""
