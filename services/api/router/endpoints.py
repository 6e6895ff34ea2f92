"""The paths that workers answer, and what the router has to know about each (docs/routing.md has the table)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.api.http.inference_paths import DETOKENIZE, MESSAGES, TOKENIZE
from services.api.router.formats import RESPONSES
from shared.lifecycle.wish import Task

_GENERATE: Final = frozenset[Task]({"generate"})
_EMBED: Final = frozenset[Task]({"embed"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`tasks`: those of the models that it takes. `streams`: whether `stream` makes its answer server-sent events.

    `stream_options`: whether a stream reports its usage only if OpenAI's option of that name asks for it.
    `in_parts`: whether a stream reports its prompt first and its usage again at the end, as Anthropic's do.
    `free`: it computes nothing on the model, so that no tokens are charged.
    """

    tasks: frozenset[Task]
    streams: bool = False
    stream_options: bool = False
    in_parts: bool = False
    free: bool = False


CHAT: Final = Endpoint(_GENERATE, streams=True, stream_options=True)
ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": Endpoint(_GENERATE, streams=True, stream_options=True),
    RESPONSES: Endpoint(_GENERATE, streams=True),
    MESSAGES: Endpoint(_GENERATE, streams=True, in_parts=True),
    f"{MESSAGES}/count_tokens": Endpoint(_GENERATE, free=True),
    "/v1/embeddings": Endpoint(_EMBED),
    "/v1/rerank": Endpoint(_EMBED),
    "/v1/score": Endpoint(_EMBED),
    TOKENIZE: Endpoint(_GENERATE | _EMBED, free=True),
    DETOKENIZE: Endpoint(_GENERATE | _EMBED, free=True),
}
