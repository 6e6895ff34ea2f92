"""Chat, completion and embedding requests in vLLM's shapes, whole or streamed."""

import asyncio
import base64
import struct
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeAlias

from .answers import at_most, continuation_of, embedding_of, prompt_of, reply_to, tokens_of
from .arguments import Arguments
from .http import Reply, Stream

_TOKEN_SECONDS: Final = 0.002
Delta: TypeAlias = Callable[[str], dict[str, Any]]


class Refusal(Exception):
    """The request asks for what this model, or this simulation of vLLM, cannot do."""


class Generation:
    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self.prompt_tokens = 0
        self.said_tokens = 0

    async def chat(self, request: dict[str, Any]) -> Reply | Stream:
        """Raises Refusal."""
        if self._arguments.pooling:
            raise Refusal("The model does not support Chat Completions API")
        messages = request.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise Refusal("[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required'}]")
        limit = request.get("max_completion_tokens", request.get("max_tokens"))
        tokens, reason = self._said(request, prompt_of(messages), reply_to(messages), limit)
        head = self._head("chatcmpl", request)
        if request.get("stream"):
            first = _choice("delta", {"role": "assistant", "content": ""})
            return Stream(self._chunks(
                request, head | {"object": "chat.completion.chunk"}, first=[first], tokens=tokens, reason=reason,
                prompt=prompt_of(messages), delta=lambda text: _choice("delta", {"content": text}),
            ), reason)  # fmt: skip
        await asyncio.sleep(_TOKEN_SECONDS * len(tokens))
        message: dict[str, Any] = {
            "role": "assistant", "content": "".join(tokens).lstrip(), "refusal": None, "annotations": None,
            "audio": None, "function_call": None, "tool_calls": [], "reasoning": None, "reasoning_content": None,
        }  # fmt: skip
        choice = _choice("message", message) | {"finish_reason": reason, "stop_reason": None, "token_ids": None}
        return Reply(head | {
            "object": "chat.completion", "choices": [choice], "service_tier": None, "system_fingerprint": None,
            "usage": _usage(prompt_of(messages), len(tokens)), "prompt_logprobs": None, "prompt_token_ids": None,
            "kv_transfer_params": None,
        }, finish_reason=reason)  # fmt: skip

    async def complete(self, request: dict[str, Any]) -> Reply | Stream:
        """Raises Refusal."""
        if self._arguments.pooling:
            raise Refusal("The model does not support Completions API")
        prompt = request.get("prompt")
        if not isinstance(prompt, str):
            raise Refusal("the simulated worker completes one prompt, given as text")
        # OpenAI's own default for this route.
        tokens, reason = self._said(request, prompt, continuation_of(prompt), request.get("max_tokens", 16))
        head = self._head("cmpl", request) | {"object": "text_completion"}
        if request.get("stream"):
            return Stream(self._chunks(
                request, head, first=[], tokens=tokens, reason=reason, prompt=prompt,
                delta=lambda text: _choice("text", text),
            ), reason)  # fmt: skip
        await asyncio.sleep(_TOKEN_SECONDS * len(tokens))
        choice = _choice("text", "".join(tokens)) | {"finish_reason": reason, "stop_reason": None}
        return Reply(head | {
            "choices": [choice | {"token_ids": None, "prompt_logprobs": None, "prompt_token_ids": None}],
            "service_tier": None, "system_fingerprint": None, "usage": _usage(prompt, len(tokens)),
            "kv_transfer_params": None,
        }, finish_reason=reason)  # fmt: skip

    async def embed(self, request: dict[str, Any]) -> Reply:
        """Raises Refusal."""
        if not self._arguments.pooling:
            raise Refusal("The model does not support Embeddings API")
        given = request.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise Refusal("the simulated worker embeds a text or a list of texts")
        as_base64 = request.get("encoding_format") == "base64"
        count = sum(len(tokens_of(text)) for text in texts)
        self.prompt_tokens += count
        data = [
            {"index": index, "object": "embedding", "embedding": _base64(vector) if as_base64 else vector}
            for index, vector in enumerate(map(embedding_of, texts))
        ]
        usage = {"prompt_tokens": count, "total_tokens": count, "completion_tokens": 0, "prompt_tokens_details": None}
        return Reply(
            self._head("embd", request) | {"object": "list", "data": data, "usage": usage}, finish_reason="stop"
        )

    def _said(self, request: dict[str, Any], prompt: str, text: str, limit: Any) -> tuple[list[str], str]:
        if request.get("n") not in (None, 1):
            raise Refusal("the simulated worker gives one choice")
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise Refusal(f"max_tokens must be at least 1, got {limit}.")
        tokens, reason = at_most(text, limit, exactly=bool(request.get("ignore_eos")))
        self.prompt_tokens += len(tokens_of(prompt))
        self.said_tokens += len(tokens)
        return tokens, reason

    async def _chunks(
        self, request: dict[str, Any], head: dict[str, Any], *, first: list[dict[str, Any]], tokens: list[str],
        reason: str, prompt: str, delta: Delta,
    ) -> AsyncIterator[dict[str, Any]]:  # fmt: skip
        for choice in first:
            yield head | {"choices": [choice]}
        for token in tokens:
            await asyncio.sleep(_TOKEN_SECONDS)
            yield head | {"choices": [delta(token)]}
        yield head | {"choices": [delta("") | {"finish_reason": reason, "stop_reason": None}]}
        if (request.get("stream_options") or {}).get("include_usage"):
            yield head | {"choices": [], "usage": _usage(prompt, len(tokens))}

    def _head(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        model = request.get("model", self._arguments.served_names[0])
        return {"id": f"{kind}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}


def _choice(kind: str, said: Any) -> dict[str, Any]:
    return {"index": 0, kind: said, "logprobs": None, "finish_reason": None}


def _usage(prompt: str, said: int) -> dict[str, Any]:
    asked = len(tokens_of(prompt))
    return {"prompt_tokens": asked, "total_tokens": asked + said, "completion_tokens": said,
            "prompt_tokens_details": None}  # fmt: skip


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
