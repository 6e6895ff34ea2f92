"""Every error of the control API as a problem document (RFC 9457): refusals of rooms and of routes."""

import re
from collections.abc import Mapping
from typing import Any, Final

import structlog
from asyncpg import DiskFullError
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from nats.errors import Error as NatsError

from services.api.control.forms import FORMS
from services.api.http import kinds
from services.api.http.problem import Problem
from services.api.http.statuses import CLIENT_LEFT
from services.api.refusals import FieldError, Refused, invalid
from shared.deployments.errors import DeploymentRefused, DeploymentUnknown
from shared.journal.errors import JournalUnavailable, OnlyForNewer
from shared.lifecycle.errors import InstanceConflict, InstanceUnknown, IntentRefused
from shared.postgres.connection import DOWN

log = structlog.get_logger()


def of(refused: Refused) -> Problem:
    """The document of a refusal."""
    return Problem(
        kinds.STATUS[refused.kind],
        refused.code,
        refused.title,
        refused.detail,
        errors=refused.errors,
        headers=kinds.headers(refused),
        more=refused.figures,
    )


def _unavailable(code: str, title: str, detail: str) -> Problem:
    return Problem(503, code, title, detail, headers={"Retry-After": str(kinds.RETRY_AFTER_S)})


BY_STATUS: Final[Mapping[int, tuple[str, str, str]]] = {
    404: ("not_found", "There is nothing at this address", "See /schema for the addresses that exist."),
    405: ("method_not_allowed", "This address does not take this method", "See the Allow header for those it takes."),
    413: ("body_too_large", "The body is too large", "Send a smaller body; see /schema for what is expected."),
    415: ("unsupported_media_type", "The body's type is not supported", "Send JSON as application/json."),
}


def not_found() -> Problem:
    return Problem(404, *BY_STATUS[404])


def malformed_json(reason: str) -> Problem:
    return Problem(400, "malformed_json", "The body is not JSON", f"{reason}; see /schema for what is expected.")


def client_left() -> Problem:
    """Nobody receives it, but metrics count it as what it is, not as our error."""
    return Problem(CLIENT_LEFT, "client_left", "The client left", "It left before the whole of its request had come.")


def unsupported_media_type(kind: str, instead: str) -> Problem:
    detail = f"The body's type is {kind or 'not given'}; send {instead}."
    return Problem(415, "unsupported_media_type", "The body's type is not supported", detail)


def _from_litestar(error: HTTPException) -> Problem:
    headers = error.headers or {}
    if error.status_code in BY_STATUS:
        return Problem(error.status_code, *BY_STATUS[error.status_code], headers=headers)
    if isinstance(error, ValidationException):
        found = error.extra if isinstance(error.extra, list) else [_missing(error)]
        return of(invalid(*(_field_error(item) for item in found)))
    code, title = "bad_request", "The request could not be understood"
    return Problem(error.status_code, code, title, str(error.detail), headers=headers)


def _field_error(item: Any) -> FieldError:
    """One entry of a Litestar ValidationException's `extra`."""
    key, message = str(item.get("key", "")), str(item.get("message", "is not valid"))
    key = _NAMES.get(key, key)
    if item.get("source") in (None, "body"):
        key = "/" + key.replace(".", "/")
    return FieldError(pointer=key, detail=_in_plain_words(message))


def _in_plain_words(message: str) -> str:
    """Pydantic's sentence, without its own terms for the input."""
    message = _CLASS.sub("an object", message)
    for its_words, ours in _PLAIN:
        if message.startswith(its_words):
            return ours + message.removeprefix(its_words).removesuffix(_PARSING)
    return message


def _missing(error: ValidationException) -> dict[str, str]:
    """Litestar names a missing parameter only in its message."""
    named = _NAMED.search(error.detail)
    return {"key": named[1] if named else "", "message": error.detail, "source": "query"}


_NAMED: Final = re.compile(r"'([^']+)'")
_NAMES: Final = {
    "begin": "from",
    "idempotency_key": "Idempotency-Key",
    "if_none_match": "If-None-Match",
    "last_event_id": "Last-Event-ID",
}
"""Parameters whose names are not Python names."""
_PARSING: Final = ", unable to parse string as an integer"
_CLASS: Final = re.compile(r"a valid dictionary(?: or instance of \w+)?")
_PLAIN: Final = (
    ("Extra inputs are not permitted", "there is no such field; see /schema for those that exist."),
    ("Value error, ", ""),
    ("Input should be ", "has to be "),
    *((f"String should match pattern '{pattern}'", words) for pattern, words in FORMS.items()),
    ("String should have ", "has to have "),
    ("List should have ", "has to have "),
    ("Field required", "is missing"),
)


def _from_exception(error: Exception) -> Problem | None:  # noqa: C901, PLR0911, PLR0912 - one answer for each kind of error
    match error:
        case Problem():
            return error
        case Refused():
            return of(error)
        case HTTPException():
            return _from_litestar(error)
        case InstanceUnknown():
            detail = f"No instance {error.instance_id}; GET /instances lists those that exist."
            return Problem(404, "instance_not_found", "There is no such instance", detail)
        case IntentRefused():
            return Problem(409, "intent_refused", f"Cannot {error.intent} this instance now", error.reason)
        case DeploymentUnknown():
            detail = "No deployment has this name here; GET /deployments lists those that exist."
            return Problem(404, "deployment_not_found", "There is no such deployment", detail)
        case DeploymentRefused():
            return Problem(409, "intent_refused", f"Cannot {error.intent} this deployment now", error.reason)
        case InstanceConflict():
            detail = "This Idempotency-Key was used for another request; use a new key, or send the same body again."
            return Problem(422, "idempotency_conflict", "The Idempotency-Key belongs to another request", detail)
        case OnlyForNewer():
            detail = "A newer version of Coldstart has written its last event. This api cannot read it and leaves the "
            detail += "instance alone. Ask again once the api is upgraded."
            return _unavailable("left_to_newer_version", "A newer version is needed", detail)
        case JournalUnavailable() | NatsError():
            return _journal_unavailable(error)
        case _ if isinstance(error, DOWN):
            return _database_unavailable(error)
        case _:
            return None


def _journal_unavailable(error: Exception) -> Problem:
    """A note on the error, such as that a disk is full, comes first."""
    detail = "The event stream does not answer; whether the request was accepted is unknown. Try again, with "
    detail += "the same Idempotency-Key if there was one; otherwise look at GET /instances first."
    detail = " ".join([*getattr(error, "__notes__", ()), detail])
    return _unavailable("journal_unavailable", "The event stream does not answer", detail)


def _database_unavailable(error: Exception) -> Problem:
    detail = "The database does not answer; inference continues. Try again in a moment."
    if isinstance(error, DiskFullError):
        detail = "There is no space left on the disk of PostgreSQL; inference continues. Make room, and try again."
    return _unavailable("database_unavailable", "The database does not answer", detail)


_OF_A_KNOWN_CALLER: Final = frozenset({403, 409, 412, 422})
"""Refusals that only a valid key gets, so that nobody else can fill the log."""


def to_problem(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """The exception handler for everything but the console's pages, which show the same in HTML."""
    return problem_of(request, error).response()


def problem_of(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """Known errors are reported. Unknown ones are logged once, and reported without details."""
    problem = _from_exception(error)
    if problem is None:
        log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
        detail = "An unexpected error occurred; it is in the log of the api service. Try again."
        problem = Problem(500, "internal_error", "This is our fault", detail)
    elif problem.status == 503:  # noqa: PLR2004
        log.warning("request not served", path=request.url.path, code=problem.code, reason=repr(error))
    elif problem.status in _OF_A_KNOWN_CALLER:
        asked = {"method": request.method, "path": request.url.path}
        log.info("request refused", **asked, code=problem.code, reason=problem.detail)
    return problem
