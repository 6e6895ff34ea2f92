"""The limits of a key, per minute and at once."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Self, TypeAlias
from uuid import UUID

from services.api.access.api_keys import ApiKey
from services.api.records.records import FIELDS, OwnRecords, Record, Records
from services.api.router.refusal import Refusal

_FIELDS_A_BUCKET: Final = FIELDS // 2
_MINUTE_S: Final = 60.0
_ROUNDING: Final = 1e-6
"""Tolerance in requests or tokens, so that a client that waited exactly as asked is not refused for rounding."""


class TokenBucket:
    """Holds at most `per_minute`, and refills by as much every minute.

    Usage that is known late may overdraw it, by at most as much again: nobody is refused for more than two minutes.
    Its three numbers are in a record, from `first` on: the limit, the level, and the time of that level.
    """

    __slots__ = ("_at", "_level", "_record", "per_minute")

    def __init__(self, record: Record, first: int, per_minute: int, at: float) -> None:
        self.per_minute = per_minute
        self._record = record
        self._level, self._at = first + 1, first + 2
        if record[first] != per_minute:  # a changed limit starts a new bucket
            record[first], record[self._level], record[self._at] = per_minute, per_minute, at

    def level(self, at: float) -> float:
        record, per_minute = self._record, self.per_minute
        level = record[self._level] + (at - record[self._at]) * per_minute / _MINUTE_S
        if level > per_minute:  # noqa: PLR1730  min() would take twice as long
            level = per_minute
        record[self._level], record[self._at] = level, at
        return level

    def take(self, amount: int, at: float) -> None:
        self._record[self._level] = max(self.level(at) - amount, -float(self.per_minute))

    def seconds_until(self, level: float, at: float) -> float:
        missing = level - self.level(at)
        return missing * _MINUTE_S / self.per_minute if missing > _ROUNDING else 0.0

    def headers(self, names: "_Names", at: float) -> list[tuple[bytes, bytes]]:
        """OpenAI's rate-limit headers."""
        level = self.level(at)
        missing = self.per_minute - level
        reset_s = missing * _MINUTE_S / self.per_minute if missing > _ROUNDING else 0.0
        return [
            (names.limit, b"%d" % self.per_minute),
            (names.remaining, b"%d" % max(0, math.floor(level))),
            (names.reset, b"%.3fs" % reset_s),
        ]


class _Names(NamedTuple):
    """The names of a bucket's headers."""

    limit: bytes
    remaining: bytes
    reset: bytes

    @classmethod
    def of(cls, kind: bytes) -> Self:
        return cls(*(b"x-ratelimit-%b-%b" % (what, kind) for what in (b"limit", b"remaining", b"reset")))


_REQUESTS: Final = _Names.of(b"requests")
_TOKENS: Final = _Names.of(b"tokens")


_RateLimits: TypeAlias = Sequence[tuple[bytes, bytes]]


class _Use(NamedTuple):
    """What a key has used, by its limits. `record` also counts its requests in flight."""

    record: Record
    requests: TokenBucket | None
    tokens: TokenBucket | None


class _Running(AbstractContextManager[_RateLimits]):
    """A class, since @contextmanager would take five times as long."""

    __slots__ = ("_key", "_limiter")

    def __init__(self, limiter: "KeyLimiter", key: ApiKey) -> None:
        self._limiter = limiter
        self._key = key

    def __enter__(self) -> _RateLimits:
        return self._limiter.begin(self._key)

    def __exit__(self, *_: object) -> None:
        self._limiter.end(self._key)


class KeyLimiter:
    """`most_each`: concurrent requests of one organisation, whatever their keys; `clock` counts seconds.

    `records`: where the counts are kept, by the ids of keys and organisations. Processes that share them share limits.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        most_each: float = math.inf,
        records: Records | None = None,
    ) -> None:
        self._clock = clock
        self._most_each = most_each
        self._records = records or OwnRecords()
        self._uses: dict[UUID, _Use] = {}

    def admitted(self, key: ApiKey) -> AbstractContextManager[_RateLimits]:
        """The block is one request of this key, before its body is read. Raises Refusal 429 before the block.

        It gets the headers of the answer about the key's limits.
        """
        return _Running(self, key)

    def begin(self, key: ApiKey) -> _RateLimits:
        """Count a request of this key as running; returns the headers about its limits. Raises Refusal."""
        records, organization = self._records, key.organization_id
        with records:
            shared = None if organization is None else records.of(organization.bytes)
            if shared is not None and records.counted(shared) >= self._most_each:
                message = f"Your organization already has {self._most_each} requests running. Wait for some answers."
                raise Refusal(429, "rate_limit_exceeded", message, headers={"Retry-After": "1"})
            told = self._reserve(key) if _is_limited(key) else ()
            if shared is not None:
                records.count(shared)
        return told

    def end(self, key: ApiKey) -> None:
        """A request that `begin` has counted is over."""
        if _is_limited(key):
            self._records.discount(key.id.bytes)
        if key.organization_id is not None:
            self._records.discount(key.organization_id.bytes)

    def _reserve(self, key: ApiKey) -> _RateLimits:
        """Take one request of the key's limits; returns the headers about them. Raises Refusal."""
        at = self._clock()
        use = self._use(key, at)
        if key.max_concurrent is not None and self._records.counted(use.record) >= key.max_concurrent:
            raise _refused(use, at, "concurrent requests", key.max_concurrent, 1.0)
        if use.tokens is not None and (pause_s := use.tokens.seconds_until(1, at)):
            raise _refused(use, at, "tokens per minute", use.tokens.per_minute, pause_s)
        if use.requests is not None:
            if pause_s := use.requests.seconds_until(1, at):
                raise _refused(use, at, "requests per minute", use.requests.per_minute, pause_s)
            use.requests.take(1, at)
        self._records.count(use.record)
        return _headers(use, at)

    def used(self, key: ApiKey, tokens: int) -> None:
        """Count tokens when the answer has ended; any excess is subtracted from the next minute.

        `key` is as it was when the request came: its limit may have changed.
        """
        if key.tokens_per_minute is None:
            return
        with self._records:
            use = self._uses.get(key.id)
            if use is not None and use.tokens is not None and use.record is self._records.of(key.id.bytes):
                use.tokens.take(tokens, self._clock())

    def _use(self, key: ApiKey, at: float) -> _Use:
        record = self._records.of(key.id.bytes)
        use = self._uses.get(key.id)
        if use is not None and use.record is record and _as_limited(use, key):
            return use
        requests, tokens = key.requests_per_minute, key.tokens_per_minute
        use = self._uses[key.id] = _Use(
            record,
            None if requests is None else TokenBucket(record, 0, requests, at),
            None if tokens is None else TokenBucket(record, _FIELDS_A_BUCKET, tokens, at),
        )
        return use


def _refused(use: _Use, at: float, what: str, limit: int, pause_s: float) -> Refusal:
    message = f"Rate limit reached for this key: {limit} {what}. Try again in {pause_s:.1f} s."
    told = {name.decode(): value.decode() for name, value in _headers(use, at)}
    headers = {"Retry-After": str(math.ceil(pause_s)), **told}
    return Refusal(429, "rate_limit_exceeded", message, headers=headers)


def _is_limited(key: ApiKey) -> bool:
    return not (key.requests_per_minute is key.tokens_per_minute is key.max_concurrent is None)


def _as_limited(use: _Use, key: ApiKey) -> bool:
    """Whether these are still the key's limits."""
    requests = None if use.requests is None else use.requests.per_minute
    tokens = None if use.tokens is None else use.tokens.per_minute
    return (requests, tokens) == (key.requests_per_minute, key.tokens_per_minute)


def _headers(use: _Use, at: float) -> list[tuple[bytes, bytes]]:
    requests = use.requests.headers(_REQUESTS, at) if use.requests else []
    return requests + (use.tokens.headers(_TOKENS, at) if use.tokens else [])
