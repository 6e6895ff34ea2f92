"""An error has the shape that the client of each API raises an error for, whole or within a stream."""

import json
from typing import Any

import pytest

from services.api.router.formats import format_of
from services.api.router.refusal import Refusal

LOST = Refusal(502, "worker_failed", "The worker broke off.", param="model", more={"eta": None})
OPENAI_S = {
    "message": "The worker broke off.", "type": "server_error", "param": "model", "code": "worker_failed", "eta": None,
}  # fmt: skip
ANTHROPIC_S = {
    "type": "error",
    "error": {
        "type": "api_error", "message": "The worker broke off.", "param": "model", "code": "worker_failed", "eta": None,
    },
}  # fmt: skip
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"


def read(event: bytes) -> tuple[str | None, dict[str, Any]]:
    """The name and the data of one event."""
    assert event.endswith(b"\n\n")
    lines = event.decode().removesuffix("\n\n").split("\n")
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    data = "\n".join(line.removeprefix("data: ") for line in lines if line.startswith("data: "))
    return names[0] if names else None, json.loads(data)


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/rerank", "/tokenize", "/v1/nothing"])
def test_openai_s_error_is_its_own_event_without_a_name(path: str) -> None:
    assert json.loads(format_of(path).body(LOST)) == {"error": OPENAI_S}
    assert read(format_of(path).event(LOST, after=7)) == (None, {"error": OPENAI_S})


@pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}/count_tokens", f"{MESSAGES}/batches"])
def test_anthropic_s_error_is_an_event_of_that_name(path: str) -> None:
    assert json.loads(format_of(path).body(LOST)) == ANTHROPIC_S
    assert read(format_of(path).event(LOST, after=7)) == ("error", ANTHROPIC_S)


def test_a_response_s_error_is_the_next_event_in_number_and_says_so_twice() -> None:
    assert json.loads(format_of(RESPONSES).body(LOST)) == {"error": OPENAI_S}
    told = {"type": "error", "code": "worker_failed", "message": "The worker broke off.", "param": "model"}
    expected = {**told, "sequence_number": 7, "error": OPENAI_S}
    assert read(format_of(RESPONSES).event(LOST, after=7)) == ("error", expected)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, "invalid_request_error"), (401, "authentication_error"), (403, "permission_error")),
        *((404, "not_found_error"), (413, "request_too_large"), (422, "invalid_request_error")),
        *((429, "rate_limit_error"), (500, "api_error"), (502, "api_error"), (503, "overloaded_error")),
        (504, "timeout_error"),
    ],
)
def test_anthropic_s_types_follow_from_the_status(status: int, kind: str) -> None:
    body = json.loads(format_of(MESSAGES).body(Refusal(status, "code", "message")))
    assert body["error"]["type"] == kind


WORKER_S_OPENAI = b'{"error": {"message": "too long", "code": 400}}'
WORKER_S_ANTHROPIC = b'{"type": "error", "error": {"type": "BadRequestError", "message": "too long"}}'


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        (CHAT, WORKER_S_OPENAI, None),
        (CHAT, b'{"error": "Unauthorized"}', None),
        (MESSAGES, WORKER_S_ANTHROPIC, "error"),
    ],
)
def test_a_worker_s_own_error_is_passed_on_in_an_event(path: str, body: bytes, name: str | None) -> None:
    """Also with the status 200, as vLLM 0.13 answers for a model that cannot do what is asked."""
    for status in (200, 400):
        assert read(format_of(path).whole(status, body)) == (name, json.loads(body))


def test_a_worker_s_own_error_of_a_response_is_numbered() -> None:
    name, told = read(format_of(RESPONSES).whole(400, WORKER_S_OPENAI))
    assert (name, told["sequence_number"], told["message"]) == ("error", 0, "too long")
    assert told["error"] == json.loads(WORKER_S_OPENAI)["error"]


@pytest.mark.parametrize(
    ("path", "status", "body", "message"),
    [
        (CHAT, 500, b"Internal Server Error", "The worker answered 500: Internal Server Error"),
        (CHAT, 500, b"", "The worker answered 500 with no body."),
        (CHAT, 200, b"", "The worker answered 200 with no body."),
        (MESSAGES, 400, WORKER_S_OPENAI, "The worker answered 400: too long"),
        (RESPONSES, 400, b'{"error": "Unauthorized"}', 'The worker answered 400: {"error": "Unauthorized"}'),
        (RESPONSES, 400, b"[[", "The worker answered 400: [["),
    ],
)
def test_what_is_no_error_in_this_shape_is_made_one(path: str, status: int, body: bytes, message: str) -> None:
    _, told = read(format_of(path).whole(status, body))
    assert (told["error"]["message"], told["error"]["code"]) == (message, "worker_failed")


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
def test_a_whole_answer_where_a_stream_was_expected_is_passed_on(path: str) -> None:
    assert format_of(path).whole(200, b'{"a":\n1}') == b'data: {"a":\ndata: 1}\n\n'
