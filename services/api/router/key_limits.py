"""The limits of a key, per minute and at once. Each api process counts for itself, in memory."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.api.access.api_keys import ApiKey
from services.api.router.refusal import Refusal

_MINUTE_S: Final = 60.0
_ROUNDING: Final = 1e-6
"""Tolerance in requests or tokens, so that a client that waited exactly as asked is not refused for rounding."""


class TokenBucket:
    """Holds at most `per_minute`, and refills by as much every minute.

    Usage that is known late may overdraw it, by at most as much again: nobody is refused for more than two minutes.
    """

    __slots__ = ("_at", "_level", "per_minute")

    def __init__(self, per_minute: int, at: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._at = at

    def level(self, at: float) -> float:
        self._level = min(self.per_minute, self._level + (at - self._at) * self.per_minute / _MINUTE_S)
        self._at = at
        return self._level

    def take(self, amount: int, at: float) -> None:
        self._level = max(self.level(at) - amount, -float(self.per_minute))

    def seconds_until(self, level: float, at: float) -> float:
        missing = level - self.level(at)
        return missing * _MINUTE_S / self.per_minute if missing > _ROUNDING else 0.0

    def headers(self, kind: str, at: float) -> list[tuple[str, str]]:
        """OpenAI's rate-limit headers."""
        return [
            (f"x-ratelimit-limit-{kind}", str(self.per_minute)),
            (f"x-ratelimit-remaining-{kind}", str(max(0, math.floor(self.level(at))))),
            (f"x-ratelimit-reset-{kind}", f"{self.seconds_until(self.per_minute, at):.3f}s"),
        ]


@dataclass(slots=True)
class _Use:
    requests: TokenBucket | None = None
    tokens: TokenBucket | None = None
    concurrent: int = 0


class KeyLimiter:
    """`most_each`: concurrent requests of one organisation, whatever their keys; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, most_each: float = math.inf) -> None:
        self._clock = clock
        self._most_each = most_each
        self._organizations: dict[UUID, int] = {}
        self._uses: dict[UUID, _Use] = {}

    @contextmanager
    def admitted(self, key: ApiKey) -> Generator[None]:
        """The block is one request of this key, before its body is read. Raises Refusal 429 before the block."""
        organization = key.organization_id
        running = 0 if organization is None else self._organizations.get(organization, 0)
        if running >= self._most_each:
            message = f"Your organization already has {self._most_each} requests running. Wait for some answers."
            raise Refusal(429, "rate_limit_exceeded", message, headers={"Retry-After": "1"})
        use = self._take(key)
        use.concurrent += 1
        if organization is not None:
            self._organizations[organization] = running + 1
        try:
            yield
        finally:
            use.concurrent -= 1
            if organization is not None:
                self._organizations[organization] -= 1

    def _take(self, key: ApiKey) -> _Use:
        """Reserve one request. Raises Refusal."""
        if key.requests_per_minute is key.tokens_per_minute is key.max_concurrent is None:
            return _Use()
        use, at = self._use(key), self._clock()
        if key.max_concurrent is not None and use.concurrent >= key.max_concurrent:
            raise self._refused(key, "concurrent requests", key.max_concurrent, 1.0)
        if use.tokens is not None and (pause_s := use.tokens.seconds_until(1, at)):
            raise self._refused(key, "tokens per minute", use.tokens.per_minute, pause_s)
        if use.requests is not None:
            if pause_s := use.requests.seconds_until(1, at):
                raise self._refused(key, "requests per minute", use.requests.per_minute, pause_s)
            use.requests.take(1, at)
        return use

    def used(self, key: ApiKey, tokens: int) -> None:
        """Count tokens when the answer has ended; any excess is subtracted from the next minute.

        `key` is as it was when the request came: its limit may have changed.
        """
        use = self._uses.get(key.id)
        if use is not None and use.tokens is not None:
            use.tokens.take(tokens, self._clock())

    def headers(self, key: ApiKey) -> list[tuple[str, str]]:
        """An answer's headers about this key's limits."""
        if key.requests_per_minute is key.tokens_per_minute is None:
            return []
        use, at = self._use(key), self._clock()
        requests = use.requests.headers("requests", at) if use.requests else []
        return requests + (use.tokens.headers("tokens", at) if use.tokens else [])

    def _use(self, key: ApiKey) -> _Use:
        use = self._uses.get(key.id)
        if use is None:
            use = self._uses[key.id] = _Use()
        use.requests = self._bucket(use.requests, key.requests_per_minute)
        use.tokens = self._bucket(use.tokens, key.tokens_per_minute)
        return use

    def _bucket(self, bucket: TokenBucket | None, per_minute: int | None) -> TokenBucket | None:
        """A changed limit starts a new bucket."""
        if per_minute is None:
            return None
        return bucket if bucket and bucket.per_minute == per_minute else TokenBucket(per_minute, self._clock())

    def _refused(self, key: ApiKey, what: str, limit: int, pause_s: float) -> Refusal:
        message = f"Rate limit reached for this key: {limit} {what}. Try again in {pause_s:.1f} s."
        headers = {"Retry-After": str(math.ceil(pause_s)), **dict(self.headers(key))}
        return Refusal(429, "rate_limit_exceeded", message, headers=headers)
