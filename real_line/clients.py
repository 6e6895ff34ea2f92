"""What the official, unmodified clients of OpenAI and Anthropic get through the router from the real vLLM."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
from anthropic import Anthropic
from openai import APIStatusError, OpenAI
from openai.types.chat import ChatCompletionToolParam

from real_line.hub import CHAT, EMBEDDING
from real_line.line import Line, Wrong

QUESTION: Final = "What is the capital of France?"
_SCHEMA: Final = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
_TOOL: Final[ChatCompletionToolParam] = {
    "type": "function",
    "function": {"name": "switch", "description": "Turns the light on.", "parameters": _SCHEMA, "strict": True},
}
_ENDS: Final = ("length", "stop")
"""The model has random weights, so it may end at any token."""
_ANTHROPIC_ENDS: Final = ("max_tokens", "end_turn")
_LAST: Final = ("response.completed", "response.incomplete")
_TOO_LONG: Final = "long " * 5000
_PIXEL: Final = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
    )
).decode()


class Chat:
    """The checks of a chat model, each of them one method."""

    def __init__(self, url: str, key: str) -> None:
        """Of the router at `url`."""
        self._openai = OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=120)
        self._anthropic = Anthropic(base_url=url, api_key=key, max_retries=0, timeout=120)
        self._url, self._key = url, key

    def checks(self) -> dict[str, Callable[[], object]]:
        """By what each shows."""
        return {
            "chat, with usage": self.chat,
            "a stream": self.stream,
            "a stream with usage": self.stream_with_usage,
            "tools: a named one, a required one, none": self.tools,
            "structured output by a JSON schema": self.structured,
            "logprobs": self.logprobs,
            "n=2": self.two,
            "stop": self.stop,
            "the developer's role": self.developer,
            "completions, with a list of prompts": self.completions,
            "a prompt that is too long is refused": lambda: self._refused(400, content=_TOO_LONG),
            "max_tokens past the context is refused": lambda: self._refused(400, max_tokens=99_999),
            "a negative temperature is refused": lambda: self._refused(400, temperature=-1),
            "no messages are refused": lambda: self._refused(400, messages=[]),
            "an image without vision is refused": lambda: self._refused(400, content=_picture()),
            "an unknown model is not found": lambda: self._refused(404, model="real-line/none"),
            "the list of models has its context": self.models,
            "responses": self.responses,
            "a stream of responses": self.responses_stream,
            "messages": self.messages,
            "a stream of messages": self.messages_stream,
            "count_tokens": self.count_tokens,
            "tokenize and detokenize": self.tokenize,
        }

    def chat(self) -> str:
        usage = self._ask(max_tokens=8).usage
        return _expect(usage is not None and 1 <= usage.completion_tokens <= 8, usage)

    def stream(self) -> str:
        chunks = list(self._ask(max_tokens=8, stream=True))
        reasons = [chunk.choices[0].finish_reason for chunk in chunks]
        usages = [chunk.usage for chunk in chunks if chunk.usage]
        return _expect(reasons[-1] in _ENDS and len(chunks) > 1 and not usages, f"{len(chunks)} chunks, {reasons[-1]}")

    def stream_with_usage(self) -> str:
        last = list(self._ask(max_tokens=8, stream=True, stream_options={"include_usage": True}))[-1]
        return _expect(not last.choices and last.usage and 1 <= last.usage.completion_tokens <= 8, last.usage)

    def tools(self) -> str:
        named = {"type": "function", "function": {"name": "switch"}}
        seen = []
        for choice in (named, "required"):
            message = self._ask(tools=[_TOOL], tool_choice=choice, **self._terse()).choices[0].message
            call = message.tool_calls[0].function
            _expect(call.name == "switch" and isinstance(json.loads(call.arguments).get("ok"), bool), message)
            seen.append(call.arguments)
        none = self._ask(tools=[_TOOL], tool_choice="none", max_tokens=4).choices[0]
        return _expect(not none.message.tool_calls, " and ".join(seen))

    def structured(self) -> str:
        wanted = {"type": "json_schema", "json_schema": {"name": "switch", "schema": _SCHEMA}}
        content = self._ask(response_format=wanted, **self._terse()).choices[0].message.content
        return _expect(isinstance(json.loads(content)["ok"], bool), " ".join(content.split()))

    def logprobs(self) -> str:
        answer = self._ask(max_tokens=4, logprobs=True, top_logprobs=3)
        told = answer.choices[0].logprobs.content
        expected = [3] * answer.usage.completion_tokens
        return _expect([len(token.top_logprobs) for token in told] == expected, f"{len(told)} tokens")

    def two(self) -> str:
        whole = self._ask(max_tokens=4, n=2, temperature=1)
        parts = {
            chunk.choices[0].index
            for chunk in self._ask(max_tokens=4, n=2, temperature=1, stream=True)
            if chunk.choices
        }
        return _expect(len(whole.choices) == 2 and parts == {0, 1}, f"{len(whole.choices)} choices, streamed {parts}")

    def stop(self) -> str:
        """The stop is the first character of what the model says anyway."""
        said = self._ask(max_tokens=8, temperature=0).choices[0].message.content
        choice = self._ask(max_tokens=8, temperature=0, stop=[said[:1]]).choices[0]
        return _expect(choice.finish_reason == "stop" and not choice.message.content, choice.finish_reason)

    def developer(self) -> str:
        told = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
        usage = self._ask(messages=told, max_tokens=4).usage
        return _expect(1 <= usage.completion_tokens <= 4, usage)

    def completions(self) -> str:
        made = self._openai.completions.create(model=CHAT, prompt=["Hello", "Paris"], max_tokens=3)
        return _expect([choice.index for choice in made.choices] == [0, 1], made.usage)

    def models(self) -> str:
        listed = {model.id: model.model_dump() for model in self._openai.models.list()}
        return _expect(listed[CHAT].get("max_model_len") == 2048, listed[CHAT])

    def responses(self) -> str:
        made = self._openai.responses.create(model=CHAT, input=QUESTION, max_output_tokens=8)
        return _expect(made.usage is not None and 1 <= made.usage.output_tokens <= 8, made.usage)

    def responses_stream(self) -> str:
        made = self._openai.responses.create(model=CHAT, input=QUESTION, max_output_tokens=8, stream=True)
        types = [event.type for event in made]
        return _expect(types[0] == "response.created" and types[-1] in _LAST, _each_once(types))

    def messages(self) -> str:
        made = self._anthropic.messages.create(
            model=CHAT, max_tokens=8, messages=[{"role": "user", "content": QUESTION}]
        )
        return _expect(1 <= made.usage.output_tokens <= 8 and made.stop_reason in _ANTHROPIC_ENDS, made.usage)

    def messages_stream(self) -> str:
        made = self._anthropic.messages.create(
            model=CHAT, max_tokens=8, messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        types = [event.type for event in made]
        return _expect(types[0] == "message_start" and types[-1] == "message_stop", _each_once(types))

    def count_tokens(self) -> str:
        counted = self._anthropic.messages.count_tokens(model=CHAT, messages=[{"role": "user", "content": QUESTION}])
        return _expect(counted.input_tokens > 5, counted)

    def tokenize(self) -> str:
        made = self._post("/tokenize", {"model": CHAT, "prompt": "Paris"})
        back = self._post("/detokenize", {"model": CHAT, "tokens": made["tokens"]})
        return _expect(back["prompt"] == "Paris", made)

    def _terse(self) -> dict[str, Any]:
        """Keeps a model that says anything from filling its JSON with blanks, which a grammar allows without end."""
        asked = (self._post("/tokenize", {"model": CHAT, "prompt": blank}) for blank in " \n\t\r")
        return {"max_tokens": 100, "logit_bias": {str(token): -100 for said in asked for token in said["tokens"]}}

    def _ask(self, **fields: Any) -> Any:
        content = fields.pop("content", QUESTION)
        body = {"model": CHAT, "messages": [{"role": "user", "content": content}], **fields}
        return self._openai.chat.completions.create(**body)

    def _refused(self, status: int, **fields: Any) -> str:
        try:
            answer = self._ask(**fields)
        except APIStatusError as error:
            return _expect(error.status_code == status and error.message, f"{error.status_code} {error.message[:120]}")
        raise Wrong(f"it was answered: {answer}")

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = httpx.post(f"{self._url}{path}", json=body, headers=headers, timeout=60)
        if not answer.is_success:
            raise Wrong(f"{answer.status_code} {answer.text[:200]}")
        return answer.json()


def embeddings(line: Line) -> str:
    """Two vectors of one length, and an error for a chat."""
    reach = line.stack.reach
    client = OpenAI(base_url=f"{reach.api_url}/v1", api_key=reach.admin_key, max_retries=0, timeout=120)
    made = client.embeddings.create(model=EMBEDDING, input=["Hello", "Paris"])
    lengths = {len(each.embedding) for each in made.data}
    return _expect(len(made.data) == 2 and lengths == {128}, f"{len(made.data)} vectors of {lengths}")


def _expect(holds: object, seen: object) -> str:
    if not holds:
        raise Wrong(str(seen))
    return str(seen)


def _each_once(types: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(types))


def _picture() -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}},
    ]
