"""Limits the bytes of request bodies in memory: in total, and half of that for any one owner."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Final, cast
from uuid import UUID

from litestar.types import Receive

from services.api.access.api_keys import ApiKey
from services.api.router.refusal import Refusal

_AT_ONCE: Final = 65_536
"""A body of so many bytes usually arrives in one piece. Whether there is room for it is checked on arrival."""
_RETRY_AFTER: Final = {"Retry-After": "1"}


class Bodies:
    """`most` bytes in this process; half of it for the keys of one organisation, or a key without one.

    One body of `longest` bytes fits into either.
    """

    def __init__(self, *, most: int, longest: int) -> None:
        self.longest = longest
        self._most = max(most, longest)
        self._most_each = max(most // 2, longest)
        self._held = 0
        self._by_owner: dict[UUID, int] = {}

    @property
    def held(self) -> int:
        return self._held

    def of(self, key: ApiKey) -> "Body":
        return Body(self, key.organization_id or key.id)

    def expect_room(self, owner: UUID, size: int) -> None:
        """Raises Refusal if this many more bytes would exceed a limit."""
        if self._by_owner.get(owner, 0) + size > self._most_each:
            message = f"The bodies of your requests already hold {self._most_each} bytes. Wait for some answers."
            raise Refusal(429, "too_many_bytes_held", message, headers=_RETRY_AFTER)
        if self._held + size > self._most:
            message = "There is no room for another request's body. Try again in a second."
            raise Refusal(503, "too_many_bytes_held", message, headers=_RETRY_AFTER)

    def take(self, owner: UUID, size: int) -> None:
        """Raises Refusal."""
        self.expect_room(owner, size)
        self._held += size
        self._by_owner[owner] = self._by_owner.get(owner, 0) + size

    def give_back(self, owner: UUID, size: int) -> None:
        self._held -= size
        left = self._by_owner[owner] - size
        if left:
            self._by_owner[owner] = left
        else:
            del self._by_owner[owner]


class Body(AbstractContextManager["Body"]):
    """One request's body. `content` is freed when it is no longer needed, at the latest at the end of the block."""

    __slots__ = ("_bodies", "_owner", "_size", "content", "received")

    def __init__(self, bodies: Bodies, owner: UUID) -> None:
        self._bodies = bodies
        self._owner = owner
        self._size = 0
        self.content = b""
        self.received = 0

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        self.content = b""
        if self._size:
            self._bodies.give_back(self._owner, self._size)
            self._size = 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bool:
        """False if the client left during it. Raises Refusal."""
        if (declared := _declared_length(headers)) > _AT_ONCE:
            self._bodies.expect_room(self._owner, declared)
        message = await receive()
        if not message.get("more_body", False) and message["type"] != "http.disconnect":
            self.content = cast("bytes", message.get("body", b""))
            self._take(len(self.content))
            return True
        whole = BytesIO()  # not a list: with many small pieces it would take many times their size
        while message["type"] != "http.disconnect":
            piece = cast("bytes", message.get("body", b""))
            self._take(len(piece))
            whole.write(piece)
            if not message.get("more_body", False):
                self.content = whole.getvalue()
                return True
            message = await receive()
        return False

    def _take(self, size: int) -> None:
        if self.received + size > self._bodies.longest:
            raise too_large(self._bodies.longest)
        if not size:
            return
        self._bodies.take(self._owner, size)
        self._size += size
        self.received += size


def expect_acceptable(headers: Mapping[bytes, bytes], longest: int) -> None:
    """Check what the head alone shows. Raises Refusal."""
    kind = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
    if kind != b"application/json":
        message = f"The content type {kind.decode('latin-1')} is not supported. Send JSON, as application/json."
        raise Refusal(415, "unsupported_media_type", message)
    if _declared_length(headers) > longest:
        raise too_large(longest)


def too_large(longest: int) -> Refusal:
    return Refusal(413, "body_too_large", f"The body may have at most {longest} bytes.")


def _declared_length(headers: Mapping[bytes, bytes]) -> int:
    declared = headers.get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0
