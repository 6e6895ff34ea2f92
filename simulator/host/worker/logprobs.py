"""Made-up probabilities of tokens, in the shapes of chat and of completions."""

from collections.abc import Iterator, Sequence
from typing import Any

from .answers import logprob_of
from .sampling import Sampling


def chat_logprobs(tokens: Sequence[str], sampling: Sampling) -> dict[str, Any] | None:
    if sampling.logprobs is None:
        return None
    return {"content": [_entry(token) | {"top_logprobs": list(_top(token, sampling.logprobs))} for token in tokens]}


def completion_logprobs(tokens: Sequence[str], sampling: Sampling, offset: int) -> dict[str, Any] | None:
    """`offset`: the characters of the choice before these tokens."""
    if sampling.logprobs is None:
        return None
    return {
        "text_offset": [offset + sum(map(len, tokens[:number])) for number in range(len(tokens))],
        "token_logprobs": [logprob_of(token) for token in tokens],
        "tokens": list(tokens),
        "top_logprobs": [
            {entry["token"]: entry["logprob"] for entry in (_entry(token), *_top(token, sampling.logprobs))}
            for token in tokens
        ],
    }


def _top(token: str, count: int) -> Iterator[dict[str, Any]]:
    """The token itself first, then others."""
    others = (f"{token}{number}" for number in range(1, count))
    return map(_entry, (token, *others) if count else ())


def _entry(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": logprob_of(token), "bytes": list(token.encode(errors="surrogatepass"))}
