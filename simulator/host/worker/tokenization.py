"""/tokenize and /detokenize."""

from typing import Any

from .answers import prompt_of
from .chat import messages_of
from .engine import Engine
from .http import Reply
from .inputs import ids_in
from .refusals import Invalid
from .tokens import ids_of, text_of, tokens_of


class Tokenization:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def tokenize(self, request: dict[str, Any]) -> Reply:
        """Raises Invalid."""
        tokens = tokens_of(self._text(request))
        return Reply({
            "count": len(tokens), "max_model_len": self._engine.arguments.max_model_len, "tokens": ids_of(tokens),
            "token_strs": tokens if request.get("return_token_strs") else None,
        })  # fmt: skip

    async def detokenize(self, request: dict[str, Any]) -> Reply:
        """Raises Invalid."""
        return Reply({"prompt": text_of(ids_in(self._engine.version, request, "tokens"))})

    def _text(self, request: dict[str, Any]) -> str:
        version = self._engine.version
        if "messages" in request or "prompt" not in request:
            return prompt_of(messages_of(version, request))
        prompt = request["prompt"]
        if not isinstance(prompt, str):
            raise Invalid(version, "string_type", ("prompt",), "Input should be a valid string", input=prompt)
        return prompt
