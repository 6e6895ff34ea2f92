"""The HTTP surface: vLLM's routes, its key check, its shapes and its errors."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .arguments import Arguments
from .chat import Chat
from .completions import Completions
from .engine import Engine, EngineDead
from .http import Answer, Receive, Reply, Send, body_of, disconnected, send
from .log import Log
from .messages import Messages
from .metrics import Metrics
from .pooling import Pooling
from .refusals import Invalid, Refusal, engine_dead, missing, no_model, wrong_media_type
from .responses import Responses
from .tokenization import Tokenization
from .version import Version

_UNAUTHORIZED: Final = 401
_CRASHED: Final = Reply("Internal Server Error", 500)
_VARY: Final = {"vary": "Origin"}
"""Of vLLM's CORS layer; its key check and its last resort lie outside of it."""

Posted: TypeAlias = Callable[[dict[str, Any]], Awaitable[Answer]]
Got: TypeAlias = Callable[[], Awaitable[Reply]]


@dataclass(frozen=True)
class Api:
    """A route that takes a JSON object. `pooling`: for which kind of model; None: for both."""

    name: str
    handle: Posted
    pooling: bool | None
    requires: tuple[str, ...] = ()
    """Fields without which a request is invalid."""
    work: bool = True
    """Occupies the engine."""
    anthropic: bool = False
    """Its errors have Anthropic's shape."""


class Worker:
    """An ASGI application that serves one model."""

    def __init__(
        self, arguments: Arguments, log: Log, *, token_seconds: float = 0.002, hangs_at: str | None = None
    ) -> None:
        self._arguments = arguments
        self._version = arguments.version
        self._log = log
        self._created = int(time.time())
        self.engine = Engine(arguments, token_seconds, hangs_at)
        self._metrics = Metrics(self.engine)
        self._apis = self._served_apis()
        self._plain: dict[str, dict[str, Got]] = {
            "/health": {"GET": self._health},
            "/ping": {"GET": self._health, "POST": self._health},
            "/load": {"GET": self._load},
            "/version": {"GET": self._report_version},
            "/metrics": {"GET": self._metrics},
            "/v1/models": {"GET": self._models},
        }

    def _served_apis(self) -> dict[str, Api]:
        """From 0.32 on, a route for the other kind of model does not exist; 0.13 has it, and refuses."""
        chat, messages = Chat(self.engine), Messages(self.engine)
        completions, pooling = Completions(self.engine), Pooling(self.engine)
        tokenization = Tokenization(self.engine)
        rerank = Api("Rerank (Score)", pooling.rerank, pooling=True, requires=("query", "documents"))
        score = Api("Score", pooling.score, pooling=True)
        apis = {
            "/v1/chat/completions": Api("Chat Completions", chat, pooling=False, requires=("messages",)),
            "/v1/completions": Api("Completions", completions, pooling=False, requires=("prompt",)),
            "/v1/responses": Api("Responses", Responses(self.engine), pooling=False, requires=("input",)),
            "/v1/messages": Api(
                "Messages", messages, pooling=False, requires=("model", "messages", "max_tokens"), anthropic=True
            ),
            "/v1/embeddings": Api("Embeddings", pooling.embed, pooling=True, requires=("input",)),
            "/score": score, "/v1/score": score, "/rerank": rerank, "/v1/rerank": rerank, "/v2/rerank": rerank,
            "/tokenize": Api("Tokenization", tokenization.tokenize, pooling=None, work=False),
            "/detokenize": Api("Tokenization", tokenization.detokenize, pooling=None, requires=("tokens",), work=False),
            "/invocations": Api("Invocations", self._invoke, pooling=None),
        }  # fmt: skip
        if not self._version.recent:
            return apis
        apis["/v1/messages/count_tokens"] = Api(
            "Messages", messages.count_tokens, pooling=False, requires=("model", "messages"), work=False, anthropic=True
        )
        return {path: api for path, api in apis.items() if self._fits(api)}

    async def __call__(self, scope: dict[str, Any], receive: Receive, asgi_send: Send) -> None:
        path, method = scope["path"], scope["method"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        api = self._apis.get(path) if method == "POST" else None
        body = await body_of(receive)
        working = api is not None and api.work

        async def respond() -> Answer:
            answer = await self._answer(path, method, headers, body)
            outside = answer is _CRASHED or (isinstance(answer, Reply) and answer.status == _UNAUTHORIZED)
            await send(answer, {} if outside else _VARY, asgi_send)
            return answer

        self._metrics.running += working
        try:
            answer = await _unless_disconnected(respond(), receive)
        finally:
            self._metrics.running -= working
        if answer is None:
            self._metrics.served(["abort"] * working)
            return
        self._metrics.served(answer.finish_reasons)
        client = ":".join(str(part) for part in scope["client"] or ())
        self._log.access(client, f"{method} {path}", answer.status)

    async def _answer(self, path: str, method: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path.startswith(self._guarded()) and not self._knows(headers.get("authorization", "")):
            return Reply({"error": "Unauthorized"}, 401)
        methods = {"POST"} if path in self._apis else set(self._plain.get(path, ()))
        if not methods:
            return Reply({"detail": "Not Found"}, 404)
        if method not in methods:
            return Reply({"detail": "Method Not Allowed"}, 405, headers={"allow": ", ".join(sorted(methods))})
        if path in self._plain:
            return await self._plain[path][method]()
        api = self._apis[path]
        try:
            return await self._posted(api, headers.get("content-type", ""), body)
        except Refusal as refusal:
            return self._refused(api, refusal)
        except EngineDead:
            return self._refused(api, engine_dead(self._version))

    async def _posted(self, api: Api, content_type: str, body: bytes) -> Answer:
        """Raises Refusal, EngineDead."""
        if content_type.lower().partition(";")[0] != "application/json":
            raise wrong_media_type(self._version)
        try:
            request = json.loads(body)
        except ValueError as error:
            raise _no_json(self._version, error) from error
        if not isinstance(request, dict):
            if not self._version.recent:
                return _CRASHED
            raise Invalid(
                self._version, "model_attributes_type", (),
                "Input should be a valid dictionary or object to extract fields from", input=request,
            )  # fmt: skip
        for name in api.requires:
            if request.get(name) is None:
                raise missing(self._version, (name,), request)
        if not self._fits(api):
            return self._unsupported(api)
        names = self._arguments.served_names
        if request.get("model") not in (None, *names):
            raise no_model(self._version, request["model"], names)
        return await api.handle(request)

    def _unsupported(self, api: Api) -> Reply:
        """0.13 answers OpenAI's clients with 200 and an error, Anthropic's with 400."""
        refusal = Refusal(f"The model does not support {api.name} API")
        return self._refused(api, refusal) if api.anthropic else Reply({"error": refusal.info(self._version)})

    def _refused(self, api: Api, refusal: Refusal) -> Reply:
        """A request of the wrong shape is refused before vLLM looks whose shape an error must have."""
        if not api.anthropic or refusal.kind == "Bad Request":
            return refusal.reply(self._version)
        info = refusal.info(self._version)
        crashed = refusal.status == 500 and not self._version.recent  # noqa: PLR2004 - HTTP
        error = {"type": "internal_error" if crashed else info["type"], "message": info["message"]}
        return Reply({"type": "error", "error": error}, refusal.status)

    async def _invoke(self, request: dict[str, Any]) -> Answer:
        """SageMaker's single route: the fields of the request say which one is meant. Raises Refusal, EngineDead."""
        fields = {"/v1/chat/completions": "messages", "/v1/completions": "prompt", "/v1/embeddings": "input",
                  "/v1/rerank": "documents", "/v1/score": "text_1"}  # fmt: skip
        for path, field in fields.items():
            api = self._apis.get(path)
            if field in request and api is not None and self._fits(api):
                return await api.handle(request)
        known = [field for path, field in fields.items() if path in self._apis]
        raise Refusal(f"Cannot find suitable handler for request. Expected one of: {known}")

    def _fits(self, api: Api) -> bool:
        return api.pooling in (None, self._arguments.pooling)

    def _guarded(self) -> tuple[str, ...]:
        return ("/v1", "/v2", "/inference", "/cohere") if self._version.recent else ("/v1",)

    def _knows(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        keys = self._arguments.api_keys
        return not keys or (scheme.lower() == "bearer" and key in keys)

    async def _health(self) -> Reply:
        return Reply(None, 503 if self.engine.dead else 200)

    async def _load(self) -> Reply:
        """Zero: vLLM counts only where --enable-server-load-tracking tells it to."""
        return Reply({"server_load": 0})

    async def _report_version(self) -> Reply:
        return Reply({"version": str(self._version)})

    async def _models(self) -> Reply:
        return Reply({"object": "list", "data": [self._card(name) for name in self._arguments.served_names]})

    def _card(self, name: str) -> dict[str, Any]:
        permission = {
            "id": "modelperm-0", "object": "model_permission", "created": self._created, "allow_create_engine": False,
            "allow_sampling": True, "allow_logprobs": True, "allow_search_indices": False, "allow_view": True,
            "allow_fine_tuning": False, "organization": "*", "group": None, "is_blocking": False,
        }  # fmt: skip
        return {
            "id": name, "object": "model", "created": self._created, "owned_by": "vllm", "root": self._arguments.model,
            "parent": None, "max_model_len": self._arguments.max_model_len, "permission": [permission],
        }  # fmt: skip


async def _unless_disconnected(responding: Coroutine[Any, Any, Answer], receive: Receive) -> Answer | None:
    """Cancels the response, and returns None, as soon as the client leaves. Raises EngineDead in a stream."""
    response, leaving = asyncio.ensure_future(responding), asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait({response, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await response if response.done() else None
    finally:
        for task in (response, leaving):
            task.cancel()
        await asyncio.gather(response, leaving, return_exceptions=True)


def _no_json(version: Version, error: ValueError) -> Invalid:
    """Python's decoder words both the error and its place."""
    at = getattr(error, "pos", 0)
    reason = getattr(error, "msg", str(error))
    return Invalid(version, "json_invalid", (at,), "JSON decode error", input={}, ctx={"error": reason})
