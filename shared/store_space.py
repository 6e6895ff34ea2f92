"""How much space NATS and PostgreSQL have left, and what follows from it.

After a full disk nats-server stores nothing until it is restarted. So there is a warning long before, and the last
bytes are kept for what ends instances: launches are refused first.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, NoReturn

import structlog
from nats.errors import Error as NatsError
from nats.js.api import AccountInfo
from prometheus_client import Gauge

EVERY_S: Final = 10.0
_GB: Final = 10**9
Store = Literal["nats", "postgres"]
_PLACES: Final = {
    "nats": "on the disk of NATS",
    "postgres": "on the disk of PostgreSQL",
    "nats account": "in the NATS account's storage limit",
}

log = structlog.get_logger()
_free: Final = Gauge("coldstart_store_free_bytes", "What NATS and PostgreSQL can still store", ["store"])
_total: Final = Gauge("coldstart_store_total_bytes", "The size of the disk, or the limit, of each store", ["store"])
_refused: Final = Gauge(
    "coldstart_launches_refused_for_space", "1 while launches are refused for want of space, else 0"
)


class Level(StrEnum):
    """`LOW`: a warning; `RESERVED`: what is left is kept for ending instances, and nothing is launched."""

    ENOUGH = "enough"
    LOW = "low"
    RESERVED = "reserved"


_WARNINGS: Final = {
    Level.LOW: "Space is running low",
    Level.RESERVED: "Nothing can be launched, since there is no space left",
}


@dataclass(frozen=True)
class Threshold:
    """So many bytes, or this share of the whole if that is less: a small disk is not always short of space."""

    bytes: int
    share: float

    def of(self, total_bytes: int) -> int:
        return min(self.bytes, int(self.share * total_bytes))


@dataclass(frozen=True)
class Thresholds:
    """Fewer free bytes than `low` are a warning; with fewer than `reserved`, nothing is launched."""

    low: Threshold
    reserved: Threshold


@dataclass(frozen=True)
class StoreRoom:
    """`store` is `nats` or `postgres`, or `nats account` for an account with a storage limit."""

    store: str
    free_bytes: int
    total_bytes: int
    level: Level

    @property
    def place(self) -> str:
        return _PLACES[self.store]

    @property
    def figures(self) -> str:
        return f"{_size(self.free_bytes)} of {_size(self.total_bytes)} are free"


def _size(number_of_bytes: int) -> str:
    return f"{number_of_bytes / 1e9:.1f} GB" if number_of_bytes >= _GB else f"{number_of_bytes / 1e6:.0f} MB"


def room(store: str, free_bytes: int, total_bytes: int, thresholds: Thresholds) -> StoreRoom:
    level = Level.ENOUGH
    if free_bytes < thresholds.reserved.of(total_bytes):
        level = Level.RESERVED
    elif free_bytes < thresholds.low.of(total_bytes):
        level = Level.LOW
    return StoreRoom(store, free_bytes, total_bytes, level)


class StoreSpace:
    """The rooms as last measured; empty before the first look, and without those that cannot be measured.

    `folders` are the stores' folders, as far as this process can see them. `account` asks JetStream for the storage
    that is used, and for its limit.
    """

    def __init__(
        self,
        folders: Mapping[Store, Path],
        thresholds: Thresholds,
        account: Callable[[], Awaitable[AccountInfo]],
    ) -> None:
        self._folders = folders
        self._thresholds = thresholds
        self._account = account
        self._unread: dict[str, str] = {}
        self.rooms: tuple[StoreRoom, ...] = ()

    async def run(self) -> NoReturn:
        """Look again and again. The owner cancels it."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        before = {each.store: each.level for each in self.rooms}
        found = [await self._of_folder(store, folder) for store, folder in self._folders.items()]
        self.rooms = tuple(each for each in (*found, await self._of_account()) if each)
        for each in self.rooms:
            _free.labels(each.store).set(each.free_bytes)
            _total.labels(each.store).set(each.total_bytes)
            if each.level is not before.get(each.store, Level.ENOUGH):
                log.warning(
                    "space for events and tables",
                    store=each.store,
                    space=each.level,
                    where=each.place,
                    free=each.figures,
                )
        _refused.set(self.shortage is not None)

    @property
    def shortage(self) -> str | None:
        """The rooms in which only the reserve is left, in a sentence; None without such a room."""
        short = [f"{each.place} ({each.figures})" for each in self.rooms if each.level is Level.RESERVED]
        return f"There is no space left {' and '.join(short)}." if short else None

    def warnings(self, *, figures: bool) -> list[str]:
        """A sentence about each room that is short of space, for people; with the figures, if they may know them."""
        return [
            f"{_WARNINGS[each.level]} {each.place}{f': {each.figures}' if figures else ''}."
            for each in self.rooms
            if each.level is not Level.ENOUGH
        ]

    async def _of_folder(self, store: Store, folder: Path) -> StoreRoom | None:
        try:
            usage = await asyncio.to_thread(shutil.disk_usage, folder)
        except OSError as error:
            self._say_unread(store, str(error))
            return None
        self._unread.pop(store, None)
        return room(store, usage.free, usage.total, self._thresholds)

    async def _of_account(self) -> StoreRoom | None:
        """None for an account without a limit: its server's disk is its only limit."""
        try:
            info = await self._account()
        except (NatsError, TimeoutError, OSError):  # /readyz says that JetStream does not answer
            return next((each for each in self.rooms if each.store == "nats account"), None)
        limit = info.limits.max_storage or -1
        if limit < 0:
            return None
        return room("nats account", max(0, limit - info.storage), limit, self._thresholds)

    def _say_unread(self, store: str, reason: str) -> None:
        if self._unread.get(store) != reason:
            log.warning("space of a store cannot be measured", store=store, reason=reason)
        self._unread[store] = reason
