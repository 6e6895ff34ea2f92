"""Sends one message over HTTP.

A receiver is not trusted: no redirect is followed, and of its answer only the status and Retry-After are looked at.

The address is checked when the socket for it is made, so no name can lead elsewhere between the check and the
connection.
"""

import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import aiohttp

from services.webhooks.addresses import may_receive
from services.webhooks.settings import WebhooksSettings
from shared.clock import CLOCK

_AGENT: Final = "Coldstart-Webhooks/1.0"
_LONGEST_WISH_S: Final = 86_400.0
_LONGEST_REASON: Final = 300
_ANSWER_LINE: Final = 8190
_REDIRECTS: Final = range(300, 400)
_SUCCESSES: Final = range(200, 300)


@dataclass(frozen=True)
class Delivered:
    status: int


@dataclass(frozen=True)
class Gone:
    """The receiver wants no more messages (410)."""

    status: int = HTTPStatus.GONE


@dataclass(frozen=True)
class NotDelivered:
    """`status` is None without an answer. `retry_after_s`: what the receiver asks for, a day at most."""

    reason: str
    status: int | None = None
    retry_after_s: float | None = None


Outcome: TypeAlias = Delivered | Gone | NotDelivered


class AddressRefused(OSError):
    """Its address is private, and not among those that are allowed."""

    def __init__(self) -> None:
        super().__init__("its address is not public, and not in COLDSTART_WEBHOOKS_ALLOW_PRIVATE")


class PlainRefused(OSError):
    def __init__(self) -> None:
        super().__init__("only addresses in COLDSTART_WEBHOOKS_ALLOW_PRIVATE get messages over plain http")


class Sender:
    """Shared by all webhooks of a process."""

    def __init__(self, encrypted: aiohttp.ClientSession, plain: aiohttp.ClientSession, timeout_s: float) -> None:
        self._sessions = {"https": encrypted, "http": plain}
        self._timeout_s = timeout_s

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: WebhooksSettings, trust: ssl.SSLContext | None = None) -> AsyncGenerator["Sender"]:
        """`trust`: instead of the certificate authorities of this machine."""
        context = trust or ssl.create_default_context()
        async with _session(settings, context, encrypted=True) as one, _session(settings, None, encrypted=False) as two:
            yield cls(one, two, settings.webhooks_timeout_seconds)

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        """Never raises for what the receiver, its name or the network does."""
        session = self._sessions.get(url.partition(":")[0].lower())
        if session is None:
            return NotDelivered("its URL begins neither with https:// nor with http://")
        headers = {"content-type": "application/json", "user-agent": _AGENT, **headers}
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return _judged(answer.status, answer.headers.get("retry-after"))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            return NotDelivered(self._reason(error)[:_LONGEST_REASON])

    def _reason(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"no answer within {self._timeout_s:g} s"
            case aiohttp.ClientConnectorDNSError():
                return "its name cannot be resolved"
            case aiohttp.ClientConnectorCertificateError():
                return f"its certificate is not accepted: {error.certificate_error}"
            case aiohttp.ClientConnectorError(os_error=AddressRefused() | PlainRefused() as refused):
                return str(refused)
            case aiohttp.ClientConnectorError():
                return f"no connection: {error.os_error.strerror or error.os_error}"
            case aiohttp.ServerDisconnectedError():
                return "it closed the connection without an answer"
        return f"no valid answer: {error or type(error).__name__}"


def _session(settings: WebhooksSettings, context: ssl.SSLContext | None, *, encrypted: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=context or True,
            socket_factory=_checked_sockets(settings, encrypted=encrypted),
            use_dns_cache=False,
            force_close=True,
            limit=0,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=settings.webhooks_timeout_seconds),
        auto_decompress=False,
        trust_env=False,
        max_line_size=_ANSWER_LINE,
        max_field_size=_ANSWER_LINE,
    )


def _checked_sockets(settings: WebhooksSettings, *, encrypted: bool) -> Callable[[Any], socket.socket]:
    def made(address: Any) -> socket.socket:
        """Raises AddressRefused, PlainRefused."""
        family, kind, protocol, _, where = address
        if not may_receive(where[0], settings.webhooks_allow_private, encrypted=encrypted):
            public = not encrypted and may_receive(where[0], (), encrypted=True)
            raise PlainRefused if public else AddressRefused
        return socket.socket(family, kind, protocol)

    return made


def _judged(status: int, retry_after: str | None) -> Outcome:
    if status in _SUCCESSES:
        return Delivered(status)
    if status == HTTPStatus.GONE:
        return Gone()
    if status in _REDIRECTS:
        return NotDelivered(f"it answered {status}; redirects are not followed", status)
    return NotDelivered(f"it answered {status}", status, _seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """RFC 9110, 10.2.3: seconds, or a date. None for neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:6]), _LONGEST_WISH_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    wish_s = (_aware(at) - CLOCK.now()).total_seconds()
    return min(max(wish_s, 0.0), _LONGEST_WISH_S)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
