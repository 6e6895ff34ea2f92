"""An event stream that is opened again when it is lost, behind the last event, so that none is missed or repeated.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final, Self

import httpx
from httpx_sse import ServerSentEvent, SSEError, aconnect_sse

from coldstart_client.backoff import pause_s
from coldstart_client.errors import ApiError, EventsLost, NoAnswer, RateLimited, StreamLost, UnexpectedAnswer
from coldstart_client.problems import error_of
from coldstart_client.stream_messages import Connected, Received, StreamMessage

SILENCE_S: Final = 45.0
"""A stream that says nothing for so long is lost: the api sends something every 15 s."""
_CONNECT_S: Final = 5.0
_COMING_BACK: Final = frozenset({502, 503, 504})
_ENDED: Final = "it ended the stream"


class AsyncFollowing:
    """The messages of one stream; iterate once. `url` is the api's, for messages of errors.

    Raises ApiError or NoAnswer if it does not open at first, ApiError if it is refused later, StreamLost if it stays
    away for longer than `patience_s` (None: for ever), EventsLost if it cannot resume, UnexpectedAnswer for what is no
    stream of events.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        path: str,
        query: Mapping[str, Any],
        *,
        after: str,
        patience_s: float | None,
        until: float | None,
    ) -> None:
        self._http, self._url, self._path, self._query = http, url, path, query
        self._patience_s, self._until = patience_s, until
        self.position = after
        """That of the last event: another stream that follows from here misses nothing."""
        self.away: str | None = None
        """Why no event can arrive now; None while the stream is open."""
        self._messages = self._followed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._messages.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamMessage:
        return await anext(self._messages)

    async def _followed(self) -> AsyncGenerator[StreamMessage]:
        lost_at, failures, opened = time.monotonic(), 0, False
        while not self._over:
            try:
                async with aclosing(self._one_connection(since=lost_at if opened else None)) as messages:
                    async for message in messages:
                        failures, opened = 0, True
                        yield message
                if not opened and not self._over:
                    raise NoAnswer(f"no answer from {self._url}: {_ENDED}")
                self.away, asked = _ENDED, None
            except (httpx.TransportError, SSEError, ApiError) as error:
                if self._over:
                    return
                if not opened or not _passes(error):
                    raise self._translated(error) from error
                self.away = str(error) or type(error).__name__
                asked = error.retry_after if isinstance(error, ApiError) else None
            if not failures:
                lost_at = time.monotonic()
            elif self._patience_s is not None and time.monotonic() - lost_at > self._patience_s:
                raise StreamLost(f"lost {self._url}: {self.away}")
            failures += 1
            await asyncio.sleep(self._at_most(pause_s(failures, asked)))

    async def _one_connection(self, *, since: float | None) -> AsyncGenerator[StreamMessage]:
        """`since`: when the stream was lost, by time.monotonic()."""
        headers = {"Last-Event-ID": self.position} if self.position else {}
        timeout = httpx.Timeout(self._at_most(SILENCE_S), connect=_CONNECT_S)
        async with aconnect_sse(
            self._http, "GET", self._path, params=self._query, headers=headers, timeout=timeout
        ) as stream:
            if stream.response.is_error:
                await stream.response.aread()
                raise error_of(stream.response)
            if isinstance(stream.response.stream, httpx.AsyncByteStream):
                stream.response.stream = _Ending(stream.response.stream, self._until)
            connected = False
            async for message in stream.aiter_sse():
                self.position = message.id or self.position
                if not connected:
                    connected, self.away = True, None
                    yield Connected(self.position, None if since is None else time.monotonic() - since)
                if message.data:
                    yield Received(self.position, _read(message))

    @property
    def _over(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _at_most(self, seconds: float) -> float:
        """No longer than until the end, and not for no time at all, which httpx takes for none."""
        return seconds if self._until is None else max(min(seconds, self._until - time.monotonic()), 0.001)

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, ApiError):
            return error
        if isinstance(error, SSEError):
            return UnexpectedAnswer(f"no answer from {self._url}: {error}")
        return NoAnswer(f"no answer from {self._url}: {error}")


class _Ending(httpx.AsyncByteStream):
    """The same bytes, up to a moment of time.monotonic(): signs of life come when no message does."""

    def __init__(self, stream: httpx.AsyncByteStream, until: float | None) -> None:
        self._stream, self._until = stream, until

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part
            if self._until is not None and time.monotonic() >= self._until:
                return

    async def aclose(self) -> None:
        await self._stream.aclose()


def _passes(error: Exception) -> bool:
    """Whether the api may be back in a moment."""
    if isinstance(error, ApiError):
        return error.status in _COMING_BACK or isinstance(error, RateLimited)
    return True


def _read(message: ServerSentEvent) -> dict[str, Any]:
    """Raises EventsLost, UnexpectedAnswer."""
    try:
        data: dict[str, Any] = json.loads(message.data)
    except ValueError as error:
        raise UnexpectedAnswer("the event stream holds what is no JSON.") from error
    if message.event == "reset":
        detail = "the event stream no longer has the position to resume from; load anew what you show."
        raise EventsLost(detail, str(data.get("position", message.id)))
    return data
