"""A single-flight cache: concurrent callers share one request, and the answer is cached for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")
_MOST: Final = 1_000
"""The most answers that are cached; then the oldest is dropped."""


@dataclass(frozen=True)
class _Cached(Generic[Answer]):
    answer: Answer
    until: float


class SingleFlightCache(Generic[Question, Answer]):
    """`seconds` returns how long an answer is cached; 0 means not at all."""

    def __init__(
        self,
        ask: Callable[[Question], Awaitable[Answer]],
        seconds: Callable[[Answer], float],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._monotonic = monotonic
        self._cached: dict[Question, _Cached[Answer]] = {}
        self._asking: dict[Question, asyncio.Task[Answer]] = {}

    async def answer(self, question: Question) -> Answer:
        """If one caller gives up, the others still get the answer, and it is cached."""
        cached = self._cached.get(question)
        if cached is not None and self._monotonic() < cached.until:
            return cached.answer
        if question not in self._asking:
            self._asking[question] = asyncio.create_task(self._asked(question))
        return await asyncio.shield(self._asking[question])

    def close(self) -> None:
        """Cancels all waiting callers."""
        for task in self._asking.values():
            task.cancel()

    async def _asked(self, question: Question) -> Answer:
        try:
            answer = await self._ask(question)
        finally:
            del self._asking[question]
        seconds = self._seconds(answer)
        if seconds > 0:
            self._cached.pop(question, None)
            self._cached[question] = _Cached(answer, self._monotonic() + seconds)
            if len(self._cached) > _MOST:
                del self._cached[next(iter(self._cached))]
        return answer
