"""Scaleway's error bodies, as scaleway-sdk-go's `scw/errors.go` reads them and the Python SDK passes them on."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from math import ceil
from typing import Any


@dataclass(eq=False)
class ApiError(Exception):
    """An answer with a status of 400 or more. A text `body` is sent as HTML, as a proxy's page."""

    status: int
    body: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)


def not_found(resource: str, resource_id: str) -> ApiError:
    return ApiError(
        404,
        {"type": "not_found", "resource": resource, "resource_id": resource_id, "message": "resource is not found"},
    )


def invalid_argument(name: str, reason: str, help_message: str) -> ApiError:
    """`reason` is one of unknown, required, format, constraint."""
    return invalid_arguments([{"argument_name": name, "reason": reason, "help_message": help_message}])


def invalid_arguments(details: Sequence[Mapping[str, str]]) -> ApiError:
    return ApiError(400, {"type": "invalid_arguments", "message": "invalid argument(s)", "details": details})


def wrong_state(message: str) -> ApiError:
    """An action on a server in the wrong steady state: scaleway-cli issue 4827 has this body."""
    return ApiError(412, {"type": "precondition_failed", "message": message})


def protected() -> ApiError:
    """An action on a protected server: stephrobert/feint, measured on fr-par-1 in August 2026."""
    return ApiError(
        400,
        {
            "type": "precondition_failed",
            "precondition": "protected_resource",
            "help_message": "server is protected",
            "message": "precondition is not respected",
        },
    )


def group_in_use() -> ApiError:
    """scaleway-sdk-go's `scw/errors_test.go` has this body."""
    return ApiError(409, {"type": "conflict", "message": "Group is in use. You cannot delete it."})


def still_in_use(help_message: str, *, status: int = 400) -> ApiError:
    """400 from the instance API, 412 from the block API."""
    return ApiError(
        status,
        {
            "type": "precondition_failed",
            "precondition": "resource_still_in_use",
            "help_message": help_message,
            "message": "precondition is not respected",
        },
    )


def not_available(resource: str) -> ApiError:
    """An image of a snapshot that is still being made: packer-plugin-scaleway issue 39 quotes status and message."""
    return ApiError(400, {"type": "invalid_request_error", "message": f"{resource} is not available"})


def transient_state(resource: str, resource_id: str, state: str) -> ApiError:
    return ApiError(
        409,
        {
            "type": "transient_state",
            "resource": resource,
            "resource_id": resource_id,
            "current_state": state,
            "message": "resource is in a transient state",
        },
    )


def quotas_exceeded(resource: str, *, quota: int, current: int) -> ApiError:
    return ApiError(
        403,
        {
            "type": "quotas_exceeded",
            "message": "quota(s) exceeded for this resource",
            "details": [{"resource": resource, "quota": quota, "current": current}],
        },
    )


def out_of_stock(resource: str) -> ApiError:
    """412, as seen for L4 and L40S in fr-par-2."""
    return ApiError(412, {"type": "out_of_stock", "resource": resource, "message": "resource is out of stock"})


def permissions_denied(resource: str, action: str) -> ApiError:
    return ApiError(
        403,
        {
            "type": "permissions_denied",
            "message": "insufficient permissions",
            "details": [{"resource": resource, "action": action}],
        },
    )


def denied_authentication() -> ApiError:
    return ApiError(
        401,
        {
            "type": "denied_authentication",
            "method": "api_key",
            "reason": "not_found",
            "message": "authentication is denied",
        },
    )


def too_many_requests(retry_after: float | None, *, as_date: bool = False) -> ApiError:
    """An empty body, and no Retry-After: terraform-provider-scaleway, list-block-volumes-with-tags, interaction 221.

    With `retry_after`, Retry-After is the pause in whole seconds, or the date of its end (RFC 9110).
    """
    if retry_after is None:
        return ApiError(429, "")
    seconds = ceil(retry_after)
    return ApiError(
        429, "", {"Retry-After": formatdate(ceil(time.time()) + seconds, usegmt=True) if as_date else str(seconds)}
    )


def internal() -> ApiError:
    return ApiError(500, {"type": "internal_error", "message": "internal error"})


def unavailable() -> ApiError:
    return ApiError(503, {"type": "unavailable", "message": "service unavailable"})


def bad_gateway() -> ApiError:
    return ApiError(502, "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>")


def no_free_address() -> ApiError:
    return ApiError(503, {"type": "invalid_request_error", "message": "No free IP address"})
