"""The engine behind all routes: it generates tokens at its pace, counts them, and may die or hang."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass

from .arguments import Arguments
from .refusals import input_too_long, no_tokens, prompt_too_long, too_many_tokens
from .sampling import Sampling
from .tokens import tokens_of


class EngineDead(Exception):
    """The engine has died; its process ends some seconds later."""


@dataclass(frozen=True)
class Generated:
    """What the model answers."""

    tokens: tuple[str, ...]
    finish_reason: str
    """OpenAI's: stop or length."""
    stop_reason: str | None
    """The stop string that ended it."""

    @property
    def text(self) -> str:
        return "".join(self.tokens)


class Engine:
    def __init__(self, arguments: Arguments, token_seconds: float, hangs_at: str | None) -> None:
        self.arguments = arguments
        self.token_seconds = token_seconds
        self._hangs_at = hangs_at
        self.version = arguments.version
        self.dead = False
        self._hangs = False
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.answers = 0

    def count(self, prompt: str) -> int:
        """The number of its tokens. Raises EngineDead, and Refusal if they do not fit into the window."""
        self._check()
        self._hangs |= self._hangs_at is not None and self._hangs_at in prompt
        count, window = len(tokens_of(prompt)), self.arguments.max_model_len
        if count > window:
            raise prompt_too_long(self.version, window, count)
        return count

    def pool(self, text: str, purpose: str) -> int:
        """Process a text that gets no answer, and return the number of its tokens. Raises as `count` does."""
        self._check()
        count, window = len(tokens_of(text)), self.arguments.max_model_len
        if count > window:
            raise input_too_long(self.version, window, count, purpose)
        self.prompt_tokens += count
        return count

    def generate(self, text: str, prompt_tokens: int, sampling: Sampling) -> Generated:
        """`text`, as far as the request and the window let it go. Raises Refusal if they leave no room."""
        window = self.arguments.max_model_len
        room, wanted, recent = window - prompt_tokens, sampling.max_tokens, self.version.recent
        if room < 1 and not recent:
            raise prompt_too_long(self.version, window, prompt_tokens)
        if wanted is not None and wanted > (window if recent else room):
            raise too_many_tokens(self.version, window, prompt_tokens, wanted, sampling.limit)
        if room < 1:
            raise no_tokens(room)
        generated = _generated(text, room if wanted is None else min(wanted, room), sampling)
        if self._hangs:
            return generated
        self.prompt_tokens += prompt_tokens
        self.answers += sampling.n
        self.generation_tokens += sampling.n * len(generated.tokens)
        return generated

    async def finish(self, generated: Generated) -> None:
        """Wait for as long as it takes to generate it. Raises EngineDead."""
        await self._work(len(generated.tokens))

    async def stream(self, generated: Generated) -> AsyncIterator[tuple[str, bool]]:
        """Each token at its time, and whether it is the last one. Raises EngineDead."""
        for number, token in enumerate(generated.tokens, start=1):
            await self._work(1)
            yield token, number == len(generated.tokens)

    async def _work(self, tokens: int) -> None:
        """For as long as so many tokens take. Raises EngineDead."""
        await asyncio.sleep(self.token_seconds * tokens)
        if self._hangs:
            await asyncio.Event().wait()
        self._check()

    def _check(self) -> None:
        if self.dead:
            raise EngineDead


def _generated(text: str, limit: int, sampling: Sampling) -> Generated:
    if sampling.ignore_eos:
        tokens = tokens_of(text)
        tokens = (tokens * math.ceil(limit / len(tokens)))[:limit]
        return Generated(tuple(tokens), "length", None)
    found = {text.index(stop): stop for stop in sampling.stop if stop in text}
    stopped = found[min(found)] if found else None
    tokens = tokens_of(text[: min(found)] if found else text)
    if limit < len(tokens):
        return Generated(tuple(tokens[:limit]), "length", None)
    return Generated(tuple(tokens) or ("",), "stop", stopped)
