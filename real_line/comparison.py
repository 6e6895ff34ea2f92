"""The real worker beside the simulated one: the same requests, and what a client sees differently."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from real_line.hub import CHAT
from real_line.line import CONTAINER, WORKER_PORT, Launch
from real_line.versions import Version
from real_line.waiting import until
from simulator.host.worker.plan import Plan

_PORT: Final = 9100
_LONGEST: Final = 160
_CHANGING: Final = frozenset({"date", "content-length", "transfer-encoding", "x-request-id"})
"""Headers that depend on the moment, or on how an answer is cut into pieces."""
_ASK: Final = {"model": CHAT, "messages": [{"role": "user", "content": "What is the capital of France?"}]}
_TOOL: Final = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@dataclass(frozen=True)
class Request:
    """`body` is sent as JSON, a text as it is."""

    what: str
    path: str
    body: dict[str, Any] | str | None = None
    media_type: str = "application/json"

    @property
    def needs_grammar(self) -> bool:
        """The engine may print only what a grammar allows."""
        return isinstance(self.body, dict) and "tool_choice" in self.body


def _chat(what: str, **fields: Any) -> Request:
    return Request(what, "/v1/chat/completions", {**_ASK, "max_tokens": 4, **fields})


REQUESTS: Final = (
    Request("health", "/health"),
    Request("the list of models", "/v1/models"),
    Request("version", "/version"),
    Request("ping", "/ping"),
    Request("load", "/load"),
    Request("no such path", "/v1/nothing", {}),
    Request("a GET of a path for POST", "/v1/chat/completions"),
    _chat("chat"),
    _chat("a stream", stream=True),
    _chat("a stream with usage", stream=True, stream_options={"include_usage": True}),
    _chat("a stream of one token", stream=True, max_tokens=1),
    _chat("logprobs", logprobs=True, top_logprobs=2),
    _chat("n=2", n=2, temperature=1),
    _chat("a named tool", tools=[_TOOL], tool_choice={"type": "function", "function": {"name": "f"}}, max_tokens=60),
    _chat("max_tokens=0", max_tokens=0),
    _chat("max_tokens past the context", max_tokens=99_999),
    _chat("a prompt that is too long", messages=[{"role": "user", "content": "long " * 5000}]),
    _chat("a negative temperature", temperature=-1),
    _chat("no messages", messages=[]),
    _chat("another model", model="real-line/none"),
    _chat("an image", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]),
    Request("a chat without messages", "/v1/chat/completions", {"model": CHAT}),
    Request("broken JSON", "/v1/chat/completions", "{broken"),
    Request("a JSON array", "/v1/chat/completions", "[1]"),
    Request("text/plain", "/v1/chat/completions", json.dumps({**_ASK, "max_tokens": 2}), "text/plain"),
    Request("a completion", "/v1/completions", {"model": CHAT, "prompt": "Hello", "max_tokens": 2}),
    Request("a completion of two prompts", "/v1/completions", {"model": CHAT, "prompt": ["a", "b"], "max_tokens": 2}),
    Request("embeddings of a chat model", "/v1/embeddings", {"model": CHAT, "input": "Hello"}),
    Request("responses", "/v1/responses", {"model": CHAT, "input": "Hello", "max_output_tokens": 4}),
    Request(
        "responses, a stream", "/v1/responses", {"model": CHAT, "input": "a", "max_output_tokens": 4, "stream": True}
    ),
    Request("messages", "/v1/messages", {**_ASK, "max_tokens": 4}),
    Request("messages, a stream", "/v1/messages", {**_ASK, "max_tokens": 4, "stream": True}),
    Request("count_tokens", "/v1/messages/count_tokens", _ASK),
    Request("rerank by a chat model", "/v1/rerank", {"model": CHAT, "query": "a", "documents": ["b"]}),
    Request("score by a chat model", "/v1/score", {"model": CHAT, "text_1": "a", "text_2": "b"}),
    Request("tokenize", "/tokenize", {"model": CHAT, "prompt": "Paris"}),
    Request("detokenize", "/detokenize", {"model": CHAT, "tokens": [70, 71]}),
)


def differences(launch: Launch) -> dict[str, str]:
    """What differs, by request. The simulated worker gets the command line of the real one, but for its TLS."""
    arguments = launch.line.machine("docker", "inspect", "--format", "{{json .Config.Cmd}}", CONTAINER)
    log = launch.line.log.with_name("simulated-worker.log")
    words = without_tls(json.loads(arguments))
    with launch.worker() as real, _simulated(words, launch.line.version.image, log) as simulated:
        return {
            request.what: seen
            for request in asked_of(launch.line.version)
            if (seen := difference(_asked(real, request), _asked(simulated, request)))
        }


def asked_of(version: Version) -> list[Request]:
    """The requests that this version can be compared by here."""
    return [request for request in REQUESTS if version.has_grammars or not request.needs_grammar]


def difference(real: httpx.Response, simulated: httpx.Response) -> str:
    """In words; empty if a client sees none: status, media type, headers, error message, fields."""
    if real.status_code != simulated.status_code:
        return f"status {real.status_code}, simulated {simulated.status_code}"
    found = []
    kinds = [answer.headers.get("content-type", "").partition(";")[0] for answer in (real, simulated)]
    if kinds[0] != kinds[1]:
        found.append(f"media type {kinds[0] or 'none'}, simulated {kinds[1] or 'none'}")
    names = [{name for name in answer.headers if name not in _CHANGING} for answer in (real, simulated)]
    if names[0] != names[1]:
        found.append(f"headers {_listed(names[0])}, simulated {_listed(names[1])}")
    messages = [_message(answer) for answer in (real, simulated)]
    if messages[0] != messages[1]:
        found.append(f"message “{messages[0]}”, simulated “{messages[1]}”")
    ours, theirs = fields(_read(simulated)), fields(_read(real))
    if missing := sorted(theirs - ours):
        found.append(f"simulated lacks {', '.join(missing)}")
    if invented := sorted(ours - theirs):
        found.append(f"only simulated {', '.join(invented)}")
    return "; ".join(found)


def fields(document: object, at: str = "") -> set[str]:
    """Paths of all fields in a JSON document, with the types of their values; lists are walked through."""
    if isinstance(document, dict):
        return {path for name, value in document.items() for path in fields(value, f"{at}.{name}".lstrip("."))}
    if isinstance(document, list):
        return {path for value in document for path in fields(value, f"{at}[]")}
    return {f"{at} ({'null' if document is None else type(document).__name__})"}


def without_tls(arguments: Sequence[str]) -> list[str]:
    """The options of TLS take one value each."""
    pairs = zip(arguments, ["", *arguments], strict=False)
    return [word for word, before in pairs if not word.startswith("--ssl-") and not before.startswith("--ssl-")]


def _read(answer: httpx.Response) -> object:
    """JSON, or a list of a stream's documents."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        data = (line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: {"))
        return [json.loads(each) for each in data]
    try:
        return answer.json()
    except ValueError:
        return answer.text[:_LONGEST]


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _message(answer: httpx.Response) -> str:
    """Of an error in OpenAI's shape; else empty."""
    document = _read(answer)
    error = document.get("error") if isinstance(document, dict) else None
    return " ".join(str(error.get("message")).split())[:_LONGEST] if isinstance(error, dict) else ""


def _asked(worker: httpx.Client, request: Request) -> httpx.Response:
    """On a connection of its own: after an unexpected error, vLLM's server closes the one that it was asked on."""
    headers = {"Connection": "close"}
    if request.body is None:
        return worker.get(request.path, headers=headers)
    content = request.body if isinstance(request.body, str) else json.dumps(request.body)
    return worker.post(request.path, content=content, headers={**headers, "Content-Type": request.media_type})


@contextmanager
def _simulated(arguments: Sequence[str], image: str, log: Path) -> Iterator[httpx.Client]:
    key = "a-key-of-the-simulated-worker"
    plan = Plan(image, "127.0.0.1", {str(WORKER_PORT): _PORT})
    environment = {**os.environ, **plan.environment(), "VLLM_API_KEY": key}
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-m", "simulator.host.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            env=environment,
        ) as process,
        httpx.Client(
            base_url=f"http://127.0.0.1:{_PORT}", headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as client,
    ):
        try:
            until(lambda: _answers(client, process), "the simulated worker", 60)
            yield client
        finally:
            process.terminate()


def _answers(client: httpx.Client, process: "subprocess.Popen[bytes]") -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the simulated worker has ended with status {process.returncode}")
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False
