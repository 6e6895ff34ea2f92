"""/v1/completions."""

import time
from collections.abc import AsyncIterator
from typing import Any, Final

from .answers import continuation_of
from .chat import stream_error
from .engine import Engine, EngineDead, Generated
from .http import DONE, Answer, Reply, Stream, data
from .identifiers import fingerprint_of, new_id
from .inputs import texts_of
from .logprobs import completion_logprobs
from .sampling import Sampling, sampling_of
from .usage import usage_of

_LIMIT: Final = 16
"""Tokens of a request that names no limit: OpenAI's own default for this route."""


class Completions:
    """Continues each prompt, `n` times the same."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: dict[str, Any]) -> Answer:
        """Raises Refusal, EngineDead."""
        limited = request | ({"max_tokens": _LIMIT} if request.get("max_tokens") is None else {})
        sampling = sampling_of(
            self._engine.version, limited, "max_tokens", request.get("logprobs"), self._engine.arguments.max_logprobs
        )
        prompts = texts_of(self._engine.version, request, "prompt")
        counts = [self._engine.count(prompt) for prompt in prompts]
        choices = [
            generated for prompt, count in zip(prompts, counts, strict=True)
            for generated in [self._engine.generate(continuation_of(prompt), count, sampling)] * sampling.n
        ]  # fmt: skip
        reasons = tuple(generated.finish_reason for generated in choices)
        if request.get("stream"):
            return Stream(self._chunks(request, sampling, counts, choices), reasons)
        await self._engine.finish(max(choices, key=lambda generated: len(generated.tokens)))
        return Reply(self._completion(request, sampling, sum(counts), choices), finish_reasons=reasons)

    def _completion(
        self, request: dict[str, Any], sampling: Sampling, prompt: int, choices: list[Generated]
    ) -> dict[str, Any]:
        recent = self._engine.version.recent
        shown = [
            {
                "index": index, "text": generated.text, "logprobs": completion_logprobs(generated.tokens, sampling, 0),
                "finish_reason": generated.finish_reason, "stop_reason": generated.stop_reason, "token_ids": None,
                "prompt_logprobs": None, "prompt_token_ids": None,
            } | ({"routed_experts": None} if recent else {})
            for index, generated in enumerate(choices)
        ]  # fmt: skip
        generated_tokens = sum(len(generated.tokens) for generated in choices)
        return self._head(request) | {
            "choices": shown, "service_tier": None,
            "system_fingerprint": fingerprint_of(self._engine) if recent else None,
            "usage": usage_of(self._engine.version, prompt, generated_tokens), "kv_transfer_params": None,
        } | ({"ec_transfer_params": None, "metrics": None} if recent else {})  # fmt: skip

    async def _chunks(
        self, request: dict[str, Any], sampling: Sampling, prompts: list[int], choices: list[Generated]
    ) -> AsyncIterator[str]:
        """The choices one after the other: vLLM mixes them, and tells them apart by their index, too."""
        version = self._engine.version
        options = request.get("stream_options") or {}
        head = self._head(request)
        try:
            for index, generated in enumerate(choices):
                offset = number = 0
                async for token, last in self._engine.stream(generated):
                    number += 1
                    choice = {
                        "index": index, "text": token, "logprobs": completion_logprobs([token], sampling, offset),
                        "finish_reason": generated.finish_reason if last else None,
                        "stop_reason": generated.stop_reason if last else None,
                        "prompt_token_ids": None, "token_ids": None,
                    }  # fmt: skip
                    more = self._beside(options, prompts[index // sampling.n], number, last=last)
                    yield data(head | {"choices": [choice]} | more)
                    offset += len(token)
        except EngineDead:
            yield data({"error": stream_error(version)})
            yield DONE
            return
        if options.get("include_usage"):
            usage = usage_of(version, sum(prompts), sum(len(generated.tokens) for generated in choices), final=True)
            mark = {"system_fingerprint": fingerprint_of(self._engine)} if version.recent else {}
            yield data(head | {"choices": [], "usage": usage} | mark)
        yield DONE

    def _beside(self, options: dict[str, Any], prompt: int, generated: int, *, last: bool) -> dict[str, Any]:
        """What a chunk has beside its choice. The fingerprint is in a choice's last chunk, unless usage follows."""
        version = self._engine.version
        more: dict[str, Any] = {} if version.recent else {"usage": None}
        if options.get("continuous_usage_stats"):
            more["usage"] = usage_of(version, prompt, generated, streamed=True)
        if version.recent and last and not options.get("include_usage"):
            more["system_fingerprint"] = fingerprint_of(self._engine)
        return more

    def _head(self, request: dict[str, Any]) -> dict[str, Any]:
        model = request.get("model") or self._engine.arguments.served_names[0]
        return {"id": new_id("cmpl"), "object": "text_completion", "created": int(time.time()), "model": model}
