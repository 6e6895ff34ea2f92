"""OpenAI's API under `/v1`, as a raw ASGI application: find the model, find a worker, pass everything through."""

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from litestar.types import Message, Receive, Scope, Send

from services.api.authentication import authenticated
from services.api.catalogue import Catalogue, Model
from services.api.connection import while_connected
from services.api.feed import Feed
from services.api.mirror import Mirror
from services.api.model_list import listed, shown
from services.api.openai_errors import Refusal, send_json
from services.api.organizations import Organization
from services.api.resolution import ModelMissing, ModelNotFound, Resolved, resolve
from services.api.routing import RoutingTable, Worker
from services.api.worker_client import WorkerClient
from shared.lifecycle.events import Task

ENDPOINTS: Final[dict[str, Task]] = {
    "/v1/chat/completions": "generate",
    "/v1/completions": "generate",
    "/v1/embeddings": "embed",
}
_MODELS: Final = "/v1/models"
_RETRY_AFTER: Final = {"Retry-After": "5"}
_FOR: Final[dict[Task, str]] = {
    "generate": "generates text: use /v1/chat/completions or /v1/completions",
    "embed": "makes embeddings: use /v1/embeddings",
}

log = structlog.get_logger()


class Inference:
    """`staleness_s`: how long the routing table may go without word from the stream before it is not believed."""

    def __init__(
        self,
        mirror: Mirror,
        feed: Feed,
        routes: RoutingTable,
        workers: WorkerClient,
        *,
        staleness_s: float,
        max_body_bytes: int,
    ) -> None:
        self._mirror = mirror
        self._feed = feed
        self._routes = routes
        self._workers = workers
        self._staleness_s = staleness_s
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Sent(send)
        try:
            await self._answer(scope, receive, sent)
        except Refusal as refusal:
            await refusal.send(send)
        except Exception:
            log.exception("inference request failed", path=scope["path"])
            if sent.begun:
                raise
            message = "Something went wrong that we did not foresee; it is in the log of the api service."
            await Refusal(500, "internal_error", message).send(send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        owner = authenticated(headers.get(b"authorization", b"").decode("latin-1"), self._mirror)
        if owner is None:
            message = "Send a valid API key as 'Authorization: Bearer KEY'; an administrator makes keys."
            raise Refusal(401, "invalid_api_key", message, headers={"WWW-Authenticate": "Bearer"})
        organization = self._mirror.organization_of(owner)
        path, method = scope["path"], str(scope.get("method"))
        if path in ENDPOINTS:
            _expect(method, "POST")
            body = await read_body(headers, receive, self._max_body_bytes)
            if body is not None:
                await self._infer(path, headers, body, receive, send, organization=organization)
        elif path == _MODELS:
            _expect(method, "GET")
            models = listed(self._mirror.catalogue, organization)
            await send_json(send, 200, json.dumps({"object": "list", "data": models}).encode())
        elif path.startswith(_MODELS + "/"):
            _expect(method, "GET")
            name = path.removeprefix(_MODELS + "/")
            found = shown(name, _resolved(name, self._mirror.catalogue, organization))
            await send_json(send, 200, json.dumps(found).encode())
        else:
            raise Refusal(404, "unknown_url", f"There is no {path}; see /schema for what there is.")

    async def _infer(
        self,
        path: str,
        headers: dict[bytes, bytes],
        body: bytes,
        receive: Receive,
        send: Send,
        *,
        organization: Organization | None,
    ) -> None:
        request = _parsed(body)
        named = request.get("model")
        if named is not None and not isinstance(named, str):
            raise Refusal(400, "invalid_type", "`model` is a string.", param="model")
        model = _resolved(named, self._mirror.catalogue, organization).model
        if model.task != ENDPOINTS[path]:
            message = f"{model.model} {_FOR[model.task]}."
            raise Refusal(400, "model_task_mismatch", message, param="model")
        workers = self._ready(model)
        if named != model.model:  # its UUID, or an offering: the worker knows it by the hub's id
            body = json.dumps({**request, "model": model.model}).encode()
        forwarding = self._workers.forward(workers, path, headers.items(), body, send)
        await while_connected(receive, forwarding)

    def _ready(self, model: Model) -> list[Worker]:
        """Never empty. Raises Refusal."""
        if self._feed.age > self._staleness_s:
            message = "The router has lost touch with the event stream and does not know who is ready; try again."
            raise Refusal(503, "routes_stale", message, headers=_RETRY_AFTER)
        workers = self._routes.workers(model)
        if workers:
            return workers
        nearest = self._routes.nearest(model)
        if nearest is None:
            message = f"No instance serves {model.model} now; an administrator starts one with POST /instances."
            more: dict[str, Any] = dict.fromkeys(("instance_id", "status", "step", "progress_percent"))
        else:
            message = f"{model.model} is not ready: its instance is {nearest.status}, {nearest.progress_percent} %."
            more = nearest.model_dump(mode="json", include={"status", "step", "progress_percent"})
            more["instance_id"] = str(nearest.id)
        raise Refusal(503, "model_not_ready", message, param="model", headers=_RETRY_AFTER, more=more)


class Sent:
    """Passes messages on and knows whether the response has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes | None:
    """None when the client left in the middle of it. Raises Refusal."""
    kind = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refusal(415, "unsupported_media_type", "Send JSON as Content-Type: application/json.")
    too_large = Refusal(413, "body_too_large", f"The body is larger than {most} bytes.")
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > most:
        raise too_large
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise too_large
        if not message.get("more_body", False):
            return b"".join(chunks)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "invalid_json", f"The body is no JSON: {error}.") from None
    if not isinstance(request, dict):
        raise Refusal(400, "invalid_json", "The body is no JSON object.")
    return request


def _resolved(named: str | None, catalogue: Catalogue, organization: Organization | None) -> Resolved:
    match resolve(named, catalogue, organization):
        case Resolved() as resolved:
            return resolved
        case ModelMissing():
            message = "The request names no model; GET /v1/models lists those there are."
            raise Refusal(400, "model_required", message, param="model")
        case ModelNotFound(name=name):
            message = f"The model {name!r} does not exist here; GET /v1/models lists those that do."
            raise Refusal(404, "model_not_found", message, param="model")


def _expect(method: str, allowed: str) -> None:
    if method != allowed:
        raise Refusal(405, "method_not_allowed", f"Use {allowed} here.", headers={"Allow": allowed})
