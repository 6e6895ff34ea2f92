"""The engine behind all routes: makes tokens at its pace, counts them, and may die."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from .arguments import Arguments
from .refusals import prompt_too_long, too_many_tokens
from .sampling import Sampling
from .tokens import tokens_of

_TOKEN_SECONDS: Final = 0.002


class EngineDead(Exception):
    """The engine has died; its process ends some seconds later."""


@dataclass(frozen=True)
class Said:
    """One choice, whole."""

    tokens: tuple[str, ...]
    finish_reason: str
    """OpenAI's: stop or length."""
    stop_reason: str | None
    """The stop string that ended it."""

    @property
    def text(self) -> str:
        return "".join(self.tokens)


class Engine:
    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.version = arguments.version
        self.dead = False
        self.prompt_tokens = 0
        self.generation_tokens = 0

    def read(self, prompt: str) -> int:
        """The number of its tokens. Raises EngineDead, and Refusal if they do not fit into the window."""
        self._check()
        count, window = len(tokens_of(prompt)), self.arguments.max_model_len
        if count > window:
            raise prompt_too_long(self.version, window, count)
        self.prompt_tokens += count
        return count

    def say(self, text: str, prompt_tokens: int, sampling: Sampling) -> Said:
        """What the model says of `text`. Raises Refusal if prompt and answer do not fit into the window."""
        window = self.arguments.max_model_len
        room = window - prompt_tokens
        if room < 1:
            raise prompt_too_long(self.version, window, prompt_tokens)
        if sampling.max_tokens is not None and sampling.max_tokens > room:
            raise too_many_tokens(self.version, window, prompt_tokens, sampling.max_tokens)
        said = _said(text, room if sampling.max_tokens is None else sampling.max_tokens, sampling)
        self.generation_tokens += sampling.n * len(said.tokens)
        return said

    async def whole(self, said: Said) -> None:
        """Take the time to say it. Raises EngineDead."""
        await asyncio.sleep(_TOKEN_SECONDS * len(said.tokens))
        self._check()

    async def spoken(self, said: Said) -> AsyncIterator[tuple[str, bool]]:
        """Each token when it is said, and whether it is the last one. Raises EngineDead."""
        for number, token in enumerate(said.tokens, start=1):
            await asyncio.sleep(_TOKEN_SECONDS)
            self._check()
            yield token, number == len(said.tokens)

    def _check(self) -> None:
        if self.dead:
            raise EngineDead


def _said(text: str, limit: int, sampling: Sampling) -> Said:
    if sampling.ignore_eos:
        tokens = tokens_of(text)
        tokens = (tokens * math.ceil(limit / len(tokens)))[:limit]
        return Said(tuple(tokens), "length", None)
    found = {text.index(stop): stop for stop in sampling.stop if stop in text}
    stopped = found[min(found)] if found else None
    tokens = tokens_of(text[: min(found)] if found else text)
    if limit < len(tokens):
        return Said(tuple(tokens[:limit]), "length", None)
    return Said(tuple(tokens) or ("",), "stop", stopped)
