"""/v1/embeddings, /v1/rerank and /v1/score of an embedding model."""

import base64
import struct
import time
from typing import Any

from .answers import embedding_of, similarity_of
from .engine import Engine
from .http import Reply
from .identifiers import new_id
from .inputs import texts_of
from .refusals import Invalid, Refusal, no_dimensions

_PAIRS = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))


class Pooling:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def embed(self, request: dict[str, Any]) -> Reply:
        """Raises Refusal, EngineDead."""
        texts = texts_of(self._engine.version, request, "input")
        if request.get("dimensions") is not None:
            raise no_dimensions(self._engine.version, self._model(request), request["dimensions"])
        tokens = sum(self._engine.pool(text, "embedding generation") for text in texts)
        as_base64 = request.get("encoding_format") == "base64"
        data = [
            {"index": index, "object": "embedding", "embedding": _base64(vector) if as_base64 else vector}
            for index, vector in enumerate(map(embedding_of, texts))
        ]
        return self._listed("embd", request, data, tokens)

    async def score(self, request: dict[str, Any]) -> Reply:
        """The similarity of each pair; a single first text is paired with every second one. Raises Refusal."""
        version = self._engine.version
        names = _PAIRS if version.recent else _PAIRS[:1]
        first, second = next((pair for pair in names if all(name in request for name in pair)), _PAIRS[0])
        ones, others = texts_of(version, request, first), texts_of(version, request, second)
        if len(ones) not in (1, len(others)):
            raise Refusal("Input lengths must be either 1:1, 1:N or N:N")
        pairs = list(zip(ones * len(others) if len(ones) == 1 else ones, others, strict=True))
        tokens = sum(self._engine.pool(f"{one} {other}", "score") for one, other in pairs)
        data = [{"index": index, "object": "score", "score": similarity_of(*pair)} for index, pair in enumerate(pairs)]
        return self._listed("score", request, data, tokens)

    async def rerank(self, request: dict[str, Any]) -> Reply:
        """The documents, best first. Raises Refusal, EngineDead."""
        version, query, most = self._engine.version, request.get("query"), request.get("top_n") or 0
        if not isinstance(query, str):
            raise Invalid(version, "string_type", ("query",), "Input should be a valid string", input=query)
        documents = texts_of(version, request, "documents")
        tokens = sum(self._engine.pool(f"{query} {document}", "score") for document in documents)
        results = [
            {"index": index, "document": {"text": document, "multi_modal": None},
             "relevance_score": similarity_of(query, document)}
            for index, document in enumerate(documents)
        ]  # fmt: skip
        results.sort(key=lambda result: -float(str(result["relevance_score"])))
        return Reply({
            "id": new_id("score" if version.recent else "rerank"), "model": self._model(request),
            "results": results[: most or len(results)],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }, finish_reasons=("stop",))  # fmt: skip

    def _listed(self, kind: str, request: dict[str, Any], data: list[dict[str, Any]], tokens: int) -> Reply:
        usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0, "prompt_tokens_details": None}
        if self._engine.version.recent:
            usage["completion_tokens_details"] = None
        return Reply({
            "id": new_id(kind), "object": "list", "created": int(time.time()), "model": self._model(request),
            "data": data, "usage": usage,
        }, finish_reasons=("stop",))  # fmt: skip

    def _model(self, request: dict[str, Any]) -> str:
        return request.get("model") or self._engine.arguments.served_names[0]


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
