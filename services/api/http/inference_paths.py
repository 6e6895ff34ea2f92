"""Which paths are for inference: what clients of OpenAI and Anthropic ask for, and what vLLM has beside it."""

from typing import Final

V1: Final = "/v1/"
TOKENIZE: Final = "/tokenize"
DETOKENIZE: Final = "/detokenize"
MESSAGES: Final = "/v1/messages"
_BESIDE_V1: Final = frozenset({TOKENIZE, DETOKENIZE})


def is_inference(path: str) -> bool:
    return path.startswith(V1) or path in _BESIDE_V1


def is_anthropic_s(path: str) -> bool:
    """Whether clients of Anthropic ask here."""
    return path == MESSAGES or path.startswith(f"{MESSAGES}/")
