"""The HTTP surface: vLLM's routes, its key check, its shapes and its errors."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from . import log
from .arguments import Arguments
from .generation import Generation, Refusal
from .http import Receive, Reply, Send, Stream, body_of, error, send

_VERSION: Final = "0.13.0"
_FINISH_REASONS: Final = ("stop", "length", "abort", "error")
Handler: TypeAlias = Callable[[bytes], Awaitable[Reply | Stream]]


class Worker:
    """An ASGI application that serves one model."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._created = int(time.time())
        self._generation = Generation(arguments)
        self._running = 0
        self._succeeded = dict.fromkeys(_FINISH_REASONS, 0)
        self._routes: dict[str, dict[str, Handler]] = {
            "/health": {"GET": self._health},
            "/ping": {"GET": self._health, "POST": self._health},
            "/version": {"GET": self._version},
            "/metrics": {"GET": self._metrics},
            "/v1/models": {"GET": self._models},
            "/v1/chat/completions": {"POST": self._posted(self._generation.chat)},
            "/v1/completions": {"POST": self._posted(self._generation.complete)},
            "/v1/embeddings": {"POST": self._posted(self._generation.embed)},
        }

    async def __call__(self, scope: dict[str, Any], receive: Receive, asgi_send: Send) -> None:
        path, method = scope["path"], scope["method"]
        handlers = self._routes.get(path, {})
        counted = method == "POST" and path.startswith("/v1/")
        body = await body_of(receive)
        self._running += counted
        try:
            if path.startswith("/v1") and not self._knows(dict(scope["headers"]).get(b"authorization", b"")):
                answer: Reply | Stream = Reply({"error": "Unauthorized"}, 401)
            elif not handlers:
                answer = Reply({"detail": "Not Found"}, 404)
            elif method not in handlers:
                answer = Reply({"detail": "Method Not Allowed"}, 405)
            else:
                answer = await handlers[method](body)
            status = await send(answer, asgi_send)
            if answer.finish_reason is not None:
                self._succeeded[answer.finish_reason] += 1
        finally:
            self._running -= counted
        client = ":".join(str(part) for part in scope["client"] or ())
        log.access(client, f"{method} {path}", status)

    def _knows(self, authorization: bytes) -> bool:
        keys = self._arguments.api_keys
        return not keys or authorization in [f"Bearer {key}".encode() for key in keys]

    def _posted(self, handle: Callable[[dict[str, Any]], Awaitable[Reply | Stream]]) -> Handler:
        """A handler of a JSON object that names one of the served models."""

        async def handler(body: bytes) -> Reply | Stream:
            try:
                request = json.loads(body)
            except ValueError as invalid:
                return error(400, "Bad Request", f"[{{'type': 'json_invalid', 'msg': 'JSON decode error: {invalid}'}}]")
            if not isinstance(request, dict):
                return error(400, "Bad Request", "[{'type': 'model_attributes_type', 'loc': ('body',)}]")
            if request.get("model", self._arguments.served_names[0]) not in self._arguments.served_names:
                return error(404, "NotFoundError", f"The model `{request['model']}` does not exist.")
            try:
                return await handle(request)
            except Refusal as refusal:
                return error(400, "BadRequestError", str(refusal))

        return handler

    async def _health(self, _: bytes) -> Reply:
        return Reply("")

    async def _version(self, _: bytes) -> Reply:
        return Reply({"version": _VERSION})

    async def _models(self, _: bytes) -> Reply:
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

    async def _metrics(self, _: bytes) -> Reply:
        model = f'engine="0",model_name="{self._arguments.served_names[0]}"'
        values = (
            ("vllm:num_requests_running", "gauge", "Number of requests in model execution batches.", self._running),
            ("vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.", 0),
            ("vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", 0.0),
            ("vllm:prompt_tokens_total", "counter", "Number of prefill tokens.", self._generation.prompt_tokens),
            ("vllm:generation_tokens_total", "counter", "Number of generated tokens.", self._generation.said_tokens),
        )
        shown = "".join(
            f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name}{{{model}}} {float(value)}\n"
            for name, kind, text, value in values
        )
        succeeded = "vllm:request_success_total"
        return Reply(
            f"{shown}# HELP {succeeded} Count of successfully processed requests.\n# TYPE {succeeded} counter\n"
            + "".join(
                f'{succeeded}{{{model},finished_reason="{reason}"}} {float(count)}\n'
                for reason, count in self._succeeded.items()
            )
        )
