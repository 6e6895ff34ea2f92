"""The server's own answers: problem documents, and errors in OpenAI's or Anthropic's shape for inference."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import Counter

from services.api.http.error_formats import error_format
from services.api.http.front.head import head
from services.api.http.inference_paths import is_inference
from services.api.http.problem import PROBLEM_JSON, Problem

refused: Final = Counter("coldstart_http_refused_total", "Requests refused before the application saw them", ["code"])

BAD_REQUEST: Final = Problem(
    400, "bad_request", "This is not an HTTP/1.1 request", "The request could not be understood; see RFC 9112."
)
BODY_OVERDUE: Final = Problem(
    408, "body_timeout", "The body took too long", "Send the whole body at once, or over a faster connection."
)
HEAD_OVERDUE: Final = Problem(408, "head_timeout", "The request took too long", "Send the whole head at once.")
FULL: Final = Problem(
    503,
    "too_many_connections",
    "There are too many connections",
    "Try again in a moment. Clients that recently sent a valid key come first.",
    headers={"Retry-After": "2"},
)
STOPPING: Final = Problem(503, "stopping", "This server is stopping", "Try again.", headers={"Retry-After": "2"})
FAULT: Final = Problem(
    500,
    "internal_error",
    "This is our fault",
    "An unexpected error occurred. Its details are in the log of the api service.",
)


def body_too_large(most: int) -> Problem:
    return Problem(413, "body_too_large", "The body is too large", f"Send at most {most:,} bytes.")


def head_too_large(most: int) -> Problem:
    detail = f"Send at most {most:,} bytes of headers, the request line included."
    return Problem(431, "head_too_large", "The head is too large", detail)


def too_many_headers(most: int) -> Problem:
    return Problem(431, "too_many_headers", "There are too many headers", f"Send at most {most:,}.")


def target_too_long(most: int) -> Problem:
    return Problem(414, "target_too_long", "The URL is too long", f"Send at most {most:,} bytes.")


def twice(name: bytes) -> Problem:
    title = f"There are two {name.decode().title()} headers"
    return Problem(400, "header_repeated", title, "Send exactly one.")


WITHOUT_HOST: Final = Problem(400, "host_missing", "The Host header is missing", "HTTP/1.1 requires one.")
UPGRADE_WITH_BODY: Final = Problem(
    400,
    "upgrade_with_body",
    "A request with a body cannot upgrade",
    "Send it without `Upgrade`. This server speaks HTTP/1.1 (Java: HttpClient.Version.HTTP_1_1).",
)


def answer(problem: Problem, target: bytes, date: bytes, meant: Callable[[str], str]) -> bytes:
    """The whole answer, after which the connection ends; in the shape of the path that is `meant`."""
    refused.labels(problem.code).inc()
    path = meant(target.partition(b"?")[0].decode("latin-1"))
    if is_inference(path):
        body = error_format(path)(problem.status, problem.code, f"{problem.title}: {problem.detail}")
        kind = "application/json"
    else:
        body, kind = json.dumps(problem.document()).encode(), PROBLEM_JSON
    headers: Mapping[str, str] = {
        **problem.headers,
        "content-type": kind,
        "content-length": str(len(body)),
        "connection": "close",
    }
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    lines, _ = head(problem.status, fields, date)
    return lines + b"\r\n" + body
