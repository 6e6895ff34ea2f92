"""Each kind of refusal in HTTP: its status and headers."""

from collections.abc import Mapping
from typing import Final

from services.api.refusals import Kind, Refused

STATUS: Final[Mapping[Kind, int]] = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.UNMET: 412,
    Kind.LIMITED: 429,
    Kind.FAILED: 502,
    Kind.UNAVAILABLE: 503,
    Kind.UNFINISHED: 504,
}
RETRY_AFTER_S: Final = 2
"""For unavailability of unknown duration."""


def headers(refused: Refused) -> dict[str, str]:
    if refused.kind is Kind.UNAUTHENTICATED:
        return {"WWW-Authenticate": "Bearer"}
    seconds = refused.retry_after_s or (RETRY_AFTER_S if refused.kind is Kind.UNAVAILABLE else None)
    return {} if seconds is None else {"Retry-After": str(seconds)}
