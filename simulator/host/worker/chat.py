"""/v1/chat/completions."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from .answers import prompt_of, reply_to, shows_image
from .engine import Engine, EngineDead, Generated
from .http import DONE, Answer, Reply, Stream, data
from .identifiers import fingerprint_of, new_id
from .logprobs import chat_logprobs
from .refusals import Invalid, engine_dead, inconsistent, missing, no_messages, no_tool_parser, no_vision
from .sampling import Sampling, sampling_of
from .tools import ARGUMENTS, call_of, called
from .usage import usage_of
from .version import Version


class Chat:
    """Answers with the last question of the user, or calls the tool that the request demands."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: dict[str, Any]) -> Answer:
        """Raises Refusal, EngineDead."""
        messages = messages_of(self._engine.version, request)
        sampling = self._sampling(request)
        prompt = prompt_in(self._engine, messages, request)
        generated = self._engine.generate(ARGUMENTS if called(request) else reply_to(messages), prompt, sampling)
        reasons = (generated.finish_reason,) * sampling.n
        if request.get("stream"):
            return Stream(self._chunks(request, sampling, prompt, generated), reasons)
        await self._engine.finish(generated)
        return Reply(self._completion(request, sampling, prompt, generated), finish_reasons=reasons)

    def _sampling(self, request: dict[str, Any]) -> Sampling:
        logprobs = request.get("top_logprobs") or 0 if request.get("logprobs") else None
        if request.get("top_logprobs") and logprobs is None:
            raise inconsistent(self._engine.version, request, "top_logprobs",
                               "when using `top_logprobs`, `logprobs` must be set to true.")  # fmt: skip
        limit = "max_tokens" if request.get("max_completion_tokens") is None else "max_completion_tokens"
        return sampling_of(self._engine.version, request, limit, logprobs, self._engine.arguments.max_logprobs)

    def _completion(
        self, request: dict[str, Any], sampling: Sampling, prompt: int, generated: Generated
    ) -> dict[str, Any]:
        recent, tool = self._engine.version.recent, called(request)
        message: dict[str, Any] = {
            "role": "assistant", "content": "" if tool else generated.text.lstrip(), "refusal": None,
            "annotations": None, "audio": None, "function_call": None, "reasoning": None,
        }  # fmt: skip
        if not recent:
            message |= {"tool_calls": [], "reasoning_content": None}
        if tool:
            message["tool_calls"] = [call_of(tool, generated.text)]
        choice = {
            "message": message, "logprobs": chat_logprobs(generated.tokens, sampling),
            "finish_reason": tool.finish_reason(generated) if tool else generated.finish_reason,
            "stop_reason": generated.stop_reason, "token_ids": None,
        } | ({"routed_experts": None} if recent else {})  # fmt: skip
        return self._head(request) | {
            "object": "chat.completion", "choices": [{"index": index} | choice for index in range(sampling.n)],
            "service_tier": None, "system_fingerprint": fingerprint_of(self._engine) if recent else None,
            "usage": usage_of(self._engine.version, prompt, sampling.n * len(generated.tokens)),
            "prompt_logprobs": None, "prompt_token_ids": None, "kv_transfer_params": None,
        } | ({"prompt_text": None, "ec_transfer_params": None, "metrics": None} if recent else {})  # fmt: skip

    async def _chunks(
        self, request: dict[str, Any], sampling: Sampling, prompt: int, generated: Generated
    ) -> AsyncIterator[str]:
        version = self._engine.version
        options = request.get("stream_options") or {}
        head = self._head(request) | {"object": "chat.completion.chunk"}
        tool = called(request)
        reason = tool.finish_reason(generated) if tool else generated.finish_reason

        def chunk(choice: dict[str, Any], so_far: int, **more: Any) -> str:
            if options.get("continuous_usage_stats"):
                more["usage"] = usage_of(version, prompt, so_far, streamed=True)
            if version.recent and choice.get("finish_reason") and not options.get("include_usage"):
                more["system_fingerprint"] = fingerprint_of(self._engine)
            return data(head | {"choices": [{"logprobs": None, "finish_reason": None} | choice]} | more)

        reasoning = {} if version.recent else {"reasoning_content": None}
        first = {"prompt_token_ids": None} | ({"prompt_text": None} if version.recent else {})
        for index in range(sampling.n):
            yield chunk({"index": index, "delta": {"role": "assistant", "content": ""} | reasoning}, 0, **first)
        try:
            number = 0
            async for token, last in self._engine.stream(generated):
                number += 1
                end = {"finish_reason": reason, "stop_reason": generated.stop_reason} if last else {}
                text = token.lstrip() if number == 1 else token
                delta = {"tool_calls": [{"index": 0} | call_of(tool, token)]} if tool else {"content": text}
                choice = {"delta": delta | reasoning, "token_ids": None,
                          "logprobs": chat_logprobs([token], sampling)} | end  # fmt: skip
                for index in range(sampling.n):
                    yield chunk({"index": index} | choice, number)
        except EngineDead:
            yield data({"error": stream_error(version)})
            yield DONE
            return
        if options.get("include_usage"):
            usage = usage_of(version, prompt, sampling.n * len(generated.tokens), final=True)
            mark = {"system_fingerprint": fingerprint_of(self._engine)} if version.recent else {}
            yield data(head | {"choices": [], "usage": usage} | mark)
        yield DONE

    def _head(self, request: dict[str, Any]) -> dict[str, Any]:
        model = request.get("model") or self._engine.arguments.served_names[0]
        return {"id": new_id("chatcmpl"), "created": int(time.time()), "model": model}


def messages_of(version: Version, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Raises Invalid."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        raise Invalid(version, "list_type", ("messages",), "Input should be a valid list", input=messages)
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Invalid(version, "dict_type", ("messages", number), "Input should be a valid dictionary",
                          input=message)  # fmt: skip
        if "role" not in message:
            raise missing(version, ("messages", number, "role"), message)
    return messages


def prompt_in(engine: Engine, messages: Sequence[dict[str, Any]], request: dict[str, Any]) -> int:
    """The number of tokens of the prompt that a chat template makes. Raises Refusal, EngineDead."""
    arguments = engine.arguments
    tools, choice = request.get("tools"), request.get("tool_choice", "auto")
    if tools and choice == "auto" and not arguments.tool_parser:
        raise no_tool_parser()
    if any(shows_image(message.get("content")) for message in messages) and not arguments.vision:
        raise no_vision(engine.version, arguments.model)
    if not messages:
        raise no_messages(engine.version)
    return engine.count(prompt_of(list(messages)))


def stream_error(version: Version) -> dict[str, Any]:
    """The error of a stream whose engine dies: in 0.13 it looks like a mistake of the client."""
    info = engine_dead(version).info(version)
    return info if version.recent else info | {"type": "BadRequestError", "code": 400}
