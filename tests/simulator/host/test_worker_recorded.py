"""The simulated worker answers as the real ones did: the same status, headers, fields and errors.

`recorded_answers.json` has what vLLM 0.13.0 (with a chat model, and with an embedding model) and 0.32.0 (with a chat
model) answered to the same requests: of an answer the types of its fields, of a stream the different events in their
order, of an error the words.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.host.workers import KEY, MODEL, OLD, RECENT, Answered, a_worker, asked

RECORDED: dict[str, dict[str, dict[str, Any]]] = json.loads(
    Path(__file__).with_name("recorded_answers.json").read_text()
)
WORKERS = {
    f"{OLD} chat": (OLD, ("--max-model-len", "2048")),
    f"{OLD} embedding": (OLD, ("--max-model-len", "512", "--runner", "pooling")),
    f"{RECENT} chat": (RECENT, ("--max-model-len", "2048")),
}
LONG = {"model": MODEL, "messages": [{"role": "user", "content": "word " * 20_000}]}


def fields(answer: Any) -> Any:
    """The types of an answer's values, of a list those of the first item."""
    if isinstance(answer, dict):
        return {name: fields(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [fields(answer[0])] if answer else []
    return type(answer).__name__


def distinct(events: list[Any]) -> list[Any]:
    shapes = [each if each == "[DONE]" else fields(each) for each in events]
    return [shape for number, shape in enumerate(shapes) if number == 0 or shape != shapes[number - 1]]


def without_numbers(error: Any) -> str:
    """Prompts have other numbers of tokens here, since the simulated tokenizer is another one."""
    return re.sub(r"\d+", "0", json.dumps(error))


def same(answer: Any) -> Any:
    return answer


KINDS: dict[str, Callable[[Any], Any]] = {"fields": fields, "answer": same, "error": without_numbers}
"""What is compared of a JSON body, by how it was recorded."""


def told(answer: Answered, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What the answer tells, as far as it was recorded."""
    headers = {name: value for name, value in answer.headers.items() if name in {"content-type", "vary", "allow"}}
    shown: dict[str, Any] = {"status": answer.status, "headers": headers}
    if "event-stream" in headers.get("content-type", ""):
        return shown | {"events": distinct(answer.events)}
    if headers.get("content-type") != "application/json":
        return shown | {"text": answer.text}
    return shown | {kind: of(answer.json) for kind, of in KINDS.items() if kind in recorded}


@pytest.mark.parametrize(
    ("recorded", "name"),
    [pytest.param(recorded, name, id=f"{recorded}: {name}") for recorded in WORKERS for name in RECORDED["requests"]],
)
async def test_an_answer_is_as_recorded(recorded: str, name: str) -> None:
    version, arguments = WORKERS[recorded]
    real, request = RECORDED[recorded][name], RECORDED["requests"][name]
    body = LONG if request.get("body") == "LONG" else request["body"].encode() if "body" in request else None
    answer = await asked(
        a_worker(version, *arguments), request["path"], body, method=request["method"],
        key=KEY if request["key"] else None, content_type=request.get("content_type"),
    )  # fmt: skip
    expected = {what: KINDS["error"](value) if what == "error" else value for what, value in real.items()}
    assert told(answer, real) == expected


ROUTES = {
    "chat": {
        "/load", "/version", "/health", "/metrics", "/tokenize", "/detokenize", "/v1/models", "/ping", "/invocations",
        "/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/messages", "/v1/messages/count_tokens",
    },
    "embedding": {
        "/load", "/version", "/health", "/metrics", "/tokenize", "/detokenize", "/v1/models", "/ping", "/invocations",
        "/v1/embeddings", "/score", "/v1/score", "/rerank", "/v1/rerank", "/v2/rerank",
    },
}  # fmt: skip
"""What 0.32.0 logs as "Route:" for each kind of model, as far as the simulated worker has it for either."""


@pytest.mark.parametrize(("kind", "model"), [("chat", MODEL), ("embedding", "BAAI/bge-small-en-v1.5")])
async def test_0_32_serves_the_routes_that_its_log_lists(kind: str, model: str) -> None:
    worker = a_worker(RECENT, model=model)
    known = ROUTES["chat"] | ROUTES["embedding"]
    assert {path for path in known if (await asked(worker, path, method="PUT")).status == 405} == ROUTES[kind]
