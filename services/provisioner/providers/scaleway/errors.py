"""What each error answer means to us: one table, from the most to the least specific row.

Shapes and types of the bodies: scaleway-sdk-go's `scw/errors.go` and `scw/errors_test.go`; the recorded tests of
scaleway-cli and terraform-provider-scaleway; the instance API's "should be …" as `precondition_failed` (scaleway-cli
issue 4827) and as the older `invalid_request_error`, and `unknown_resource` (issue 530).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from services.provisioner.provider import SERVER_MISSING, ProviderError, Rejected, TryAgain
from shared.plain_text import plain_line, shortened
from shared.proxies import CHECK

LONGEST_RETRY_AFTER_S: Final = 300.0
LONGEST_DETAIL: Final = 400
ANY: Final = range(300, 600)
RATE_LIMITED: Final = 429
REFUSED: Final = frozenset(range(400, 500)) - {408}
"""The API has refused the request. After any other error it may have begun."""


class NotThere(TryAgain):
    """A get returns None, a delete is done; anywhere else one answer proves nothing."""


class SoldOut(TryAgain):
    """A creation returns OutOfStock. A power-on may meet it too; the server then can only wait."""


class Busy(TryAgain):
    """It is changing, or is in another state than expected: look before deciding."""


class InUse(TryAgain):
    """Something else must be deleted first."""


class NoImage(Rejected):
    """The zone does not have this image."""


@dataclass(frozen=True)
class CloudAnswer:
    """An HTTP answer with a status of 300 or more. `kind` is its body's `type`; None if the body is not the API's."""

    status: int
    kind: str | None = None
    detail: str = ""
    subjects: frozenset[str] = frozenset()
    """The arguments, resources and preconditions to which it objects."""
    quotas: frozenset[int] = frozenset()
    retry_after: float | None = None

    @property
    def had_no_effect(self) -> bool:
        """A proxy's answer in place of the API proves nothing, except that there were too many requests."""
        return self.status == RATE_LIMITED or (self.status in REFUSED and self.kind is not None)


@dataclass(frozen=True)
class Row:
    """Matches if all given fields do; `says` tells a person what it means and what to do."""

    outcome: type[ProviderError]
    code: str
    says: str
    kind: str | None = None
    status: range | int = ANY
    subject: str | None = None
    quota: int | None = None
    word: str | None = None
    foreign: bool = False
    """Only for a body that is not the API's own JSON: a proxy's page, or another server's."""

    def matches(self, answer: CloudAnswer) -> bool:
        statuses = range(self.status, self.status + 1) if isinstance(self.status, int) else self.status
        return (
            answer.status in statuses
            and self.kind in (None, answer.kind)
            and (self.subject is None or self.subject in answer.subjects)
            and (self.quota is None or self.quota in answer.quotas)
            and (self.word is None or self.word in answer.detail.lower())
            and not (self.foreign and answer.kind is not None)
        )


QUOTA_SAYS: Final = (
    "a quota of the organisation is used up: raise it in the console (Organization, Quotas), or end other instances"
)
NO_QUOTA_SAYS: Final = (
    "the organisation's quota for this is 0: verify your identity in the console if you have not, or ask for a quota "
    "by a support ticket (Organization, Quotas)"
)
PROTECTED_SAYS: Final = "somebody has protected it in the console: remove the protection there"
DENIED_SAYS: Final = (
    "the API key lacks a permission: add InstancesFullAccess and BlockStorageFullAccess to its IAM policy"
)
KEY_SAYS: Final = (
    "the API key is not accepted: check SCW_ACCESS_KEY and SCW_SECRET_KEY, and whether the key has expired"
)
NO_IMAGE_SAYS: Final = "this zone does not have the image: check COLDSTART_SCALEWAY_IMAGE"
INVALID_SAYS: Final = "the cloud rejects the request as invalid: correct what it names"
IN_USE_SAYS: Final = (
    "something still uses it: if this persists, find out in the console what it is, and remove it there"
)
STATE_SAYS: Final = "it is in the wrong state for this: if this persists, look at it in the console"
BUSY_SAYS: Final = "it is changing state: if this persists, look at it in the console"
GONE_SAYS: Final = "the cloud does not know it: check in the console whether somebody has deleted it"
FAILED_SAYS: Final = "the cloud failed: if this persists, look at https://status.scaleway.com"

TABLE: Final = (
    Row(SoldOut, "out_of_stock", "no such machine is free: name more zones or types, or wait", kind="out_of_stock"),
    Row(Rejected, "quota_exceeded", NO_QUOTA_SAYS, kind="quotas_exceeded", quota=0),
    Row(Rejected, "quota_exceeded", QUOTA_SAYS, kind="quotas_exceeded"),
    Row(Rejected, "quota_exceeded", QUOTA_SAYS, kind="invalid_request_error", status=403, word="quota"),
    Row(Rejected, "permission_denied", DENIED_SAYS, kind="permissions_denied"),
    Row(Rejected, "invalid_credentials", KEY_SAYS, kind="denied_authentication"),
    Row(
        Rejected, "unknown_instance_type", "this zone does not sell this type: choose one of GET /instance-types",
        kind="invalid_arguments", subject="commercial_type",
    ),
    Row(
        NoImage, "image_not_found", "no such image for this type in this zone: check COLDSTART_SCALEWAY_IMAGE",
        kind="invalid_arguments", subject="image",
    ),
    Row(NoImage, "image_not_found", NO_IMAGE_SAYS, kind="not_found", subject="instance_image"),
    Row(NoImage, "image_not_found", NO_IMAGE_SAYS, kind="not_found", subject="MarketplaceImage"),
    Row(
        Rejected, "unknown_zone", "no such zone: check SCW_DEFAULT_ZONE and COLDSTART_SCALEWAY_ZONES",
        kind="invalid_arguments", subject="zone",
    ),
    Row(Rejected, "invalid_request", INVALID_SAYS, kind="invalid_arguments"),
    Row(NotThere, SERVER_MISSING, GONE_SAYS, kind="not_found", status=404),
    Row(NotThere, SERVER_MISSING, GONE_SAYS, kind="unknown_resource", status=404),
    Row(TryAgain, "resource_protected", PROTECTED_SAYS, kind="precondition_failed", subject="protected_resource"),
    Row(InUse, "resource_in_use", IN_USE_SAYS, kind="precondition_failed", subject="resource_still_in_use"),
    Row(Busy, "wrong_state", STATE_SAYS, kind="precondition_failed", word="should be"),
    Row(Busy, "wrong_state", STATE_SAYS, kind="invalid_request_error", status=400, word="should be"),
    Row(Busy, "wrong_state", STATE_SAYS, kind="invalid_request_error", status=400, word="is not available"),
    Row(InUse, "resource_in_use", IN_USE_SAYS, kind="precondition_failed"),
    Row(InUse, "resource_in_use", IN_USE_SAYS, kind="conflict", status=409),
    Row(Busy, "transient_state", BUSY_SAYS, kind="transient_state"),
    Row(Rejected, "resource_locked", "it is locked: ask Scaleway's support why", kind="locked"),
    Row(TryAgain, "rate_limited", "too many requests: if this persists, launch fewer at once", status=RATE_LIMITED),
    Row(TryAgain, "cloud_error", FAILED_SAYS, status=500),
    Row(TryAgain, "cloud_unavailable", FAILED_SAYS, status=range(501, 600)),
    Row(TryAgain, "timed_out", "the request did not reach the cloud in time: check the network", status=408),
    Row(TryAgain, "bad_answer", "the answer is not the API's: check SCW_API_URL, and any proxy", foreign=True),
    Row(TryAgain, "bad_answer", "the answer is not the API's: check SCW_API_URL, and any proxy", status=404),
    Row(Rejected, "invalid_credentials", KEY_SAYS, status=401),
    Row(Rejected, "permission_denied", DENIED_SAYS, status=403),
    Row(Busy, "transient_state", BUSY_SAYS, status=409),
    Row(InUse, "resource_in_use", IN_USE_SAYS, status=412),
    Row(Rejected, "invalid_request", INVALID_SAYS, status=range(400, 500)),
    Row(TryAgain, "bad_answer", "an unexpected redirection: check SCW_API_URL"),
)  # fmt: skip

LOST: Final[tuple[tuple[type[requests.RequestException], str, str], ...]] = (
    (requests.exceptions.ProxyError, "cloud_unreachable", f"the proxy does not lead there: {CHECK}"),
    (requests.ConnectTimeout, "cloud_unreachable", "no connection in time: check the network, and SCW_API_URL"),
    (requests.Timeout, "timed_out", "no answer in time: if this persists, look at https://status.scaleway.com"),
    (requests.exceptions.JSONDecodeError, "bad_answer", "the answer is not JSON: check SCW_API_URL, and any proxy"),
    (requests.RequestException, "cloud_unreachable", "the connection failed: check the network, and SCW_API_URL"),
)


def refusal(response: requests.Response, at: datetime) -> ProviderError:
    """The error for an answer with a status of 300 or more that came at this time."""
    answer = _read(response, at)
    row = next(row for row in TABLE if row.matches(answer))
    message = f"{row.says} ({answer.detail})" if answer.detail else row.says
    if issubclass(row.outcome, TryAgain):
        return row.outcome(row.code, message, answer.retry_after, had_no_effect=answer.had_no_effect)
    return row.outcome(row.code, message)


def lost(error: requests.RequestException) -> TryAgain:
    """The error if no answer came, or an unreadable one."""
    code, says = next((code, says) for kind, code, says in LOST if isinstance(error, kind))
    words = _innermost(error) if isinstance(error, requests.exceptions.ProxyError) else type(error).__name__
    return TryAgain(code, f"{says} ({words})", had_no_effect=never_sent(error))


def never_sent(error: requests.RequestException) -> bool:
    """Nobody accepted the connection, so the cloud has not seen the request."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, ConnectTimeoutError | NewConnectionError)


def _innermost(error: BaseException) -> str:
    """What the proxy answered, or the connection to it: each library has wrapped it once more."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return shortened(plain_line(str(error)), LONGEST_DETAIL)


def _read(response: requests.Response, at: datetime) -> CloudAnswer:
    retry_after = _seconds(response.headers.get("Retry-After", ""), at)
    try:
        body = response.json()
    except (requests.exceptions.JSONDecodeError, RecursionError):
        body = None
    if not isinstance(body, dict) or "message" not in body:
        return CloudAnswer(response.status_code, detail=f"status {response.status_code}", retry_after=retry_after)
    details = [each for each in _list(body.get("details")) if isinstance(each, dict)]
    subjects = [body.get("resource"), body.get("precondition")]
    subjects += [each.get(key) for each in details for key in ("argument_name", "resource")]
    return CloudAnswer(
        status=response.status_code,
        kind=str(body.get("type") or "untyped"),
        detail=_message(body, details),
        subjects=frozenset(str(subject) for subject in subjects if subject),
        quotas=frozenset(quota for each in details if isinstance(quota := each.get("quota"), int)),
        retry_after=retry_after,
    )


def _message(body: Mapping[str, Any], details: list[dict[str, Any]]) -> str:
    """The cloud's own message, in one line."""
    said = [body.get("message"), body.get("help_message"), body.get("current_state")]
    said += [", ".join(f"{key} {value}" for key, value in each.items()) for each in details]
    if isinstance(fields := body.get("fields"), dict):
        said += [f"{key}: {value}" for key, value in fields.items()]
    return shortened(plain_line("; ".join(str(part)[:LONGEST_DETAIL] for part in said if part)), LONGEST_DETAIL)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _seconds(header: str, at: datetime) -> float | None:
    """The seconds of a Retry-After, given as seconds or a date (RFC 9110, 10.2.3); None for anything else."""
    if header.isascii() and header.isdigit():
        return min(float(header), LONGEST_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    left = (until.replace(tzinfo=until.tzinfo or UTC) - at).total_seconds()
    return min(max(left, 0.0), LONGEST_RETRY_AFTER_S)
