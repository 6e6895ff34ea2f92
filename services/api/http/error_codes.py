"""What the codes of the server and of the router mean, and what to do: docs/troubleshooting.md is drawn from it.

Refusals of the rooms explain themselves (`services/api/refusals.py`).
"""

from collections.abc import Mapping
from typing import Final

from shared.error_codes import ExplainedCode

_SHORTER: Final = "Send less, as the message says."

CODES: Final[Mapping[str, ExplainedCode]] = {
    "bad_request": ExplainedCode("The request cannot be understood.", "Correct it, as the message says."),
    "body_timeout": ExplainedCode("The body did not arrive in time.", "Send the whole body at once."),
    "body_too_large": ExplainedCode("The body is longer than allowed.", _SHORTER),
    "client_left": ExplainedCode(
        "The client left before its whole request had come.", "Nothing: nobody gets this answer, it is only counted."
    ),
    "database_unavailable": ExplainedCode(
        "PostgreSQL does not answer; inference continues.", "Try again; if it persists, look at the database."
    ),
    "deployment_not_found": ExplainedCode(
        "The owner has no deployment of that name.", "See GET /deployments; an administrator names the `organization`."
    ),
    "head_timeout": ExplainedCode("The request's head did not arrive in time.", "Send the whole head at once."),
    "head_too_large": ExplainedCode("The request line and the headers are longer than allowed.", _SHORTER),
    "header_repeated": ExplainedCode("A header is there twice that may be there once.", "Send exactly one."),
    "host_missing": ExplainedCode("The request has no Host header.", "Send one, as HTTP/1.1 requires."),
    "idempotency_conflict": ExplainedCode(
        "This Idempotency-Key was used for another request.", "Use a new key, or send the same body again."
    ),
    "intent_refused": ExplainedCode(
        "The status of the instance or deployment, or the instance's present image, does not allow that.",
        "Do what `detail` says.",
    ),
    "internal_error": ExplainedCode(
        "An error that nobody foresaw; it is in the log of the api service.", "Try again, and report it with that log."
    ),
    "invalid_api_key": ExplainedCode(
        "The key is missing, unknown, expired or revoked.",
        "Send a valid key as `Authorization: Bearer`, or as `x-api-key` under /v1/messages.",
    ),
    "invalid_header": ExplainedCode("A header's value cannot be read.", "Correct the header that `param` names."),
    "invalid_json": ExplainedCode("The body is not a JSON object.", "Correct the body."),
    "invalid_type": ExplainedCode("A field has the wrong type.", "Correct the field that `param` names."),
    "invalid_value": ExplainedCode("A field's value is too long.", "Shorten the field that `param` names."),
    "left_to_newer_version": ExplainedCode(
        "A newer version has written the instance's last event, and this api cannot read it.",
        "Upgrade the api ([upgrading](upgrading.md)), then ask again.",
    ),
    "journal_unavailable": ExplainedCode(
        "NATS does not answer, so whether the request was accepted is not known.",
        "Send it again with the same Idempotency-Key; without one, look at the instances first.",
    ),
    "malformed_json": ExplainedCode("The body is not JSON.", "Correct the body."),
    "method_not_allowed": ExplainedCode("The address does not take this method.", "Use one that `Allow` names."),
    "model_changed": ExplainedCode(
        "While the request waited, its name came to mean another model.", "Send the request again."
    ),
    "model_not_allowed": ExplainedCode(
        "This key may not use the model.", "Use one that the message names, or ask an administrator."
    ),
    "model_not_ready": ExplainedCode(
        "No instance of the model is ready; the answer says which will be first, and why it is not yet.",
        "Try again after `Retry-After`, send `X-Wait-For-Ready`, or launch an instance.",
    ),
    "model_required": ExplainedCode("The request names no model.", "Set `model`; GET /v1/models lists them."),
    "model_task_mismatch": ExplainedCode(
        "The model is for another task than this path.", "Use a path that the message names, or another model."
    ),
    "not_found": ExplainedCode("There is nothing at this address.", "See /schema for the addresses that exist."),
    "path_not_served": ExplainedCode(
        "The version of vLLM that serves the model does not have this path.", "Launch the model with a later version."
    ),
    "rate_limit_exceeded": ExplainedCode(
        "The key or its organisation has reached a limit of requests, tokens or concurrency.",
        "Wait for as long as `Retry-After` says.",
    ),
    "stopping": ExplainedCode("This process is stopping.", "Send the request again."),
    "target_too_long": ExplainedCode("The URL is longer than allowed.", _SHORTER),
    "too_many_bytes_held": ExplainedCode(
        "The bodies of running requests take all the memory that is for them.", "Wait for some answers."
    ),
    "too_many_connections": ExplainedCode(
        "As many connections are open as are allowed.", "Try again in a moment, and use connections again."
    ),
    "too_many_headers": ExplainedCode("The request has more headers than allowed.", _SHORTER),
    "too_many_waiting": ExplainedCode(
        "As many requests wait for instances as are allowed.", "Try again later, or without `X-Wait-For-Ready`."
    ),
    "unknown_url": ExplainedCode("There is nothing at this address under /v1.", "Correct the client's base URL."),
    "unsupported_media_type": ExplainedCode("The body's type is not supported.", "Send what the message names."),
    "upgrade_with_body": ExplainedCode(
        "A request with a body asks for another protocol.", "Send it without `Upgrade`, as HTTP/1.1."
    ),
    "worker_failed": ExplainedCode(
        "The worker is unavailable, broke off, or answered with what is no answer.",
        "Send the request again; if it persists, read `coldstart instances logs NAME --worker`.",
    ),
    "worker_refused": ExplainedCode(
        "What answers at the worker's address does not know the router's key.",
        "Look at the instance's page; if it persists, reinstall it.",
    ),
    "worker_timeout": ExplainedCode(
        "The worker took too long, and may still be working.",
        "Ask for less, or stream the answer; COLDSTART_WORKER_SILENCE_SECONDS sets the limit.",
    ),
    "worker_unreachable": ExplainedCode("No worker of the model can be reached.", "Try again after `Retry-After`."),
}
